import { POWER_STATE } from '@nestack/nova/contract';
import type { Instance } from '@nestack/nova/domain';

const STATES: Readonly<Record<number, string>> = {
  [POWER_STATE.nostate]: 'pending',
  [POWER_STATE.running]: 'running',
  [POWER_STATE.paused]: 'paused',
  [POWER_STATE.shutdown]: 'shutdown',
  [POWER_STATE.crashed]: 'crashed',
  [POWER_STATE.suspended]: 'suspended',
};

/**
 * Diagnostics from 2.48 on, made of the older ones: what is not counted is null.
 * upstream: nova/api/openstack/compute/views/server_diagnostics.py
 */
export function diagnosticsView(
  instance: Instance,
  counted: Readonly<Record<string, unknown>>,
  now: Date,
): Record<string, unknown> {
  const number = (key: string): number | null => (typeof counted[key] === 'number' ? counted[key] : null);
  const mib = (key: string): number | null => {
    const kib = number(key);
    return kib === null ? null : Math.round(kib / 1024);
  };
  /** Names of devices that something is counted of: `vda` of `vda_read_req`. */
  const names = (suffix: string): string[] =>
    Object.keys(counted).flatMap((key) => (key.endsWith(suffix) ? [key.slice(0, -suffix.length)] : []));
  const cpus = names('_time').filter((name) => /^cpu\d+$/.test(name));
  const disks = names('_read_req');
  const nics = instance.nics.map((nic) => ({
    mac_address: nic.mac_address,
    rx_octets: number(`${nic.devname}_rx`),
    rx_errors: number(`${nic.devname}_rx_errors`),
    rx_drop: number(`${nic.devname}_rx_drop`),
    rx_packets: number(`${nic.devname}_rx_packets`),
    rx_rate: null,
    tx_octets: number(`${nic.devname}_tx`),
    tx_errors: number(`${nic.devname}_tx_errors`),
    tx_drop: number(`${nic.devname}_tx_drop`),
    tx_packets: number(`${nic.devname}_tx_packets`),
    tx_rate: null,
  }));
  const since = instance.launched_at;
  return {
    state: STATES[instance.power_state] ?? 'pending',
    driver: 'libvirt',
    hypervisor: 'qemu',
    hypervisor_os: 'linux',
    uptime: since === null ? null : Math.max(0, Math.floor((now.getTime() - since.getTime()) / 1000)),
    config_drive: instance.config_drive,
    num_cpus: cpus.length,
    cpu_details: cpus.map((name) => ({ id: Number(name.slice(3)), time: number(`${name}_time`), utilisation: null })),
    num_nics: nics.length,
    nic_details: nics,
    num_disks: disks.length,
    disk_details: disks.map((name) => ({
      read_bytes: number(`${name}_read`),
      read_requests: number(`${name}_read_req`),
      write_bytes: number(`${name}_write`),
      write_requests: number(`${name}_write_req`),
      errors_count: null,
    })),
    memory_details: { maximum: mib('memory'), used: mib('memory-actual') },
  };
}
