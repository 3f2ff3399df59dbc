import { readFileSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { DeviceDetails, DhcpNetwork, NetworkInfo, RouterInfo, SecurityGroupInfo } from '@nestack/neutron/contract';
import type {
  Dataplane,
  DhcpDataplane,
  FirewallDataplane,
  L2Dataplane,
  MetadataProxy,
  RouterDataplane,
} from '@nestack/neutron/domain';

export interface FakeDataplaneOptions {
  /** Null keeps the state in memory alone. */
  readonly stateFile: string | null;
  /** Milliseconds that wiring a port takes. */
  readonly delayMs?: number;
  /** Share of wirings that fail, 0 to 1. */
  readonly failureRate?: number;
}

export interface FakeState {
  networks: Record<string, NetworkInfo>;
  ports: Record<string, DeviceDetails>;
  dhcp: Record<string, { readonly dhcp_port_id: string; readonly ports: readonly string[] }>;
  routers: Record<string, RouterInfo>;
}

const SAVE_MS = 200;

/**
 * The data plane without a kernel: keeps the same state (in a file, so that it outlives the process), wires every port that is
 * bound to the host at once, and can be slow or fail.
 */
export class FakeDataplane implements Dataplane {
  readonly state: FakeState;
  readonly l2: L2Dataplane;
  readonly firewall: FirewallDataplane;
  readonly dhcp: DhcpDataplane;
  readonly routers: RouterDataplane;
  readonly metadata: MetadataProxy = { start: async () => undefined, close: async () => undefined };
  private timer: NodeJS.Timeout | null = null;

  constructor(private readonly options: FakeDataplaneOptions) {
    this.state = load(options.stateFile);
    this.l2 = this.makeL2();
    this.firewall = this.makeFirewall();
    this.dhcp = this.makeDhcp();
    this.routers = this.makeRouters();
  }

  private makeL2(): L2Dataplane {
    const { state } = this;
    return {
      start: async () => undefined,
      devices: async () => Object.values(state.ports).map((port) => port.device),
      ensureNetwork: async (network) => {
        state.networks[network.id] = network;
        this.changed();
      },
      absentNetwork: async (networkId) => {
        delete state.networks[networkId];
        this.changed();
      },
      ensurePort: async (port) => {
        await delay(this.options.delayMs ?? 0);
        if (Math.random() < (this.options.failureRate ?? 0))
          throw new Error('the fake data plane fails as it was told');
        state.ports[port.port_id] = port;
        this.changed();
        return true;
      },
      absentPort: async (port) => {
        delete state.ports[port.port_id];
        this.changed();
      },
      networks: async () => Object.keys(state.networks),
      close: () => this.save(),
    };
  }

  private makeFirewall(): FirewallDataplane {
    const { state } = this;
    return {
      filtering: false,
      replaceAll: async (ports: readonly DeviceDetails[], _groups: readonly SecurityGroupInfo[]) => {
        const kept = new Set(ports.map((port) => port.port_id));
        for (const id of Object.keys(state.ports)) if (!kept.has(id)) delete state.ports[id];
        this.changed();
      },
      ensurePort: async () => undefined,
      absentPort: async (portId) => {
        delete state.ports[portId];
        this.changed();
      },
      ensureGroups: async () => undefined,
      absentGroups: async () => undefined,
    };
  }

  private makeDhcp(): DhcpDataplane {
    const { state } = this;
    const serve = async (network: DhcpNetwork): Promise<void> => {
      state.dhcp[network.network.id] = {
        dhcp_port_id: network.dhcp_port_id,
        ports: network.ports.map((port) => port.id),
      };
      this.changed();
    };
    return {
      ensureDhcp: serve,
      ensurePorts: serve,
      absentDhcp: async (networkId) => {
        delete state.dhcp[networkId];
        this.changed();
      },
      sweep: async (networkIds) => {
        for (const id of Object.keys(state.dhcp)) if (!networkIds.has(id)) delete state.dhcp[id];
        this.changed();
      },
      close: async () => undefined,
    };
  }

  private makeRouters(): RouterDataplane {
    const { state } = this;
    return {
      ensureRouter: async (router) => {
        state.routers[router.id] = router;
        this.changed();
      },
      absentRouter: async (routerId) => {
        delete state.routers[routerId];
        this.changed();
      },
      sweep: async (routerIds) => {
        for (const id of Object.keys(state.routers)) if (!routerIds.has(id)) delete state.routers[id];
        this.changed();
      },
      close: async () => undefined,
    };
  }

  /** Saves soon: many changes come together. */
  private changed(): void {
    if (this.options.stateFile === null || this.timer !== null) return;
    this.timer = setTimeout(() => {
      this.timer = null;
      void this.save().catch(() => undefined);
    }, SAVE_MS);
    this.timer.unref();
  }

  private async save(): Promise<void> {
    const { stateFile } = this.options;
    if (stateFile === null) return;
    await mkdir(path.dirname(stateFile), { recursive: true });
    await writeFile(`${stateFile}.new`, JSON.stringify(this.state));
    await rename(`${stateFile}.new`, stateFile);
  }
}

function load(stateFile: string | null): FakeState {
  const empty: FakeState = { networks: {}, ports: {}, dhcp: {}, routers: {} };
  if (stateFile !== null) {
    try {
      return { ...empty, ...(JSON.parse(readFileSync(stateFile, 'utf8')) as Partial<FakeState>) };
    } catch {
      // There is none yet, or a cut one: the next full synchronisation fills it.
    }
  }
  return empty;
}
