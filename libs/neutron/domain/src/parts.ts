import type { Clock } from '@nestack/kernel/clock';
import type { RequestContext, TransactionRunner } from '@nestack/kernel/context';
import type {
  AddressScopeRepository,
  AgentRepository,
  FloatingIpRepository,
  HostRepository,
  Messages,
  NetworkRepository,
  PortForwardingRepository,
  PortRepository,
  QuotaRepository,
  RbacRepository,
  RouterRepository,
  SecurityGroupRepository,
  SecurityGroupRuleRepository,
  SubnetPoolRepository,
  SubnetRepository,
} from './ports';
import type { QuotaResource } from '@nestack/neutron/contract';

/** Policy as use cases ask it; the kernel's enforcer has this form. */
export interface NetworkPolicy {
  allows(ctx: RequestContext, rule: string, target?: Readonly<Record<string, unknown>>): boolean;
}

export interface NeutronSettings {
  /** Who wires ports: agents with Linux bridges, or nobody (`fake`, where an agent may be but need not). */
  readonly mechanism: 'linuxbridge' | 'fake';
  /** Type of the networks for which none is named. */
  readonly tenantNetworkType: 'vxlan' | 'vlan' | 'local';
  /** Tunnel ids to give away. */
  readonly vni: { readonly from: number; readonly to: number };
  /** Physical networks that flat networks may be on; `*` for any. */
  readonly flatNetworks: readonly string[];
  /** VLANs to give away by physical network; without a range only those that an administrator names. */
  readonly vlanRanges: readonly { readonly physical: string; readonly from: number; readonly to: number }[];
  /** Bytes that the hosts' network carries. */
  readonly pathMtu: number;
  /** With a dot at its end: the domain of ports' names. */
  readonly dnsDomain: string;
  /** First three bytes of the MAC addresses given out. */
  readonly baseMac: string;
  readonly maxNameservers: number;
  readonly maxHostRoutes: number;
  readonly maxRoutes: number;
  readonly maxAddressPairs: number;
  readonly quotas: Readonly<Record<QuotaResource, number>>;
}

/** What the use cases share. */
export interface NeutronParts {
  readonly db: TransactionRunner;
  readonly clock: Clock;
  readonly policy: NetworkPolicy;
  readonly settings: NeutronSettings;
  readonly messages: Messages;
  readonly networks: NetworkRepository;
  readonly subnets: SubnetRepository;
  readonly ports: PortRepository;
  readonly groups: SecurityGroupRepository;
  readonly rules: SecurityGroupRuleRepository;
  readonly pools: SubnetPoolRepository;
  readonly scopes: AddressScopeRepository;
  readonly routers: RouterRepository;
  readonly floatingIps: FloatingIpRepository;
  readonly forwardings: PortForwardingRepository;
  readonly rbac: RbacRepository;
  readonly agents: AgentRepository;
  readonly quotas: QuotaRepository;
  readonly hosts: HostRepository;
}
