import type { RequestContext } from '@nestack/kernel/context';
import type { ImageProxyPort } from '@nestack/nova/domain';
import type { FakeImages } from './fake-images';

/** The images of the fake glance as their owners see them. */
export class FakeImageProxy implements ImageProxyPort {
  constructor(private readonly glance: FakeImages) {}

  list(
    ctx: RequestContext,
    query: {
      readonly filters: Readonly<Record<string, string>>;
      readonly marker: string | null;
      readonly limit: number;
    },
  ): Promise<readonly Readonly<Record<string, unknown>>[]> {
    const all = [...this.glance.images.keys()].map((id) => this.seen(ctx, id)).filter((one) => one !== null);
    const fit = all.filter((one) => Object.entries(query.filters).every(([key, value]) => String(one[key]) === value));
    const from = query.marker === null ? 0 : fit.findIndex((one) => one['id'] === query.marker) + 1;
    return Promise.resolve(fit.slice(from, from + query.limit));
  }

  changeProperties(
    ctx: RequestContext,
    imageId: string,
    change: { readonly set: Readonly<Record<string, string>>; readonly remove: readonly string[] },
  ): Promise<void> {
    const found = this.visible(ctx, imageId);
    if (found === null) return Promise.resolve();
    const kept = Object.entries(found.image.properties).filter(([key]) => !change.remove.includes(key));
    found.image = { ...found.image, properties: { ...Object.fromEntries(kept), ...change.set } };
    return Promise.resolve();
  }

  show(ctx: RequestContext, imageId: string): Promise<Readonly<Record<string, unknown>> | null> {
    return Promise.resolve(this.seen(ctx, imageId));
  }

  private seen(ctx: RequestContext, imageId: string): Readonly<Record<string, unknown>> | null {
    const found = this.visible(ctx, imageId);
    if (found === null) return null;
    const { image, status, min_ram } = found;
    const times = { created_at: '2026-01-01T00:00:00Z', updated_at: '2026-01-01T00:00:00Z' };
    return {
      name: null,
      ...times,
      ...image.properties,
      id: imageId,
      size: image.size,
      status,
      min_ram,
    };
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
