import { existsSync } from 'node:fs';
import type { RequestContext } from '@nestack/kernel/context';
import type { ImageSnapshotWire } from '@nestack/nova/contract';
import type { GuestSpec, ImageFetch } from '@nestack/nova/domain';
import type { GuestFiles } from './guest-files';
import { plainImage, roomOf } from './guest-plan';
import { hardwareOf } from './hardware';
import type { ImageCache } from './image-cache';

/** What guests have that is made from images: root disk, kernel, RAM disk. What is there already is kept. */
export class GuestDisks {
  constructor(private readonly images: ImageCache) {}

  async ensure(ctx: RequestContext, files: GuestFiles, spec: GuestSpec, fetch: ImageFetch): Promise<void> {
    await files.ensureDir();
    if (spec.image === null) return;
    const { disk, kernel, ramdisk } = files;
    await this.ensureOf(ctx, files, spec.image, { rootGib: spec.flavor.root_gb, fetch, disk, kernel, ramdisk });
  }

  /** Those of a rescue. */
  ensureRescue(
    ctx: RequestContext,
    files: GuestFiles,
    image: ImageSnapshotWire,
    rootGib: number,
    fetch: ImageFetch,
  ): Promise<void> {
    const { rescueDisk: disk, rescueKernel: kernel, rescueRamdisk: ramdisk } = files;
    return this.ensureOf(ctx, files, image, { rootGib, fetch, disk, kernel, ramdisk });
  }

  /** Kernel and RAM disk that a guest will need here whose disk comes from elsewhere. Throws for hardware that there is not. */
  async prepare(ctx: RequestContext, { image }: GuestSpec, fetch: ImageFetch): Promise<void> {
    const { kernelId, ramdiskId } = hardwareOf(image?.properties ?? {});
    for (const id of [kernelId, ramdiskId]) if (id !== null) await this.images.ensure(ctx, plainImage(id), null, fetch);
  }

  private async ensureOf(
    ctx: RequestContext,
    files: GuestFiles,
    image: ImageSnapshotWire,
    to: {
      readonly rootGib: number;
      readonly fetch: ImageFetch;
      readonly disk: string;
      readonly kernel: string;
      readonly ramdisk: string;
    },
  ): Promise<void> {
    const { kernelId, ramdiskId } = hardwareOf(image.properties);
    for (const [id, file] of [
      [kernelId, to.kernel],
      [ramdiskId, to.ramdisk],
    ] as const) {
      if (id === null || existsSync(file)) continue;
      await files.ensureLinked(await this.images.ensure(ctx, plainImage(id), null, to.fetch), file);
    }
    if (existsSync(to.disk)) return;
    const room = roomOf(to.rootGib);
    const base = await this.images.ensure(ctx, image, room, to.fetch);
    await files.ensureOverlay(ctx, base, room ?? base.bytes, to.disk);
  }
}
