import type { Tx } from '@nestack/kernel/context';
import type {
  DeviceDetails,
  FixedIp,
  QuotaResource,
  RbacObjectType,
  SecurityGroupInfo,
} from '@nestack/neutron/contract';
import type {
  AddressScope,
  Agent,
  FloatingIp,
  ListQuery,
  Network,
  Port,
  PortBinding,
  PortForwarding,
  RbacPolicy,
  Router,
  SecurityGroup,
  SecurityGroupRule,
  Subnet,
  SubnetPool,
  Viewer,
} from '../model';

/**
 * How a row is held until the transaction ends: `use` lets others use and change it but not remove it, `change` is for one at a
 * time, `remove` waits for all who use it.
 */
export type RowLock = 'use' | 'change' | 'remove';

/** What can be done with rows of every kind of resource. */
export interface ResourceRepository<T> {
  /** Null when there is none that the viewer may see. */
  find(tx: Tx, id: string, viewer: Viewer, options?: { readonly lock?: RowLock }): Promise<T | null>;
  findAll(tx: Tx, ids: readonly string[], viewer: Viewer, options?: { readonly lock?: RowLock }): Promise<T[]>;
  /** `after` is the resource that the marker names. */
  list(tx: Tx, viewer: Viewer, query: ListQuery, after?: T | null): Promise<T[]>;
  /** False when a unique index forbids it. Computed attributes are ignored. */
  insert(tx: Tx, entity: T): Promise<boolean>;
  /** Writes some attributes and counts the revision up; false when a unique index forbids it. */
  update(tx: Tx, id: string, patch: Partial<T>, at: Date): Promise<boolean>;
  /** How many rows there were to delete. */
  remove(tx: Tx, id: string): Promise<number>;
}

