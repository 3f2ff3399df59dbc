import { POWER_STATE, type PowerState } from '@nestack/nova/contract';
import type { DomainStats } from './remote/libvirt-client';

/** libvirt's virDomainState by number, as nova's power states; a guest that shuts down still runs. */
const POWER: Readonly<Record<string, PowerState>> = {
  1: POWER_STATE.running,
  2: POWER_STATE.running,
  3: POWER_STATE.paused,
  4: POWER_STATE.running,
  5: POWER_STATE.shutdown,
  6: POWER_STATE.crashed,
  7: POWER_STATE.suspended,
};

export function powerOf(stats: DomainStats): PowerState {
  return POWER[stats['state.state'] ?? ''] ?? POWER_STATE.nostate;
}

/** Diagnostics before microversion 2.48. upstream: nova/virt/libvirt/driver.py, get_diagnostics */
export function legacyDiagnostics(stats: DomainStats): Record<string, number> {
  const shown: Record<string, number> = {};
  const put = (name: string, key: string): void => {
    const value = stats[key];
    if (value !== undefined && Number.isFinite(Number(value))) shown[name] = Number(value);
  };
  for (let at = 0; stats[`vcpu.${at}.state`] !== undefined; at += 1) put(`cpu${at}_time`, `vcpu.${at}.time`);
  for (let at = 0; stats[`block.${at}.name`] !== undefined; at += 1) {
    const name = stats[`block.${at}.name`] ?? '';
    put(`${name}_read_req`, `block.${at}.rd.reqs`);
    put(`${name}_read`, `block.${at}.rd.bytes`);
    put(`${name}_write_req`, `block.${at}.wr.reqs`);
    put(`${name}_write`, `block.${at}.wr.bytes`);
  }
  put('memory', 'balloon.maximum');
  put('memory-actual', 'balloon.current');
  put('memory-rss', 'balloon.rss');
  for (let at = 0; stats[`net.${at}.name`] !== undefined; at += 1) {
    const name = stats[`net.${at}.name`] ?? '';
    put(`${name}_rx`, `net.${at}.rx.bytes`);
    put(`${name}_rx_packets`, `net.${at}.rx.pkts`);
    put(`${name}_rx_errors`, `net.${at}.rx.errs`);
    put(`${name}_rx_drop`, `net.${at}.rx.drop`);
    put(`${name}_tx`, `net.${at}.tx.bytes`);
    put(`${name}_tx_packets`, `net.${at}.tx.pkts`);
    put(`${name}_tx_errors`, `net.${at}.tx.errs`);
    put(`${name}_tx_drop`, `net.${at}.tx.drop`);
  }
  return shown;
}
