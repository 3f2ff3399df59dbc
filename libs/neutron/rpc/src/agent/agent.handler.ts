import { Controller, Inject } from '@nestjs/common';
import type { RequestContext } from '@nestack/kernel/context';
import { HandlesRpc, type RpcArgs, type RpcHandlers } from '@nestack/kernel/rpc';
import { AgentRpc, L3AgentRpc } from '@nestack/neutron/contract';
import { NeutronAgent } from '@nestack/neutron/domain';

type Methods = (typeof AgentRpc)['methods'];

/** Serves `q-agent-notifier.<host>` and the fanout: all of it only notes what is to be looked at. */
@Controller()
@HandlesRpc(AgentRpc, { queues: 'host' })
export class AgentHandler implements RpcHandlers<typeof AgentRpc> {
  constructor(@Inject(NeutronAgent) private readonly agent: NeutronAgent) {}

  async port_update(ctx: RequestContext, { port_id: portId }: RpcArgs<Methods['port_update']>) {
    this.agent.portChanged(ctx, portId);
    return null;
  }

  async port_delete(ctx: RequestContext, { port_id: portId }: RpcArgs<Methods['port_delete']>) {
    this.agent.portChanged(ctx, portId);
    return null;
  }

  async network_update(ctx: RequestContext, { network_id: networkId }: RpcArgs<Methods['network_update']>) {
    this.agent.networkChanged(ctx, networkId);
    return null;
  }

  async network_delete(ctx: RequestContext, { network_id: networkId }: RpcArgs<Methods['network_delete']>) {
    this.agent.networkChanged(ctx, networkId);
    return null;
  }

  async security_groups_rule_updated(
    ctx: RequestContext,
    { security_groups: ids }: RpcArgs<Methods['security_groups_rule_updated']>,
  ) {
    this.agent.groupsChanged(ctx, ids);
    return null;
  }

  async security_groups_member_updated(
    ctx: RequestContext,
    { security_groups: ids }: RpcArgs<Methods['security_groups_member_updated']>,
  ) {
    this.agent.groupsChanged(ctx, ids);
    return null;
  }

  async network_update_end(ctx: RequestContext, { network_id: networkId }: RpcArgs<Methods['network_update_end']>) {
    this.agent.dhcpNetworkChanged(ctx, networkId);
    return null;
  }

  async port_update_end(ctx: RequestContext, { port }: RpcArgs<Methods['port_update_end']>) {
    this.agent.dhcpPortChanged(ctx, port);
    return null;
  }

  async port_delete_end(ctx: RequestContext, args: RpcArgs<Methods['port_delete_end']>) {
    this.agent.dhcpPortDeleted(ctx, args.network_id, args.port_id);
    return null;
  }
}

/** Serves `l3_agent.<host>`. */
@Controller()
@HandlesRpc(L3AgentRpc, { queues: 'host' })
export class L3AgentHandler implements RpcHandlers<typeof L3AgentRpc> {
  constructor(@Inject(NeutronAgent) private readonly agent: NeutronAgent) {}

  async routers_updated(ctx: RequestContext, { routers }: RpcArgs<(typeof L3AgentRpc)['methods']['routers_updated']>) {
    this.agent.routersChanged(ctx, routers);
    return null;
  }
}
