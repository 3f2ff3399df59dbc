import { Controller, Inject } from '@nestjs/common';
import type { RequestContext } from '@nestack/kernel/context';
import { HandlesRpc, type RpcArgs, type RpcHandlers } from '@nestack/kernel/rpc';
import { VolumeRpc } from '@nestack/cinder/contract';
import { VolumeManager } from '@nestack/cinder/domain';

type Methods = (typeof VolumeRpc)['methods'];

/** Serves `volume.<host>`. */
@Controller()
@HandlesRpc(VolumeRpc, { queues: 'host' })
export class VolumeHandler implements RpcHandlers<typeof VolumeRpc> {
  constructor(@Inject(VolumeManager) private readonly manager: VolumeManager) {}

  async create_volume(ctx: RequestContext, args: RpcArgs<Methods['create_volume']>) {
    const metadata = await this.manager.createVolume(ctx, args.volume_id);
    return { image_metadata: metadata === null ? null : { ...metadata } };
  }

  async delete_volume(ctx: RequestContext, args: RpcArgs<Methods['delete_volume']>) {
    await this.manager.deleteVolume(ctx, args.volume_id);
    return null;
  }

  async reimage(ctx: RequestContext, args: RpcArgs<Methods['reimage']>) {
    return { image_metadata: { ...(await this.manager.reimage(ctx, args.volume_id, args.image_id)) } };
  }

  async extend_volume(ctx: RequestContext, args: RpcArgs<Methods['extend_volume']>) {
    await this.manager.extendVolume(ctx, args.volume_id, args.new_size);
    return null;
  }

  initialize_connection(ctx: RequestContext, args: RpcArgs<Methods['initialize_connection']>) {
    return this.manager.initializeConnection(ctx, args.volume_id, args.connector);
  }

  async terminate_connection(ctx: RequestContext, args: RpcArgs<Methods['terminate_connection']>) {
    await this.manager.terminateConnection(ctx, args.volume_id);
    return null;
  }

  async create_snapshot(ctx: RequestContext, args: RpcArgs<Methods['create_snapshot']>) {
    await this.manager.createSnapshot(ctx, args.snapshot_id);
    return null;
  }

  async delete_snapshot(ctx: RequestContext, args: RpcArgs<Methods['delete_snapshot']>) {
    await this.manager.deleteSnapshot(ctx, args.snapshot_id);
    return null;
  }

  async create_group_snapshot(ctx: RequestContext, args: RpcArgs<Methods['create_group_snapshot']>) {
    await this.manager.createGroupSnapshot(ctx, args.group_snapshot_id);
    return null;
  }

  async revert_to_snapshot(ctx: RequestContext, args: RpcArgs<Methods['revert_to_snapshot']>) {
    await this.manager.revertToSnapshot(ctx, args.volume_id, args.snapshot_id);
    return null;
  }

  async migrate_volume(ctx: RequestContext, args: RpcArgs<Methods['migrate_volume']>) {
    await this.manager.migrateVolume(ctx, args.volume_id, args.host);
    return null;
  }

  async delete_volume_copy(ctx: RequestContext, args: RpcArgs<Methods['delete_volume_copy']>) {
    await this.manager.deleteVolumeCopy(ctx, args.volume_id, args.host);
    return null;
  }

  async manage_existing_get_size(_ctx: RequestContext, args: RpcArgs<Methods['manage_existing_get_size']>) {
    return { size: await this.manager.manageExistingSize(args.host, 'volume', args.name) };
  }

  async manage_existing(ctx: RequestContext, args: RpcArgs<Methods['manage_existing']>) {
    await this.manager.manageExisting(ctx, args.volume_id, args.name);
    return null;
  }

  async manage_existing_snapshot(ctx: RequestContext, args: RpcArgs<Methods['manage_existing_snapshot']>) {
    await this.manager.manageExistingSnapshot(ctx, args.snapshot_id, args.name);
    return null;
  }

  async get_manageable(_ctx: RequestContext, args: RpcArgs<Methods['get_manageable']>) {
    return (await this.manager.manageable(args.host, args.kind)).map((one) => ({ ...one }));
  }

  async get_backup_device(ctx: RequestContext, args: RpcArgs<Methods['get_backup_device']>) {
    return { path: await this.manager.openForBackup(ctx, args.backup_id) };
  }

  async remove_backup_device(ctx: RequestContext, args: RpcArgs<Methods['remove_backup_device']>) {
    await this.manager.closeAfterBackup(ctx, args.backup_id);
    return null;
  }

  async get_restore_device(ctx: RequestContext, args: RpcArgs<Methods['get_restore_device']>) {
    return { path: await this.manager.openForRestore(ctx, args.volume_id) };
  }

  async remove_restore_device(ctx: RequestContext, args: RpcArgs<Methods['remove_restore_device']>) {
    await this.manager.closeAfterRestore(ctx, args.volume_id);
    return null;
  }

  async copy_volume_to_image(ctx: RequestContext, args: RpcArgs<Methods['copy_volume_to_image']>) {
    await this.manager.copyToImage(ctx, args.volume_id, args.image_id, args.disk_format);
    return null;
  }
}
