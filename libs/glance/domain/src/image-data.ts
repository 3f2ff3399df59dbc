import type { Readable } from 'node:stream';
import type { RequestContext, Tx } from '@nestack/kernel/context';
import { newUuid } from '@nestack/kernel/ids';
import { GlanceError, type ImageStatus } from '@nestack/glance/contract';
import { mustAllow, targetOf, viewerOf } from './access';
import type { Image } from './image';
import type { ImagePolicy } from './ports';
import type { TransferParts, Transfers } from './transfers';

export interface ImageDataParts extends TransferParts {
  readonly policy: ImagePolicy;
  readonly transfers: Transfers;
}

export interface Download {
  readonly image: Image;
  readonly size: number;
  /** Opens the data, the whole or the bytes from `start` to `end` (both included). */
  open(range?: { readonly start: number; readonly end: number }): Promise<Readable>;
}

/** Images' bytes: upload, staging and download. */
export class ImageData {
  constructor(private readonly parts: ImageDataParts) {}

  /** Upload: `queued` → `saving` → `active`; back to `queued` whenever it fails. `size` is what the client announced. */
  async upload(ctx: RequestContext, id: string, stream: Readable, size: number | null): Promise<void> {
    const { transfers, store, limits } = this.parts;
    const { image, token } = await this.#begin(ctx, id, 'upload_image', 'saving', size);
    const temporary = transfers.temporary(id, token);
    try {
      await transfers.whileLeased(id, token, async () => {
        const written = await store.write(temporary, stream, limits.image_size_cap);
        await transfers.finish(image, token, temporary, transfers.verify(image, written));
      });
    } catch (error) {
      await transfers.abandon(id, token, temporary, 'queued');
      throw error;
    }
  }

  /** Staging for `glance-direct`: `queued` → `uploading`, and stays there until the import. */
  async stage(ctx: RequestContext, id: string, stream: Readable, size: number | null): Promise<void> {
    const { db, images, transfers, store, limits } = this.parts;
    const { image, token } = await this.#begin(ctx, id, 'upload_image', 'uploading', size);
    const temporary = transfers.temporary(id, token);
    try {
      await transfers.whileLeased(id, token, async () => {
        const data = transfers.verify(image, await store.write(temporary, stream, limits.image_size_cap));
        const ours = await db.run('image.staged', async (tx) => {
          if (!(await images.ownsTransfer(tx, id, token))) return false;
          await store.promote(temporary, `${id}.staged`);
          await images.endTransfer(tx, id, 'uploading', null, data);
          return true;
        });
        if (!ours) throw GlanceError.DeletedDuringUpload({ image_id: id });
      });
    } catch (error) {
      await transfers.abandon(id, token, temporary, 'queued');
      throw error;
    }
  }

  /** Throws 404, 403 when deactivated (administrators still read it); `size` null in the result's place means no data yet. */
  async download(ctx: RequestContext, id: string): Promise<Download | null> {
    const { db, images, policy, store } = this.parts;
    const viewer = viewerOf(ctx, policy);
    const image = await db.read('image.download', (tx) => images.find(tx, id, viewer));
    if (image === null) throw GlanceError.ImageNotFound({ image_id: id });
    if (
      !viewer.all &&
      !policy.allows(ctx, 'download_image', { ...targetOf(image), member_id: ctx.actor?.projectId ?? null })
    ) {
      throw GlanceError.Forbidden({ action: 'download_image' });
    }
    if (image.status === 'deactivated' && !policy.allows(ctx, 'context_is_admin')) throw GlanceError.Deactivated();
    if (image.status !== 'active' && image.status !== 'deactivated') return null;
    const size = await store.size(id);
    if (size === null) throw GlanceError.NoData({ image_id: id });
    return { image, size, open: (range) => store.read(id, range) };
  }

  async #begin(
    ctx: RequestContext,
    id: string,
    rule: string,
    status: ImageStatus,
    size: number | null,
  ): Promise<{ image: Image; token: string }> {
    const { db, images, policy, transfers, limits } = this.parts;
    const token = newUuid();
    const image = await db.run('image.begin', async (tx: Tx) => {
      const found = await images.find(tx, id, viewerOf(ctx, policy), { lock: true });
      if (found === null) throw GlanceError.ImageNotFound({ image_id: id });
      mustAllow(ctx, policy, rule, found);
      if (found.disk_format === null || found.container_format === null) throw GlanceError.FormatsNotSet();
      if (found.status !== 'queued') throw GlanceError.InvalidTransition({ from: found.status, to: status });
      if (size !== null && size > limits.image_size_cap) throw GlanceError.TooLarge({ limit: limits.image_size_cap });
      await images.beginTransfer(tx, id, status, token, transfers.leaseSeconds);
      return found;
    });
    return { image, token };
  }
}
