import type { RequestContext } from '@nestack/kernel/context';
import { DomainError } from '@nestack/kernel/errors';
import { orNull, type ApiClient, type ApiClients } from '@nestack/kernel/http';
import {
  createImage,
  deleteImage,
  downloadImageFile,
  glanceApi,
  isProperty,
  listImages,
  showImage,
  updateImage,
  uploadImageFile,
} from '@nestack/glance/contract';
import type { As, ImagePort } from '@nestack/nova/domain';

/** How long an image's data may be on its way, milliseconds. */
const TRANSFER_MS = 3_600_000;

/** Glance as nova's image store. */
export class GlanceClient implements ImagePort {
  private readonly api: ApiClient;

  constructor(clients: ApiClients) {
    this.api = clients.client(glanceApi);
  }

  async get(ctx: RequestContext, imageId: string, as: As): ReturnType<ImagePort['get']> {
    const shown = await orNull(this.api.call(ctx, showImage, { params: { image_id: imageId } }, as));
    if (shown === null) return null;
    const found = shown as Readonly<Record<string, unknown>>;
    const text = (key: string): string | null => (typeof found[key] === 'string' ? found[key] : null);
    const number = (key: string): number => (typeof found[key] === 'number' ? found[key] : 0);
    return {
      image: {
        id: imageId,
        disk_format: text('disk_format') ?? 'raw',
        container_format: text('container_format') ?? 'bare',
        size: number('size'),
        checksum: text('checksum'),
        os_hash_algo: text('os_hash_algo'),
        os_hash_value: text('os_hash_value'),
        min_disk: number('min_disk'),
        min_ram: number('min_ram'),
        properties: Object.fromEntries(Object.entries(found).filter(([key]) => isProperty(key))),
      },
      status: text('status') ?? '',
      min_ram: number('min_ram'),
      virtual_size: typeof found['virtual_size'] === 'number' ? found['virtual_size'] : null,
    };
  }

  async download(ctx: RequestContext, imageId: string, as: As): Promise<NodeJS.ReadableStream> {
    const { body } = await this.api.stream(ctx, downloadImageFile, { params: { image_id: imageId } }, as);
    return body;
  }

  async ensure(
    ctx: RequestContext,
    image: Readonly<Record<string, unknown>> & { readonly id: string },
    as: As,
  ): Promise<void> {
    try {
      await this.api.call(ctx, createImage, { body: image as never }, as);
    } catch (error) {
      // Made already, by an attempt whose answer was lost.
      if (!(error instanceof DomainError && error.kind === 'conflict')) throw error;
    }
  }

  async upload(ctx: RequestContext, imageId: string, data: NodeJS.ReadableStream): Promise<void> {
    const call = { params: { image_id: imageId }, stream: data, timeoutMs: TRANSFER_MS };
    await this.api.call(ctx, uploadImageFile, call, 'service');
  }

  async setProperties(
    ctx: RequestContext,
    imageId: string,
    properties: Readonly<Record<string, string>>,
  ): Promise<void> {
    const patch = Object.entries(properties).map(([name, value]) => ({ op: 'add', path: `/${name}`, value }));
    const headers = { 'content-type': 'application/openstack-images-v2.1-json-patch' };
    await this.api.call(ctx, updateImage, { params: { image_id: imageId }, body: patch, headers }, 'service');
  }

  async backups(
    ctx: RequestContext,
    about: { readonly instance_uuid: string; readonly project_id: string; readonly backup_type: string },
  ): Promise<readonly string[]> {
    const { project_id: owner, instance_uuid, backup_type } = about;
    const query = { owner, instance_uuid, backup_type, image_type: 'backup', sort: 'created_at:desc', limit: '1000' };
    const { images } = await this.api.call(ctx, listImages, { query: query as never }, 'service');
    return (images as readonly { readonly id: string }[]).map(({ id }) => id);
  }

  async remove(ctx: RequestContext, imageId: string): Promise<void> {
    await orNull(this.api.call(ctx, deleteImage, { params: { image_id: imageId } }, 'service'));
  }
}
