import type { DeviceDetails, DhcpNetwork, NetworkInfo, RouterInfo, SecurityGroupInfo } from '@nestack/neutron/contract';

/** What a host's data plane tells its agent. */
export interface DataplaneEvents {
  /** A tap of a port (`tap` + 11 characters) appeared on the host. */
  onDevice(device: string): void;
  onDeviceGone(device: string): void;
}

/**
 * The wires of one host. Every method makes what it names true and may be repeated: it looks, acts where something differs,
 * and looks again. Implementations: Linux bridge, and `fake`.
 */
export interface L2Dataplane {
  /** Begins to watch for taps. */
  start(events: DataplaneEvents): Promise<void>;
  /** Taps of ports that exist on the host now. */
  devices(): Promise<readonly string[]>;
  /** The network's bridge, its VXLAN device and the way to the other hosts. */
  ensureNetwork(network: NetworkInfo): Promise<void>;
  absentNetwork(networkId: string): Promise<void>;
  /** Puts the port's tap into its bridge; false while there is no tap yet. */
  ensurePort(port: DeviceDetails): Promise<boolean>;
  /** Takes the port's tap out of its bridge; the tap itself belongs to whoever made it. */
  absentPort(port: DeviceDetails): Promise<void>;
  /** Ids of the networks that are on the host, those left over from an earlier run included. */
  networks(): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** Security groups and anti-spoofing of one host. */
export interface FirewallDataplane {
  /** False when nothing is filtered (fake): nobody needs to ask for groups then. */
  readonly filtering: boolean;
  /** Replaces everything in one transaction. */
  replaceAll(ports: readonly DeviceDetails[], groups: readonly SecurityGroupInfo[]): Promise<void>;
  /** Filters one port; its groups and those that their rules refer to must be known. */
  ensurePort(port: DeviceDetails): Promise<void>;
  absentPort(portId: string): Promise<void>;
  /** Takes new rules and members over, for all ports that they touch. */
  ensureGroups(groups: readonly SecurityGroupInfo[]): Promise<void>;
  /** Forgets groups that no port is in and no rule refers to. */
  absentGroups(groupIds: readonly string[]): Promise<void>;
}

/** DHCP and the way to the metadata service, per network. */
export interface DhcpDataplane {
  ensureDhcp(network: DhcpNetwork): Promise<void>;
  /** Takes other ports over on a network that is served already; quicker than the whole. */
  ensurePorts(network: DhcpNetwork): Promise<void>;
  absentDhcp(networkId: string): Promise<void>;
  /** Removes servers left over from before, except those of these networks. */
  sweep(networkIds: ReadonlySet<string>): Promise<void>;
  /** Ends the processes; bridges and namespaces stay. */
  close(): Promise<void>;
}

/** Routers of one host. */
export interface RouterDataplane {
  /** Its ports, routes, address translation and floating IPs; its networks are on the host already. */
  ensureRouter(router: RouterInfo): Promise<void>;
  absentRouter(routerId: string): Promise<void>;
  /** Removes routers left over from before, except these. */
  sweep(routerIds: ReadonlySet<string>): Promise<void>;
  /** Ends the processes; routers go on routing. */
  close(): Promise<void>;
}

/** Which port asks the metadata service. */
export interface MetadataCaller {
  readonly port_id: string;
  readonly device_id: string;
  readonly project_id: string;
}

/** By way of which network's DHCP namespace or which router a guest asks, and from which address. */
export interface MetadataRequest {
  readonly network_id: string | null;
  readonly router_id: string | null;
  readonly address: string;
}

/** Finds the port that asks; null when there is none. */
export type MetadataResolver = (request: MetadataRequest) => Promise<MetadataCaller | null>;

export interface MetadataProxy {
  start(resolve: MetadataResolver): Promise<void>;
  close(): Promise<void>;
}

export interface Dataplane {
  readonly l2: L2Dataplane;
  readonly firewall: FirewallDataplane;
  readonly dhcp: DhcpDataplane;
  readonly routers: RouterDataplane;
  readonly metadata: MetadataProxy;
}
