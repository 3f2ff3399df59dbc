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
  /** Metadata of the aggregates that it is in. */
  readonly aggregates: readonly Readonly<Record<string, string>>[];
  readonly num_instances: number;
  /** Servers on it whose disks are being worked on. upstream: nova/compute/stats.py io_workload */
  readonly num_io_ops: number;
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

/** What a host is called in logs, as upstream's operators read it. */
export function nameOf(host: HostState): string {
  const { host: name, facts, num_io_ops: tasks, num_instances: servers } = host;
  return `(${name}, ${facts.hypervisor_hostname}) ram: ${String(freeOf(host, 'MEMORY_MB'))}MB disk: ${String(freeOf(host, 'DISK_GB') * 1024)}MB io_ops: ${String(tasks)} instances: ${String(servers)}`;
}

/** What extra specs and queries may ask of a host, by upstream's names. upstream: nova/scheduler/host_manager.py HostState */
export function attributesOf(host: HostState): Readonly<Record<string, unknown>> {
  const { facts } = host;
  return {
    host: host.host,
    nodename: facts.hypervisor_hostname,
    uuid: host.compute_node_uuid,
    host_ip: facts.host_ip,
    hypervisor_type: facts.hypervisor_type,
    hypervisor_version: facts.hypervisor_version,
    hypervisor_hostname: facts.hypervisor_hostname,
    cpu_info: facts.cpu_info,
    supported_instances: facts.supported_instances,
    total_usable_ram_mb: facts.memory_mb,
    free_ram_mb: freeOf(host, 'MEMORY_MB'),
    total_usable_disk_gb: facts.local_gb,
    disk_mb_used: facts.local_gb_used * 1024,
    free_disk_mb: freeOf(host, 'DISK_GB') * 1024,
    vcpus_total: facts.vcpus,
    vcpus_used: facts.vcpus_used,
    num_instances: host.num_instances,
    num_io_ops: host.num_io_ops,
  };
}

/** The value at a path of names; undefined where there is none. */
export function attributeOf(attributes: Readonly<Record<string, unknown>>, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (at, name) =>
      typeof at === 'object' && at !== null && Object.hasOwn(at, name)
        ? (at as Readonly<Record<string, unknown>>)[name]
        : undefined,
    attributes,
  );
}

/** The least number that the host's aggregates have under a key; what is set for all where they have none, or nonsense. */
export function aggregateNumber(host: HostState, key: string, otherwise: number): number {
  const given = host.aggregates.flatMap((metadata) => (Object.hasOwn(metadata, key) ? [metadata[key] ?? ''] : []));
  const numbers = given.map((text) => (text.trim() === '' ? Number.NaN : Number(text)));
  return numbers.length === 0 || numbers.some(Number.isNaN) ? otherwise : Math.min(...numbers);
}