export interface NetworkRepository extends ResourceRepository<Network> {
  /** A tunnel id that no network has; null when all of the range are taken. */
  freeTunnel(tx: Tx, range: { readonly from: number; readonly to: number }): Promise<number | null>;
  freeVlan(
    tx: Tx,
    physicalNetwork: string,
    range: { readonly from: number; readonly to: number },
  ): Promise<number | null>;
  /** Projects other than this one that have ports or subnets on the network. */
  usedByOthers(tx: Tx, networkId: string, projectId: string): Promise<boolean>;
  /** Whether routers have their gateway on the network. */
  hasGateways(tx: Tx, networkId: string): Promise<boolean>;
  /** Tunnel addresses of the hosts that have ports of the network. */
  tunnelEndpoints(tx: Tx, networkIds: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>>;
  /** How many addresses networks have and how many are taken, subnet by subnet. */
  availability(
    tx: Tx,
    networkIds: readonly string[],
  ): Promise<
    readonly {
      readonly network_id: string;
      readonly subnet_id: string;
      readonly subnet_name: string;
      readonly cidr: string;
      readonly ip_version: number;
      readonly used_ips: number;
      readonly pools: readonly { readonly start: string; readonly end: string }[];
    }[]
  >;
}

export interface SubnetRepository extends ResourceRepository<Subnet> {
  /** Oldest first. */
  ofNetwork(tx: Tx, networkId: string): Promise<Subnet[]>;
  setPools(tx: Tx, subnetId: string, pools: readonly { readonly start: string; readonly end: string }[]): Promise<void>;
  /** Ports that have an address of the subnet, with that address. */
  users(
    tx: Tx,
    subnetId: string,
  ): Promise<readonly { readonly port_id: string; readonly device_owner: string; readonly ip_address: string }[]>;
  /** The port that has this address on the subnet. */
  holder(tx: Tx, subnetId: string, ip: string): Promise<string | null>;
  /** Prefixes of a pool's subnets; holds a lock on the pool. */
  prefixesOfPool(tx: Tx, poolId: string): Promise<readonly { readonly cidr: string; readonly project_id: string }[]>;
}

export interface PortRepository extends ResourceRepository<Port> {
  /** Takes the next free address of a subnet; null when there is none. */
  takeAddress(tx: Tx, subnetId: string, portId: string, ordinal: number): Promise<string | null>;
  /** Takes this address; false when it is taken. */
  takeThisAddress(tx: Tx, subnetId: string, portId: string, ordinal: number, ip: string): Promise<boolean>;
  releaseAddress(tx: Tx, portId: string, subnetId: string, ip: string): Promise<void>;
  setOrdinals(tx: Tx, portId: string, ips: readonly FixedIp[]): Promise<void>;
  /** Of a new port. */
  addSecurityGroups(tx: Tx, portId: string, groupIds: readonly string[]): Promise<void>;
  setSecurityGroups(tx: Tx, portId: string, groupIds: readonly string[]): Promise<void>;
  /**
   * Who has to know of a port: hosts of the network's DHCP servers, those of the groups that some rule refers to, and whether one
   * of these hosts carries the network for this port alone (it is new there, or goes with it).
   */
  audience(
    tx: Tx,
    about: {
      readonly network_id: string;
      readonly port_id: string;
      readonly groups: readonly string[];
      readonly hosts: readonly string[];
    },
  ): Promise<{ readonly dhcpHosts: readonly string[]; readonly groups: readonly string[]; readonly spread: boolean }>;
  /** Ports of a network, of one owner if one is named. */
  onNetwork(tx: Tx, networkId: string, owner?: string): Promise<Port[]>;
  /** Sets the status of a port that is bound to the host; the port if that was a change. */
  setStatus(tx: Tx, portId: string, host: string, status: 'ACTIVE' | 'DOWN', at: Date): Promise<Port | null>;
  bindings(tx: Tx, portId: string): Promise<PortBinding[]>;
  insertBinding(tx: Tx, binding: PortBinding): Promise<boolean>;
  updateBinding(tx: Tx, binding: PortBinding): Promise<void>;
  removeBinding(tx: Tx, portId: string, host: string): Promise<boolean>;
}

export interface SecurityGroupRepository extends ResourceRepository<SecurityGroup> {
  /** The project's default group, if it has one by now. */
  defaultOf(tx: Tx, projectId: string): Promise<string | null>;
  /** One project's default group is made by one at a time: holds until the transaction ends. */
  lockDefault(tx: Tx, projectId: string): Promise<void>;
  inUse(tx: Tx, groupId: string): Promise<boolean>;
  /** Groups with a rule whose other side is this one. */
  referring(tx: Tx, groupId: string): Promise<string[]>;
  rulesOf(tx: Tx, groupIds: readonly string[]): Promise<SecurityGroupRule[]>;
}

export interface SecurityGroupRuleRepository extends ResourceRepository<SecurityGroupRule> {
  insertAll(tx: Tx, rules: readonly SecurityGroupRule[]): Promise<number>;
  /** The id of the rule that equals this one. */
  equal(tx: Tx, rule: SecurityGroupRule): Promise<string | null>;
}

export interface RbacRepository extends ResourceRepository<RbacPolicy> {
  /** Makes an object shared with everybody, or no longer. */
  share(
    tx: Tx,
    object: { readonly type: RbacObjectType; readonly id: string; readonly project_id: string },
    action: string,
    shared: boolean,
  ): Promise<void>;
  removeOf(tx: Tx, objectId: string): Promise<void>;
  /** Other projects than the owner whose use depends on a policy like this one. */
  dependents(tx: Tx, policy: RbacPolicy, owner: string): Promise<string[]>;
  /** Policies of an object, for the same action. */
  ofObject(tx: Tx, objectId: string, action: string): Promise<RbacPolicy[]>;
}

export type SubnetPoolRepository = ResourceRepository<SubnetPool> & {
  /** The default pool of a family. */
  default(tx: Tx, version: 4 | 6): Promise<SubnetPool | null>;
  ofScope(tx: Tx, scopeId: string): Promise<SubnetPool[]>;
  inUse(tx: Tx, poolId: string): Promise<boolean>;
};
export type AddressScopeRepository = ResourceRepository<AddressScope>;

export interface RouterRepository extends ResourceRepository<Router> {
  interfaces(tx: Tx, routerId: string): Promise<Port[]>;
  /** Interfaces and the gateway's port. */
  allPorts(tx: Tx, routerId: string): Promise<Port[]>;
  addInterface(tx: Tx, routerId: string, portId: string): Promise<void>;
  removeInterface(tx: Tx, portId: string): Promise<void>;
  /** The router that a port belongs to, as interface or gateway. */
  ofPort(tx: Tx, portId: string): Promise<string | null>;
  /** Routers with an interface on the subnet, and a gateway on the external network. */
  betweenSubnetAndNetwork(tx: Tx, subnetId: string, externalNetworkId: string): Promise<string | null>;
  /** Routers that have a port (gateway or interface) on the subnet. */
  onSubnet(tx: Tx, subnetId: string): Promise<string[]>;
}

export interface PortForwardingRepository extends ResourceRepository<PortForwarding> {
  ofFloatingIps(tx: Tx, ids: readonly string[]): Promise<PortForwarding[]>;
  ofPort(tx: Tx, portId: string): Promise<PortForwarding[]>;
}

export interface AutoAllocatedTopologyRepository {
  /** Of a project; `lock` holds until the transaction ends whether there is one or not. */
  find(
    tx: Tx,
    projectId: string,
    options?: { readonly lock?: boolean },
  ): Promise<{ readonly network_id: string; readonly router_id: string | null } | null>;
  insert(
    tx: Tx,
    topology: { readonly project_id: string; readonly network_id: string; readonly router_id: string },
  ): Promise<void>;
}

export interface FloatingIpRepository extends ResourceRepository<FloatingIp> {
  ofPort(tx: Tx, portId: string): Promise<FloatingIp[]>;
  ofRouter(tx: Tx, routerId: string): Promise<FloatingIp[]>;
}

export interface AgentRepository {
  /** Makes or renews the agent's row; whether it is new or came back from the dead. */
  report(
    tx: Tx,
    state: Omit<Agent, 'id' | 'alive' | 'admin_state_up' | 'description' | 'created_at' | 'started_at'> & {
      readonly starts: boolean;
    },
  ): Promise<{ readonly id: string; readonly changed: boolean }>;
  list(tx: Tx): Promise<Agent[]>;
  find(tx: Tx, id: string): Promise<Agent | null>;
  update(
    tx: Tx,
    id: string,
    patch: { readonly admin_state_up?: boolean; readonly description?: string | null },
  ): Promise<void>;
  remove(tx: Tx, id: string): Promise<void>;
  /**
   * Whether a living agent of the type is on the host, and whether that reaches the network: any but one on a physical network
   * that its bridge mappings do not name.
   */
  wirerOn(
    tx: Tx,
    type: string,
    host: string,
    networkId: string,
  ): Promise<{ readonly living: boolean; readonly reaches: boolean }>;

