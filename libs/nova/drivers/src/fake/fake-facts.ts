import { POWER_STATE, type HostFacts, type PowerState } from '@nestack/nova/contract';
import type { FakeOptions } from './fake-driver';

/** What a host without guests says of itself; `startedAt` in milliseconds since the epoch. */
export function fakeFacts(
  options: FakeOptions,
  guests: readonly { readonly power: PowerState; readonly memoryMb: number }[],
  startedAt: number,
): HostFacts {
  const { vcpus = 1000, memoryMb = 1_000_000, diskGb = 100_000 } = options;
  return {
    hypervisor_hostname: options.host,
    host_ip: '127.0.0.1',
    hypervisor_type: 'fake',
    hypervisor_version: 1000,
    vcpus,
    memory_mb: memoryMb,
    local_gb: diskGb,
    vcpus_used: 0,
    memory_mb_used: guests.reduce((sum, guest) => sum + guest.memoryMb, 0),
    local_gb_used: 0,
    running_vms: guests.filter((guest) => guest.power === POWER_STATE.running).length,
    cpu_info: {
      arch: 'x86_64',
      model: 'fake',
      vendor: 'fake',
      topology: { sockets: 1, cores: vcpus, threads: 1 },
      features: [],
    },
    supported_instances: [['x86_64', 'fake', 'hvm']],
    traits: [
      'COMPUTE_NET_ATTACH_INTERFACE',
      'COMPUTE_NODE',
      'COMPUTE_RESCUE_BFV',
      'COMPUTE_VOLUME_ATTACH',
      'COMPUTE_VOLUME_EXTEND',
    ],
    uptime: `up ${Math.round((Date.now() - startedAt) / 1000)} seconds`,
  };
}
