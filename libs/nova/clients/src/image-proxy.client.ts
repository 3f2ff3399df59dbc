import type { RequestContext } from '@nestack/kernel/context';
import { DomainError } from '@nestack/kernel/errors';
import { orNull, type ApiClient, type ApiClients } from '@nestack/kernel/http';
import { deleteImage, glanceApi, listImages, showImage, updateImage } from '@nestack/glance/contract';
import { NovaError } from '@nestack/nova/contract';
import type { ImageProxyPort } from '@nestack/nova/domain';

/** Glance behind nova's `/images`. */
export class ImageProxyClient implements ImageProxyPort {
  private readonly api: ApiClient;

  constructor(clients: ApiClients) {
    this.api = clients.client(glanceApi);
  }

  async list(
    ctx: RequestContext,
    query: {
      readonly filters: Readonly<Record<string, string>>;
      readonly marker: string | null;
      readonly limit: number;
    },
  ): Promise<readonly Readonly<Record<string, unknown>>[]> {
    const asked = {
      ...query.filters,
      limit: String(query.limit),
      ...(query.marker === null ? {} : { marker: query.marker }),
    };
    try {
      return (await this.api.call(ctx, listImages, { query: asked }, 'user')).images;
    } catch (error) {
      if (error instanceof DomainError && error.kind === 'badRequest')
        throw NovaError.BadRequest({ reason: error.message });
      throw error;
    }
  }

  async changeProperties(
    ctx: RequestContext,
    imageId: string,
    change: { readonly set: Readonly<Record<string, string>>; readonly remove: readonly string[] },
  ): Promise<void> {
    const body = [
      ...change.remove.map((name) => ({ op: 'remove', path: pointer(name) })),
      ...Object.entries(change.set).map(([name, value]) => ({ op: 'add', path: pointer(name), value })),
    ];
    if (body.length === 0) return;
    const headers = { 'content-type': 'application/openstack-images-v2.1-json-patch' };
    await this.api.call(ctx, updateImage, { params: { image_id: imageId }, body, headers }, 'user');
  }

  show(ctx: RequestContext, imageId: string): Promise<Readonly<Record<string, unknown>> | null> {
    return orNull(this.api.call(ctx, showImage, { params: { image_id: imageId } }, 'user'));
  }

  async delete(ctx: RequestContext, imageId: string): Promise<boolean> {
    try {
      await this.api.call(ctx, deleteImage, { params: { image_id: imageId } }, 'user');
      return true;
    } catch (error) {
      if (error instanceof DomainError && error.kind === 'notFound') return false;
      throw error;
    }
  }
}

/** A name as a JSON pointer. */
function pointer(name: string): string {
  return `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
}
