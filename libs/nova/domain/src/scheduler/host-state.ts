import type { Tx } from '@nestack/kernel/context';
import type { HostFacts, RequestSpec } from '@nestack/nova/contract';
import type { ComputeService } from '../instance';
import type { ProviderCandidate } from '../ports';
import type { GroupPlaces } from '../server-groups/group-policy';

/** A compute host as nova's database knows it. */
export interface SchedulableHost {
  readonly compute_node_uuid: string;
  readonly host: string;
  readonly facts: HostFacts;
  readonly service: Pick<
    ComputeService,
    'disabled' | 'disabled_reason' | 'forced_down' | 'last_seen_up' | 'availability_zone'
  >;
}

/** A host that Placement says has room, with all that filters and weighers look at. */
export interface HostState extends SchedulableHost {
  readonly candidate: ProviderCandidate;
  /** Of the instances that the request's hints name, those on this host. */
  readonly hinted: readonly string[];
}

/** What is asked for, with what filters and weighers must know beside the hosts. */
export interface SchedulingRequest {
  readonly spec: RequestSpec;
  readonly now: Date;
  /** The server's group and where its members are; null without one. */
  readonly group: GroupPlaces | null;
}

/** What the scheduler reads of nova's database. */
export interface HostStateRepository {
  /** Hosts by the uuids of their compute nodes, with their services, in one statement. */
  byNodes(tx: Tx, computeNodeUuids: readonly string[]): Promise<readonly SchedulableHost[]>;
  /** A host by its name, in any case. */
  byName(tx: Tx, host: string): Promise<SchedulableHost | null>;
  /** Where instances are that are not deleted. */
  hostsOfInstances(tx: Tx, instanceUuids: readonly string[]): Promise<ReadonlyMap<string, string>>;
}

/** How much is free of a resource class on a host, overcommitment included. */
export function freeOf(host: HostState, resourceClass: string): number {
  const known = host.candidate.capacity[resourceClass];
  return known === undefined ? 0 : known.capacity - known.used;
}

/** What a host is called in logs. */
export function nameOf(host: HostState): string {
  return `(${host.host}, ${host.facts.hypervisor_hostname}) ram: ${String(freeOf(host, 'MEMORY_MB'))}MB vcpus: ${String(freeOf(host, 'VCPU'))} disk: ${String(freeOf(host, 'DISK_GB'))}GB`;
}
