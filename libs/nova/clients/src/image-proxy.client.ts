import type { RequestContext } from '@nestack/kernel/context';
import { DomainError } from '@nestack/kernel/errors';
import type { ApiClient, ApiClients } from '@nestack/kernel/http';
import { deleteImage, glanceApi, showImage } from '@nestack/glance/contract';
import type { ImageProxyPort } from '@nestack/nova/domain';

/** Glance behind nova's `/images`. */
export class ImageProxyClient implements ImageProxyPort {
  private readonly api: ApiClient;

  constructor(clients: ApiClients) {
    this.api = clients.client(glanceApi);
  }

  async show(ctx: RequestContext, imageId: string): Promise<Readonly<Record<string, unknown>> | null> {
    try {
      return await this.api.call(ctx, showImage, { params: { image_id: imageId } }, 'user');
    } catch (error) {
      if (error instanceof DomainError && error.kind === 'notFound') return null;
      throw error;
    }
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
