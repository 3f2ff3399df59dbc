import { Controller, Inject } from '@nestjs/common';
import type { RequestContext } from '@nestack/kernel/context';
import { HandlesRpc, type RpcArgs, type RpcHandlers } from '@nestack/kernel/rpc';
import { BackupRpc } from '@nestack/cinder/contract';
import { BackupManager } from '@nestack/cinder/domain';

type Methods = (typeof BackupRpc)['methods'];

/** Serves `backup.<host>`. */
@Controller()
@HandlesRpc(BackupRpc, { queues: 'host' })
export class BackupHandler implements RpcHandlers<typeof BackupRpc> {
  constructor(@Inject(BackupManager) private readonly manager: BackupManager) {}

  async create_backup(ctx: RequestContext, args: RpcArgs<Methods['create_backup']>) {
    return { ...(await this.manager.create(ctx, args.backup_id, args.path)) };
  }

  async restore_backup(ctx: RequestContext, args: RpcArgs<Methods['restore_backup']>) {
    return { volume_meta: await this.manager.restore(ctx, args.backup_id, args.path, args.volume_is_new) };
  }

  async delete_backup(ctx: RequestContext, args: RpcArgs<Methods['delete_backup']>) {
    await this.manager.remove(ctx, args.backup_id);
    return null;
  }
}
