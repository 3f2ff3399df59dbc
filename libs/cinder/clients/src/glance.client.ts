import type { RequestContext } from '@nestack/kernel/context';
import { DomainError } from '@nestack/kernel/errors';
import { orNull, type ApiClient, type ApiClients } from '@nestack/kernel/http';
import {
  createImage,
  deleteImage,
  downloadImageFile,
  glanceApi,
  isProperty,
  showImage,
  updateImage,
  uploadImageFile,
} from '@nestack/glance/contract';
import type { ImagePort, ImageSummary } from '@nestack/cinder/domain';

/** How long an image's data may be on its way, milliseconds. */
const TRANSFER_MS = 3_600_000;

/** Glance as cinder's image store. */
export class GlanceClient implements ImagePort {
  private readonly api: ApiClient;

  constructor(clients: ApiClients) {
    this.api = clients.client(glanceApi);
  }

  async get(ctx: RequestContext, imageId: string, as: 'user' | 'service'): Promise<ImageSummary | null> {
    const found = await orNull(this.api.call(ctx, showImage, { params: { image_id: imageId } }, as));
    return found === null ? null : summaryOf(imageId, found as Readonly<Record<string, unknown>>);
  }

  async download(ctx: RequestContext, imageId: string): Promise<NodeJS.ReadableStream> {
    const { body } = await this.api.stream(
      ctx,
      downloadImageFile,
      { params: { image_id: imageId }, timeoutMs: TRANSFER_MS },
      'service',
    );
    return body;
  }

  async create(ctx: RequestContext, image: Readonly<Record<string, unknown>> & { readonly id: string }): Promise<void> {
    await this.api.call(ctx, createImage, { body: image as never }, 'user');
  }

  async upload(ctx: RequestContext, imageId: string, data: NodeJS.ReadableStream): Promise<void> {
    await this.api.call(
      ctx,
      uploadImageFile,
      { params: { image_id: imageId }, stream: data, timeoutMs: TRANSFER_MS },
      'service',
    );
  }

  async remove(ctx: RequestContext, imageId: string): Promise<void> {
    const params = { image_id: imageId };
    const remove = () => orNull(this.api.call(ctx, deleteImage, { params }, 'service'));
    try {
      await remove();
    } catch (error) {
      if (!(error instanceof DomainError && error.kind === 'forbidden')) throw error;
      const headers = { 'content-type': 'application/openstack-images-v2.1-json-patch' };
      const body = [{ op: 'replace', path: '/protected', value: false }];
      await orNull(this.api.call(ctx, updateImage, { params, body, headers } as never, 'service'));
      await remove();
    }
  }
}

function summaryOf(id: string, found: Readonly<Record<string, unknown>>): ImageSummary {
  const text = (key: string): string | null => (typeof found[key] === 'string' ? found[key] : null);
  const number = (key: string): number | null => (typeof found[key] === 'number' ? found[key] : null);
  return {
    id,
    name: text('name') ?? '',
    status: text('status') ?? '',
    disk_format: text('disk_format') ?? 'raw',
    container_format: text('container_format') ?? 'bare',
    size: number('size'),
    virtual_size: number('virtual_size'),
    min_disk: number('min_disk') ?? 0,
    min_ram: number('min_ram') ?? 0,
    checksum: text('checksum'),
    properties: Object.fromEntries(
      Object.entries(found).flatMap(([key, value]) =>
        !isProperty(key) || typeof value !== 'string' ? [] : [[key, value]],
      ),
    ),
  };
}
