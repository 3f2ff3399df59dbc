import type { RequestContext } from '@nestack/kernel/context';
import type { ImageProxyPort } from '@nestack/nova/domain';
import type { FakeImages } from './fake-images';

/** The images of the fake glance as their owners see them. */
export class FakeImageProxy implements ImageProxyPort {
  constructor(private readonly glance: FakeImages) {}

  show(ctx: RequestContext, imageId: string): Promise<Readonly<Record<string, unknown>> | null> {
    const found = this.visible(ctx, imageId);
    if (found === null) return Promise.resolve(null);
    const { image, status, min_ram } = found;
    const times = { created_at: '2026-01-01T00:00:00Z', updated_at: '2026-01-01T00:00:00Z' };
    return Promise.resolve({
      name: null,
      ...times,
      ...image.properties,
      id: imageId,
      size: image.size,
      status,
      min_ram,
    });
  }

  delete(ctx: RequestContext, imageId: string): Promise<boolean> {
    return Promise.resolve(this.visible(ctx, imageId) !== null && this.glance.images.delete(imageId));
  }

  private visible(ctx: RequestContext, imageId: string) {
    const found = this.glance.images.get(imageId);
    if (found === undefined) return null;
    return found.project_id === null || found.project_id === ctx.actor?.projectId ? found : null;
  }
}
