import type { RequestContext } from '@nestack/kernel/context';
import { CinderError, type VolumeStatus } from '@nestack/cinder/contract';
import { enforceOn, findVolume } from './access';
import { assertImageFits } from './create-volume';
import type { CinderParts } from './ports';

/** Volumes whose content is replaced by that of an image. upstream: cinder/volume/api.py reimage */
export class Reimages {
  constructor(private readonly parts: CinderParts) {}

  /** Of one that is not attached; with `reserved` also of one that is kept for a server, which is told then. */
  async reimage(ctx: RequestContext, id: string, imageId: string, reserved: boolean): Promise<void> {
    const { parts } = this;
    const volume = await parts.db.read('volume.show', (tx) => findVolume(parts, ctx, tx, id));
    const rule = volume.status === 'reserved' ? 'volume:reimage_reserved' : 'volume:reimage';
    enforceOn(parts.policy, ctx, rule, volume);
    const image = await parts.images.get(ctx, imageId, 'user');
    if (image === null) throw CinderError.ImageNotFound({ image_id: imageId });
    if (image.status !== 'active') throw CinderError.InvalidInput({ reason: `Image ${imageId} is not active.` });
    await parts.db.run('volume.reimage', async (tx) => {
      const locked = await findVolume(parts, ctx, tx, id, { lock: true });
      enforceOn(parts.policy, ctx, locked.status === 'reserved' ? 'volume:reimage_reserved' : 'volume:reimage', locked);
      if (locked.attachments.length > 1) throw CinderError.ReimageOfShared();
      const from: readonly VolumeStatus[] = reserved ? ['available', 'error', 'reserved'] : ['available', 'error'];
      if (!from.includes(locked.status))
        throw CinderError.InvalidVolume({
          reason: `Volume ${id} status must be ${from.slice(0, -1).join(', ')} or ${String(from.at(-1))}, but current status is ${locked.status}.`,
        });
      assertImageFits(image, locked.size);
      await parts.volumes.setStatus(tx, id, 'downloading');
      await parts.operations.start(ctx, tx, 'volume.reimage', {
        params: { volume_id: id, image_id: imageId, status: locked.status },
        resourceId: id,
        action: 'reimage',
      });
    });
  }
}
