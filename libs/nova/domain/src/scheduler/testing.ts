import type { GroupPolicy, RequestSpec } from '@nestack/nova/contract';
import type { GroupPlaces, ServerGroup } from '../server-groups/group-policy';
import type { HostState, SchedulingRequest } from './host-state';

/** Moment at which the hosts of tests were heard from. */
export const NOW = new Date('2026-01-01T12:00:00Z');

/** A request for a server of 1 processor, 512 MiB and 1 GiB. */
export function aSpec(fields: Partial<RequestSpec> = {}, extraSpecs: Record<string, string> = {}): RequestSpec {
  return {
    instance_uuid: '11111111-1111-1111-1111-111111111111',
    project_id: 'p',
    user_id: 'u',
    flavor: {
      id: '1',
      name: 'm1.tiny',
      vcpus: 1,
      memory_mb: 512,
      root_gb: 1,
      ephemeral_gb: 0,
      swap_mb: 0,
      extra_specs: extraSpecs,
      description: null,
    },
    root_gb_on_host: 1,
    image_properties: {},
    availability_zone: null,
    force_host: null,
    ignore_hosts: [],
    scheduler_hints: {},
    ...fields,
  };
}

/** A host that may get anything, with this much free memory. */
export function aHost(name: string, memory = 4096, fields: Partial<HostState> = {}): HostState {
  return {
    compute_node_uuid: `node-of-${name}`,
    host: name,
    facts: {
      hypervisor_hostname: name,
      host_ip: '127.0.0.1',
      hypervisor_type: 'QEMU',
      hypervisor_version: 7_002_022,
      vcpus: 4,
      memory_mb: 4096,
      local_gb: 100,
      vcpus_used: 0,
      memory_mb_used: 0,
      local_gb_used: 0,
      running_vms: 0,
      cpu_info: { arch: 'x86_64', features: ['avx', 'sse'], topology: { cores: 4 } },
      supported_instances: [['x86_64', 'kvm', 'hvm']],
      traits: [],
      uptime: null,
    },
    service: {
      disabled: false,
      disabled_reason: null,
      forced_down: false,
      last_seen_up: NOW,
      availability_zone: 'nova',
    },
    candidate: {
      provider_uuid: `node-of-${name}`,
      allocation_request: {},
      capacity: { MEMORY_MB: { capacity: memory, used: 0 }, VCPU: { capacity: 16, used: 0 } },
    },
    hinted: [],
    aggregates: [],
    num_instances: 0,
    num_io_ops: 0,
    ...fields,
  };
}

/** A request as filters and weighers see it. */
export function aRequest(fields: Partial<RequestSpec> = {}, group: GroupPlaces | null = null): SchedulingRequest {
  return { spec: aSpec(fields), now: NOW, group };
}

/** A server group with its members by host. */
export function groupOf(
  policy: GroupPolicy,
  places: Readonly<Record<string, readonly string[]>>,
  rules: ServerGroup['rules'] = {},
): GroupPlaces {
  const hosts = new Map(Object.entries(places).map(([host, members]) => [host, new Set(members)]));
  return { group: { uuid: 'the-group', policy, rules }, hosts };
}
