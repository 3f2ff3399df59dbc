import type { Clock } from '@nestack/kernel/clock';
import { SYSTEM_ACTOR, newContext, type RequestContext } from '@nestack/kernel/context';
import { AGENT_TYPE, type AgentState, type DhcpPort } from '@nestack/neutron/contract';
import type { Dataplane } from '../ports';
import { CarriedNetworks } from './carried-networks';
import { DhcpAgent } from './dhcp-agent';
import { MetadataCallers } from './metadata-callers';
import type { AgentLog, Plugin } from './plugin';
import { PortAgent } from './port-agent';
import { RouterAgent } from './router-agent';

export interface NeutronAgentOptions {
  readonly host: string;
  readonly plugin: Plugin;
  readonly dataplane: Dataplane;
  readonly clock: Clock;
  readonly log: AgentLog;
  /** Tunnel address of this host; null when networks end at the host. */
  readonly localIp: string | null;
  /** Physical networks that this host is on, each with its bridge. */
  readonly bridgeMappings: Readonly<Record<string, string>>;
  readonly availabilityZone: string;
  /** Milliseconds between two reports. */
  readonly reportIntervalMs: number;
  /** Milliseconds after which everything is compared with the server without cause. */
  readonly resyncIntervalMs: number;
}

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 15_000;
const CLOSE_MS = 5000;

/**
 * One host's networking: makes at its start everything true that the server says, follows doorbells and the kernel's own word
 * of taps, and reports that it lives. A killed agent leaves all wires working; its next start takes them over.
 */
export class NeutronAgent {
  private readonly ports: PortAgent;
  private readonly dhcp: DhcpAgent;
  private readonly routers: RouterAgent;
  private readonly networks: CarriedNetworks;
  private readonly closing = new AbortController();
  private synchronising: Promise<void> | null = null;
  private again = false;
  private started = false;
  private beats: Promise<void> = Promise.resolve();

  constructor(private readonly options: NeutronAgentOptions) {
    const { host, plugin, dataplane, clock, log } = options;
    this.networks = new CarriedNetworks(dataplane.l2);
    const { networks } = this;
    this.ports = new PortAgent({ host, plugin, dataplane, networks, clock, log });
    this.dhcp = new DhcpAgent({ host, plugin, dhcp: dataplane.dhcp, networks, clock, log });
    this.routers = new RouterAgent({ host, plugin, routers: dataplane.routers, networks, clock, log });
  }

  /** Begins; the server may come later than this host. */
  async start(): Promise<void> {
    const { dataplane, plugin } = this.options;
    const callers = new MetadataCallers(this.dhcp, this.routers, plugin);
    await dataplane.metadata.start((request) => callers.find(request));
    await dataplane.l2.start({
      onDevice: (device) => this.ports.deviceCame(device),
      onDeviceGone: (device) => this.ports.deviceGone(device),
    });
    this.resynchronise();
    this.beats = this.beat();
  }

  /** Ends what is under way. Taps, bridges and filters stay and go on working. */
  async close(): Promise<void> {
    this.closing.abort();
    // What waits for a server that is away must not hold up the end.
    const ended = new AbortController();
    const work = [this.beats, this.synchronising, this.ports.close(), this.dhcp.close(), this.routers.close()];
    await Promise.race([
      Promise.all(work).finally(() => ended.abort()),
      this.options.clock.sleep(CLOSE_MS, ended.signal),
    ]);
    await this.options.dataplane.metadata.close();
    await this.options.dataplane.l2.close();
  }

  /** Messages may have been missed: everything is compared with the server. */
  resynchronise(): void {
    if (this.closing.signal.aborted) return;
    if (this.synchronising !== null) {
      this.again = true;
      return;
    }
    this.synchronising = this.synchronise().finally(() => {
      this.synchronising = null;
      if (!this.again) return;
      this.again = false;
      this.resynchronise();
    });
  }

  portChanged(ctx: RequestContext, portId: string): void {
    this.ports.portChanged(ctx, portId);
  }

  networkChanged(ctx: RequestContext, networkId: string): void {
    this.ports.networkChanged(ctx, networkId);
    this.dhcp.networkTouched(ctx, networkId);
    this.routers.networkChanged(ctx, networkId);
  }

