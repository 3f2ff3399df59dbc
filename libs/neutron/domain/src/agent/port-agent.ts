import type { Clock } from '@nestack/kernel/clock';
import { newContext, type RequestContext } from '@nestack/kernel/context';
import type { DeviceDetails } from '@nestack/neutron/contract';
import type { Dataplane } from '../ports';
import type { CarriedNetworks } from './carried-networks';
import { KeyedQueue } from './keyed-queue';
import type { AgentLog, Plugin } from './plugin';
import { SecurityGroups } from './security-groups';

export interface PortAgentDeps {
  readonly host: string;
  readonly plugin: Plugin;
  readonly dataplane: Pick<Dataplane, 'l2' | 'firewall'>;
  readonly networks: CarriedNetworks;
  readonly clock: Clock;
  readonly log: AgentLog;
}

interface Entry {
  readonly details: DeviceDetails;
  /** What the server was told last; null when nothing is known. */
  reported: boolean | null;
}

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;

/**
 * Wires and filters the ports that are bound to this host. Doorbells name a port; its present state is then asked for, many
 * ports at a time, so that late, doubled and reordered messages do no harm.
 */
export class PortAgent {
  private readonly ports = new Map<string, Entry>();
  private readonly portOf = new Map<string, string>();
  private readonly groups: SecurityGroups;
  private readonly queue = new KeyedQueue();
  /** Port ids and names of taps to ask about, with the request that each came from. */
  private asked = new Map<string, RequestContext>();
  private askedGroups = new Map<string, RequestContext>();
  private complete: RequestContext | null = null;
  private waiting: (() => void)[] = [];
  private working: Promise<void> | null = null;
  private pause = FIRST_PAUSE_MS;
  private readonly closing = new AbortController();

  constructor(private readonly deps: PortAgentDeps) {
    this.groups = new SecurityGroups(deps.plugin, deps.dataplane.firewall);
  }

  /** The port was bound to this host, changed, unbound or deleted. */
  portChanged(ctx: RequestContext, portId: string): void {
    this.asked.set(portId, ctx);
    this.wake();
  }

  /** MTU, state or hosts of the network changed: one of its ports tells the new values. */
  networkChanged(ctx: RequestContext, networkId: string): void {
    for (const [id, { details }] of this.ports) {
      if (details.network.id !== networkId) continue;
      this.asked.set(id, ctx);
    }
    this.wake();
  }

  groupsChanged(ctx: RequestContext, ids: readonly string[]): void {
    for (const id of this.groups.relevant(ids)) this.askedGroups.set(id, ctx);
    this.wake();
  }

  deviceCame(device: string): void {
    const ctx = newContext();
    const portId = this.portOf.get(device);
    if (portId === undefined) {
      this.asked.set(device, ctx);
      this.wake();
    } else this.inTurn(portId, () => this.plug(ctx, portId, 'changed'));
  }

  deviceGone(device: string): void {
    const portId = this.portOf.get(device);
    if (portId === undefined) return;
    this.inTurn(portId, async () => {
      const entry = this.ports.get(portId);
      if (entry !== undefined) await this.report(newContext(), portId, entry, false);
    });
  }

  /** Makes everything on the host as the server has it; resolves when it is so. */
  synchronise(ctx: RequestContext): Promise<void> {
    this.complete = ctx;
    return new Promise((resolve) => {
      this.waiting.push(resolve);
      this.wake();
    });
  }

  /** What is under way ends; wires stay as they are. */
  async close(): Promise<void> {
    this.closing.abort();
    await this.working;
    await this.queue.idle();
  }

  private wake(): void {
    if (this.closing.signal.aborted) return;
    this.working ??= this.work().finally(() => {
      this.working = null;
      if (this.due()) this.wake();
    });
  }

  private due(): boolean {
    return this.complete !== null || this.asked.size > 0 || this.askedGroups.size > 0;
  }

  private async work(): Promise<void> {
    while (this.due() && !this.closing.signal.aborted) {
      try {
        if (this.complete !== null) await this.everything(this.complete);
        else {
          await this.changedGroups();
          await this.changedPorts();
        }
        this.pause = FIRST_PAUSE_MS;
      } catch (error) {
        this.deps.log.warn(null, 'ports.delayed', { error: String(error) });
        await this.deps.clock.sleep(this.pause, this.closing.signal);
        this.pause = Math.min(this.pause * 2, LONGEST_PAUSE_MS);
      }
    }
  }

