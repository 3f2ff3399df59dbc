import { Controller, Inject } from '@nestjs/common';
import type { RequestContext } from '@nestack/kernel/context';
import { HandlesRpc, type RpcArgs, type RpcHandlers } from '@nestack/kernel/rpc';
import { SchedulerRpc } from '@nestack/cinder/contract';
import { Scheduler } from '@nestack/cinder/domain';

/** Serves `scheduler`: any cinder-scheduler answers. */
@Controller()
@HandlesRpc(SchedulerRpc)
export class SchedulerHandler implements RpcHandlers<typeof SchedulerRpc> {
  constructor(@Inject(Scheduler) private readonly scheduler: Scheduler) {}

  async create_volume(ctx: RequestContext, args: RpcArgs<(typeof SchedulerRpc)['methods']['create_volume']>) {
    return { host: await this.scheduler.createVolume(ctx, args.volume_id, args.hints) };
  }

  async create_group(ctx: RequestContext, args: RpcArgs<(typeof SchedulerRpc)['methods']['create_group']>) {
    return { host: await this.scheduler.createGroup(ctx, args.group_id) };
  }

  async migrate_volume(ctx: RequestContext, args: RpcArgs<(typeof SchedulerRpc)['methods']['migrate_volume']>) {
    return { host: await this.scheduler.migrateVolume(ctx, args.volume_id, args.host, args.volume_type_id) };
  }

  async create_backup(ctx: RequestContext, args: RpcArgs<(typeof SchedulerRpc)['methods']['create_backup']>) {
    return { host: await this.scheduler.createBackup(ctx, args.backup_id) };
  }
}