  /** Waits for those who found nobody to serve what they make, so that it is seen from here on. */
  lockScheduling(tx: Tx): Promise<void>;

  /** Networks that DHCP agents serve. */
  dhcpNetworks(tx: Tx, agentId: string): Promise<string[]>;
  dhcpAgents(tx: Tx, networkId: string): Promise<Agent[]>;
  bindDhcp(tx: Tx, networkId: string, agentId: string): Promise<boolean>;
  unbindDhcp(tx: Tx, networkId: string, agentId: string): Promise<boolean>;
  /** Networks with DHCP that nobody serves. */
  networksWithoutDhcp(tx: Tx): Promise<string[]>;
  /**
   * The living agent with the fewest networks, of one of the zones if any are named; null without one. Agents of hosts on the
   * physical network come first, when one is named: others cannot reach the network's ports.
   */
  pickDhcp(tx: Tx, zones: readonly string[], physicalNetwork: string | null): Promise<Agent | null>;

  /** What dead agents serve, while others of their kind live. */
  dhcpOfDead(tx: Tx): Promise<readonly { readonly network_id: string; readonly agent_id: string }[]>;
  l3OfDead(tx: Tx): Promise<readonly { readonly router_id: string; readonly agent_id: string }[]>;

  l3Routers(tx: Tx, agentId: string): Promise<string[]>;
  l3Agent(tx: Tx, routerId: string): Promise<Agent | null>;
  bindL3(tx: Tx, routerId: string, agentId: string): Promise<boolean>;
  unbindL3(tx: Tx, routerId: string): Promise<void>;
  routersWithoutL3(tx: Tx): Promise<string[]>;
  pickL3(tx: Tx, zones: readonly string[]): Promise<Agent | null>;
}

export interface QuotaRepository {
  /** The project's own limits. */
  limits(tx: Tx, projectId: string): Promise<Partial<Record<QuotaResource, number>>>;
  allLimits(tx: Tx): Promise<ReadonlyMap<string, Partial<Record<QuotaResource, number>>>>;
  usage(tx: Tx, projectId: string): Promise<Partial<Record<QuotaResource, number>>>;
  setLimits(tx: Tx, projectId: string, limits: Partial<Record<QuotaResource, number>>): Promise<void>;
  /** False when it had none. */
  removeLimits(tx: Tx, projectId: string): Promise<boolean>;
  /** Usage and own limit of some resources, after what this transaction inserted. */
  standing(
    tx: Tx,
    projectId: string,
    resources: readonly QuotaResource[],
  ): Promise<readonly { readonly resource: QuotaResource; readonly used: number; readonly limit: number | null }[]>;
}

/** What agents read. */
export interface HostRepository {
  /** Ports that are bound to a host; those named by id or tap when any are. */
  devices(tx: Tx, host: string, names: readonly string[] | null): Promise<DeviceDetails[]>;
  /** Rules and members of groups. */
  groups(tx: Tx, groupIds: readonly string[]): Promise<SecurityGroupInfo[]>;
}