  private async everything(ctx: RequestContext): Promise<void> {
    const { plugin, host, dataplane, networks, log } = this.deps;
    this.complete = null;
    const waiting = this.waiting;
    this.waiting = [];
    try {
      await this.queue.idle();
      const { devices } = await plugin.get_devices_details_list_and_failed_devices(ctx, { host, devices: null });
      const present = new Set(devices.map((one) => one.port_id));
      for (const id of this.ports.keys()) if (!present.has(id)) this.inTurn(id, () => this.remove(id));
      await this.queue.idle();
      for (const details of devices) this.remember(details);
      const carried = new Set<string>();
      for (const { network, port_id: id } of devices) {
        await networks.hold(network, id, !carried.has(network.id));
        carried.add(network.id);
      }
      if (dataplane.firewall.filtering) {
        await this.groups.replaceAll(ctx, devices);
      } else await dataplane.firewall.replaceAll(devices, []);
      for (const { port_id: id } of devices) this.inTurn(id, () => this.plug(ctx, id, 'certain'));
      await this.queue.idle();
      log.info(ctx, 'ports.synchronised', { ports: devices.length, networks: carried.size });
      for (const done of waiting) done();
    } catch (error) {
      this.complete ??= ctx;
      this.waiting.push(...waiting);
      throw error;
    }
  }

  private async changedGroups(): Promise<void> {
    const asked = this.askedGroups;
    const [ctx] = asked.values();
    if (ctx === undefined) return;
    this.askedGroups = new Map();
    try {
      await this.groups.refresh(ctx, [...asked.keys()]);
    } catch (error) {
      this.askedGroups = new Map([...asked, ...this.askedGroups]);
      throw error;
    }
  }

  private async changedPorts(): Promise<void> {
    const { plugin, host, log } = this.deps;
    const asked = this.asked;
    const [ctx] = asked.values();
    if (ctx === undefined) return;
    this.asked = new Map();
    try {
      const keys = [...asked.keys()];
      const answer = await plugin.get_devices_details_list_and_failed_devices(ctx, { host, devices: keys });
      const told = new Set(answer.failed_devices);
      for (const details of answer.devices) {
        const { port_id: id, device } = details;
        told.add(id).add(device);
        const cause = asked.get(id) ?? asked.get(device) ?? ctx;
        this.inTurn(id, () => this.apply(cause, details));
      }
      for (const key of keys) if (!told.has(key) && this.ports.has(key)) this.inTurn(key, () => this.remove(key));
      for (const device of answer.failed_devices) {
        log.warn(ctx, 'port.failed', { device });
        this.later(this.portOf.get(device) ?? device);
      }
    } catch (error) {
      this.asked = new Map([...asked, ...this.asked]);
      throw error;
    }
  }

  /** Does a port's work when what came before is done; what fails is tried again. */
  private inTurn(portId: string, work: () => Promise<void>): void {
    void this.queue.run(portId, work).catch((error: unknown) => {
      this.deps.log.warn(null, 'port.failed', { port_id: portId, error: String(error) });
      this.later(portId);
    });
  }

  private later(key: string): void {
    const ctx = newContext();
    void this.deps.clock.sleep(FIRST_PAUSE_MS * 2, this.closing.signal).then(() => this.portChanged(ctx, key));
  }

  private async apply(ctx: RequestContext, details: DeviceDetails): Promise<void> {
    const { networks, dataplane } = this.deps;
    const { port_id: id } = details;
    const before = this.ports.get(id)?.details.network.id;
    this.remember(details);
    await networks.hold(details.network, id);
    if (before !== undefined && before !== details.network.id) await networks.release(before, id);
    if (dataplane.firewall.filtering) {
      await this.groups.ensureFor(ctx, details);
      await dataplane.firewall.ensurePort(details);
    }
    await this.plug(ctx, id, 'asked');
  }

  private remember(details: DeviceDetails): void {
    const before = this.ports.get(details.port_id);
    this.ports.set(details.port_id, { details, reported: before?.reported ?? null });
    this.portOf.set(details.device, details.port_id);
  }

  /**
   * Puts the port's tap into its network and tells the server whether it works. `changed` tells what is new; `asked` says again
   * that a port works, since the server may have forgotten it (bound anew); `certain` tells everything.
   */
  private async plug(ctx: RequestContext, portId: string, tell: 'changed' | 'asked' | 'certain'): Promise<void> {
    const entry = this.ports.get(portId);
    if (entry === undefined) return;
    const wired = await this.deps.dataplane.l2.ensurePort(entry.details);
    const works = wired && entry.details.admin_state_up;
    if (tell === 'asked' && works) entry.reported = null;
    if (tell === 'certain') entry.reported = null;
    else if (!works) entry.reported ??= false;
    await this.report(ctx, portId, entry, works);
  }

  private async report(ctx: RequestContext, portId: string, entry: Entry, works: boolean): Promise<void> {
    const { plugin, host } = this.deps;
    if (entry.reported === works) return;
    if (works) await plugin.update_device_up(ctx, { host, port_id: portId });
    else await plugin.update_device_down(ctx, { host, port_id: portId });
    entry.reported = works;
  }

  private async remove(portId: string): Promise<void> {
    const { dataplane, networks } = this.deps;
    const entry = this.ports.get(portId);
    if (entry === undefined) return;
    // Out of the network first: without its filter the tap would be open.
    await dataplane.l2.absentPort(entry.details);
    await dataplane.firewall.absentPort(portId);
    this.ports.delete(portId);
    this.portOf.delete(entry.details.device);
    await networks.release(entry.details.network.id, portId);
    if (dataplane.firewall.filtering)
      await this.groups.forget(() => [...this.ports.values()].map((one) => one.details));
  }
}
