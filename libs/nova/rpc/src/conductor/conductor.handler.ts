import { Controller, Inject } from '@nestjs/common';
import type { RequestContext } from '@nestack/kernel/context';
import { HandlesRpc, type RpcArgs, type RpcHandlers } from '@nestack/kernel/rpc';
import { ConductorRpc, type PowerState } from '@nestack/nova/contract';
import { ComputeHosts } from '@nestack/nova/domain';

type Methods = (typeof ConductorRpc)['methods'];

/** Serves the topic `conductor`: what compute hosts report and ask. */
@Controller()
@HandlesRpc(ConductorRpc)
export class ConductorHandler implements RpcHandlers<typeof ConductorRpc> {
  constructor(@Inject(ComputeHosts) private readonly hosts: ComputeHosts) {}

  async compute_host_up(ctx: RequestContext, { host, facts }: RpcArgs<Methods['compute_host_up']>) {
    return { compute_node_uuid: await this.hosts.up(ctx, host, facts) };
  }

  async report_service_state(_ctx: RequestContext, args: RpcArgs<Methods['report_service_state']>) {
    await this.hosts.beat(args.host, args.binary, args.topic);
    return null;
  }

  instances_of_host(_ctx: RequestContext, { host, present }: RpcArgs<Methods['instances_of_host']>) {
    return this.hosts.guests(host, present);
  }

  async guest_wanted(_ctx: RequestContext, args: RpcArgs<Methods['guest_wanted']>) {
    const { host, instance_uuid: guest, migration_uuid: migration } = args;
    return {
      wanted: await (migration === undefined
        ? this.hosts.wants(host, guest)
        : this.hosts.wantsMigration(host, migration)),
    };
  }

  async power_state_changed(ctx: RequestContext, args: RpcArgs<Methods['power_state_changed']>) {
    const at = new Date(/Z$/.test(args.at) ? args.at : `${args.at}Z`);
    await this.hosts.powerChanged(ctx, args.host, args.instance_uuid, args.power_state as PowerState, at);
    return null;
  }
}
