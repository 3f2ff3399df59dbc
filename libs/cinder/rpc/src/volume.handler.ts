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

  async copy_volume_to_image(ctx: RequestContext, args: RpcArgs<Methods['copy_volume_to_image']>) {
    await this.manager.copyToImage(ctx, args.volume_id, args.image_id, args.disk_format);
    return null;
  }
}
