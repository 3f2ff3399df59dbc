import { Controller, Inject } from '@nestjs/common';
import type { RequestContext } from '@nestack/kernel/context';
import { HandlesRpc, type RpcArgs, type RpcHandlers } from '@nestack/kernel/rpc';
import { SchedulerRpc } from '@nestack/nova/contract';
import { FilterScheduler } from '@nestack/nova/domain';

type Methods = (typeof SchedulerRpc)['methods'];

/** Serves the topic `scheduler`: where a server shall go. */
@Controller()
@HandlesRpc(SchedulerRpc)
export class SchedulerHandler implements RpcHandlers<typeof SchedulerRpc> {
  constructor(@Inject(FilterScheduler) private readonly scheduler: FilterScheduler) {}

  async select_destinations(ctx: RequestContext, args: RpcArgs<Methods['select_destinations']>) {
    const { alternates, ...selection } = await this.scheduler.select(ctx, args.request_spec, args.alternates);
    return { selection, alternates: [...alternates] };
  }
}
