import { Readable } from 'node:stream';
import { newUuid } from '@nestack/kernel/ids';
import type { RequestContext } from '@nestack/kernel/context';
import { NovaError } from '@nestack/nova/contract';
import type { As, ImagePort, ImageSnapshot } from '@nestack/nova/domain';
import { Faults } from './faults';

interface FakeImage {
  image: ImageSnapshot;
  status: string;
  min_ram: number;
  virtual_size: number | null;
  project_id: string | null;
}

/** Glance with full state and no bytes. */
export class FakeImages implements ImagePort {
  readonly faults = new Faults();
  readonly images = new Map<string, FakeImage>();

  /** Adds an image; without a project it is public. */
  add(
    fields: {
      min_disk?: number;
      min_ram?: number;
      status?: string;
      size?: number;
      project_id?: string;
      properties?: Readonly<Record<string, string>>;
    } = {},
  ): string {
    const id = newUuid();
    this.images.set(id, {
      image: {
        id,
        disk_format: 'qcow2',
        container_format: 'bare',
        size: fields.size ?? 1000,
        checksum: null,
        os_hash_algo: null,
        os_hash_value: null,
        min_disk: fields.min_disk ?? 0,
        properties: { ...fields.properties },
      },
      status: fields.status ?? 'active',
      min_ram: fields.min_ram ?? 0,
      virtual_size: null,
      project_id: fields.project_id ?? null,
    });
    return id;
  }

  get(ctx: RequestContext, imageId: string, as: As): ReturnType<ImagePort['get']> {
    return this.faults.run('get', () => {
      const found = this.images.get(imageId);
      if (found === undefined) return null;
      const hidden = as === 'user' && found.project_id !== null && found.project_id !== ctx.actor?.projectId;
      return hidden ? null : found;
    });
  }

  download(_ctx: RequestContext, imageId: string, _as: As): Promise<NodeJS.ReadableStream> {
    return this.faults.run('download', () => {
      if (!this.images.has(imageId)) throw new Error(`there is no image ${imageId}`);
      return Readable.from([Buffer.alloc(16)]);
    });
  }

  ensure(ctx: RequestContext, image: Readonly<Record<string, unknown>> & { readonly id: string }): Promise<void> {
    return this.faults.run('ensure', () => {
      if (this.images.has(image.id)) return;
      const id = this.add({ status: 'queued', project_id: ctx.actor?.projectId ?? '' });
      const made = this.images.get(id);
      this.images.delete(id);
      if (made === undefined) return;
      made.image = { ...made.image, id: image.id, properties: { ...image } };
      this.images.set(image.id, made);
    });
  }

  upload(_ctx: RequestContext, imageId: string, data: NodeJS.ReadableStream): Promise<void> {
    return this.faults.run('upload', async () => {
      let size = 0;
      for await (const chunk of data) size += chunk.length;
      const found = this.images.get(imageId);
      if (found === undefined) throw NovaError.ImageNotFoundApi();
      found.status = 'active';
      found.image = { ...found.image, size };
    });
  }

  setProperties(_ctx: RequestContext, imageId: string, properties: Readonly<Record<string, string>>): Promise<void> {
    return this.faults.run('setProperties', () => {
      const found = this.images.get(imageId);
      if (found === undefined) throw NovaError.ImageNotFoundApi();
      found.image = { ...found.image, properties: { ...found.image.properties, ...properties } };
    });
  }

  backups(
    _ctx: RequestContext,
    about: { readonly instance_uuid: string; readonly backup_type: string },
  ): Promise<readonly string[]> {
    const { instance_uuid, backup_type } = about;
    const wanted = { instance_uuid, backup_type, image_type: 'backup' };
    return this.faults.run('backups', () =>
      [...this.images.values()]
        .filter(({ image }) => Object.entries(wanted).every(([key, value]) => image.properties[key] === value))
        .map(({ image }) => image.id)
        .reverse(),
    );
  }

  remove(_ctx: RequestContext, imageId: string): Promise<void> {
    return this.faults.run('remove', () => {
      this.images.delete(imageId);
    });
  }
}
