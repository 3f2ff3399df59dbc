import type { RequestContext } from '@nestack/kernel/context';
import type { SecurityGroupDetail } from './cloud';

/** A floating IP in neutron's own form. */
export interface FloatingIp {
  readonly id: string;
  readonly floating_ip_address: string;
  readonly floating_network_id: string;
  readonly fixed_ip_address: string | null;
  readonly port_id: string | null;
  /** The server (or router) behind it; null while it leads nowhere. */
  readonly port_details: { readonly device_id: string } | null;
}

/** An external network. */
export interface FloatingPool {
  readonly id: string;
  readonly name: string;
}

/** What a new rule for incoming packets says, in neutron's words. */
export interface NewRule {
  readonly security_group_id: string;
  readonly protocol: string | null;
  readonly port_range_min: number | null;
  readonly port_range_max: number | null;
  readonly remote_ip_prefix: string | null;
  readonly remote_group_id: string | null;
}

/** Neutron behind nova's older network APIs, with the caller's own rights; refusals are neutron's. */
export interface NetworkProxyPort {
  pools(ctx: RequestContext): Promise<readonly FloatingPool[]>;
  /** Those of the caller's project. */
  floatingIps(ctx: RequestContext): Promise<readonly FloatingIp[]>;
  floatingIp(ctx: RequestContext, id: string): Promise<FloatingIp | null>;
  floatingIpsAt(ctx: RequestContext, address: string): Promise<readonly FloatingIp[]>;
  allocate(ctx: RequestContext, networkId: string): Promise<FloatingIp>;
  associate(
    ctx: RequestContext,
    id: string,
    to: { readonly port_id: string; readonly fixed_ip_address: string } | null,
  ): Promise<void>;
  /** The addresses of a port from now on; one without `ip_address` is any of its subnet. */
  setFixedIps(
    ctx: RequestContext,
    portId: string,
    ips: readonly { readonly subnet_id: string; readonly ip_address?: string }[],
  ): Promise<void>;
  /** False when it is gone already. */
  release(ctx: RequestContext, id: string): Promise<boolean>;
  /** Groups of the caller's project, or of all that the caller may see. */
  groups(ctx: RequestContext, allProjects: boolean): Promise<readonly SecurityGroupDetail[]>;
  group(ctx: RequestContext, id: string): Promise<SecurityGroupDetail | null>;
  createGroup(ctx: RequestContext, group: GroupText): Promise<SecurityGroupDetail>;
  updateGroup(ctx: RequestContext, id: string, group: GroupText): Promise<SecurityGroupDetail>;
  deleteGroup(ctx: RequestContext, id: string): Promise<void>;
  createRule(ctx: RequestContext, rule: NewRule): Promise<{ readonly id: string }>;
  /** False when there is none. */
  deleteRule(ctx: RequestContext, id: string): Promise<boolean>;
}

export interface GroupText {
  readonly name: string;
  readonly description: string;
}

export const NETWORK_PROXY_PORT = Symbol('NetworkProxyPort');
