import { statfs } from 'node:fs/promises';
import { cpus, freemem, loadavg, totalmem, uptime } from 'node:os';
import type { HostFacts } from '@nestack/nova/contract';
import { traitsOf } from './traits';

/** Guests are x86 machines wherever they run. */
const ARCHITECTURE = 'x86_64';

export interface FactsInput {
  readonly host: string;
  readonly hostIp: string;
  readonly instancesDir: string;
  readonly virtType: 'kvm' | 'qemu';
  readonly hypervisorVersion: number;
  readonly runningGuests: number;
}

/** What the host has, from its operating system. upstream: nova/virt/libvirt/driver.py, get_available_resource */
export async function hostFacts(input: FactsInput): Promise<HostFacts> {
  const processors = cpus();
  const disk = await statfs(input.instancesDir);
  const gib = (blocks: number): number => Math.floor((blocks * disk.bsize) / 1024 ** 3);
  const mib = (bytes: number): number => Math.floor(bytes / 1024 ** 2);
  return {
    hypervisor_hostname: input.host,
    host_ip: input.hostIp,
    hypervisor_type: 'QEMU',
    hypervisor_version: input.hypervisorVersion,
    vcpus: processors.length,
    memory_mb: mib(totalmem()),
    local_gb: gib(disk.blocks),
    vcpus_used: 0,
    memory_mb_used: mib(totalmem() - freemem()),
    local_gb_used: gib(disk.blocks - disk.bfree),
    running_vms: input.runningGuests,
    cpu_info: {
      arch: ARCHITECTURE,
      model: input.virtType === 'kvm' ? (processors[0]?.model ?? 'host') : 'qemu64',
      vendor: 'unknown',
      topology: { sockets: 1, cores: processors.length, threads: 1 },
      features: [],
    },
    supported_instances: [[ARCHITECTURE, input.virtType, 'hvm']],
    traits: [...(await traitsOf(input.virtType))],
    uptime: uptimeText(new Date(), uptime(), loadavg()),
  };
}

/** `virsh version` as a number: QEMU 7.2.22 is 7002022. */
export function versionOf(text: string): number {
  const match = /hypervisor: \S+ (\d+)\.(\d+)\.(\d+)/.exec(text);
  if (match === null) return 0;
  return Number(match[1]) * 1_000_000 + Number(match[2]) * 1000 + Number(match[3]);
}

/** As the command `uptime` says it: clients take the load from it. */
export function uptimeText(now: Date, seconds: number, load: readonly number[]): string {
  const days = Math.floor(seconds / 86_400);
  const hours = Math.floor((seconds % 86_400) / 3600);
  const minutes = String(Math.floor((seconds % 3600) / 60)).padStart(2, '0');
  const up = `${days > 0 ? `${days} day${days > 1 ? 's' : ''}, ` : ''}${hours}:${minutes}`;
  return `${now.toISOString().slice(11, 19)} up ${up},  0 users,  load average: ${load.map((one) => one.toFixed(2)).join(', ')}`;
}