  routersChanged(ctx: RequestContext, ids: readonly string[]): void {
    this.routers.routersChanged(ctx, ids);
  }

  groupsChanged(ctx: RequestContext, ids: readonly string[]): void {
    this.ports.groupsChanged(ctx, ids);
  }

  dhcpNetworkChanged(ctx: RequestContext, networkId: string): void {
    this.dhcp.networkChanged(ctx, networkId);
  }

  dhcpPortChanged(ctx: RequestContext, port: DhcpPort): void {
    this.dhcp.portChanged(ctx, port);
  }

  dhcpPortDeleted(ctx: RequestContext, networkId: string, portId: string): void {
    this.dhcp.portDeleted(ctx, networkId, portId);
  }

  private async synchronise(): Promise<void> {
    const { clock, log } = this.options;
    let pause = FIRST_PAUSE_MS;
    while (!this.closing.signal.aborted) {
      const ctx = newContext({ actor: SYSTEM_ACTOR });
      try {
        // Reported first: the server gives ports and networks only to agents that it knows.
        if (!this.started) await this.report(ctx, true);
        this.started = true;
        await Promise.race([
          Promise.all([this.ports.synchronise(ctx), this.dhcp.synchronise(ctx), this.routers.synchronise(ctx)]),
          closed(this.closing.signal),
        ]);
        if (!this.closing.signal.aborted) await this.networks.sweep();
        return;
      } catch (error) {
        log.warn(ctx, 'agent.waiting_for_server', { error: String(error) });
        await clock.sleep(pause, this.closing.signal);
        pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
      }
    }
  }

  private async beat(): Promise<void> {
    const { clock, log, reportIntervalMs, resyncIntervalMs } = this.options;
    let last = clock.now().getTime();
    for (;;) {
      await clock.sleep(reportIntervalMs, this.closing.signal);
      if (this.closing.signal.aborted) return;
      const ctx = newContext({ actor: SYSTEM_ACTOR });
      await this.report(ctx, false).catch((error: unknown) =>
        log.warn(ctx, 'agent.not_reported', { error: String(error) }),
      );
      if (clock.now().getTime() - last < resyncIntervalMs) continue;
      last = clock.now().getTime();
      this.resynchronise();
    }
  }

  private async report(ctx: RequestContext, start: boolean): Promise<void> {
    for (const state of this.states(start)) await this.options.plugin.report_state(ctx, { agent_state: state });
  }

  /** One process, but upstream's four agents: clients look for each of them. */
  private states(start: boolean): AgentState[] {
    const { host, localIp, bridgeMappings, availabilityZone } = this.options;
    const common = { host, start_flag: start };
    return [
      {
        ...common,
        agent_type: AGENT_TYPE.linuxBridge,
        binary: 'neutron-linuxbridge-agent',
        topic: 'N/A',
        availability_zone: null,
        configurations: {
          bridge_mappings: bridgeMappings,
          interface_mappings: {},
          extensions: [],
          l2_population: false,
          tunneling_ip: localIp ?? '',
          tunnel_types: localIp === null ? [] : ['vxlan'],
        },
      },
      {
        ...common,
        agent_type: AGENT_TYPE.dhcp,
        binary: 'neutron-dhcp-agent',
        topic: 'dhcp_agent',
        availability_zone: availabilityZone,
        configurations: { dhcp_driver: 'dnsmasq', dhcp_lease_duration: 86_400, log_agent_heartbeats: false },
      },
      {
        ...common,
        agent_type: AGENT_TYPE.l3,
        binary: 'neutron-l3-agent',
        topic: 'l3_agent',
        availability_zone: availabilityZone,
        configurations: { agent_mode: 'legacy', handle_internal_only_routers: true, log_agent_heartbeats: false },
      },
      {
        ...common,
        agent_type: AGENT_TYPE.metadata,
        binary: 'neutron-metadata-agent',
        topic: 'N/A',
        availability_zone: null,
        configurations: { log_agent_heartbeats: false },
      },
    ];
  }
}

function closed(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
