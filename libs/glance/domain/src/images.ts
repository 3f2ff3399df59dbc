import type { Clock } from '@nestack/kernel/clock';
import type { RequestContext, TransactionRunner, Tx } from '@nestack/kernel/context';
import { newUuid } from '@nestack/kernel/ids';
import { GlanceError, type Visibility } from '@nestack/glance/contract';
import { mustAllow, targetOf, viewerOf } from './access';
import type { Image } from './image';
import { applyPatch, reserved } from './image-changes';
import type { PatchOperation } from './json-patch';
import type { GlanceLimits, ImagePolicy, ImageQuery, ImageRepository, ImageStore } from './ports';

/** What a create request may set. */
export interface NewImage {
  readonly id?: string | undefined;
  readonly name?: string | null | undefined;
  readonly visibility?: Visibility | undefined;
  readonly protected?: boolean | undefined;
  readonly os_hidden?: boolean | undefined;
  readonly owner?: string | null | undefined;
  readonly container_format?: string | null | undefined;
  readonly disk_format?: string | null | undefined;
  readonly min_ram?: number | undefined;
  readonly min_disk?: number | undefined;
  readonly tags?: readonly string[] | undefined;
}

export interface ImagesParts {
  readonly db: TransactionRunner;
  readonly images: ImageRepository;
  readonly store: ImageStore;
  readonly policy: ImagePolicy;
  readonly limits: GlanceLimits;
  readonly clock: Clock;
}

/** The life of images but for their data. */
export class Images {
  constructor(private readonly parts: ImagesParts) {}

  /** Registers an image (`queued`). Throws 403, 409 `ImageIdTaken`, 413. */
  async create(ctx: RequestContext, asked: NewImage, properties: Readonly<Record<string, string>>): Promise<Image> {
    const { policy, clock } = this.parts;
    const own = ctx.actor?.projectId ?? null;
    const owner = asked.owner === undefined || asked.owner === null ? own : asked.owner;
    const admin = policy.allows(ctx, 'context_is_admin');
    if (owner !== own && !admin) throw GlanceError.ForbiddenOwner({ owner });
    for (const name of Object.keys(properties)) {
      const problem = reserved(name);
      if (problem !== null) throw problem;
    }
    const now = clock.now();
    const image: Image = {
      id: asked.id?.toLowerCase() ?? newUuid(),
      name: asked.name ?? null,
      status: 'queued',
      visibility: asked.visibility ?? 'shared',
      protected: asked.protected ?? false,
      os_hidden: asked.os_hidden ?? false,
      owner,
      checksum: null,
      os_hash_algo: null,
      os_hash_value: null,
      size: null,
      virtual_size: null,
      container_format: asked.container_format ?? null,
      disk_format: asked.disk_format ?? null,
      min_ram: asked.min_ram ?? 0,
      min_disk: asked.min_disk ?? 0,
      properties,
      tags: [...new Set(asked.tags ?? [])],
      staged: null,
      created_at: now,
      updated_at: now,
    };
    if (!policy.allows(ctx, 'add_image', targetOf(image))) throw GlanceError.Forbidden({ action: 'add_image' });
    this.#publishing(ctx, image.visibility, image);
    this.#limits(image);
    await this.parts.db.run('image.create', (tx) => this.parts.images.insert(tx, image));
    return image;
  }

  /** Throws 404 when there is none that the caller may see. */
  async show(ctx: RequestContext, id: string): Promise<Image> {
    return this.parts.db.read('image.show', (tx) => this.#find(tx, ctx, id, false));
  }

  async list(ctx: RequestContext, query: ImageQuery): Promise<readonly Image[]> {
    return this.parts.db.read('image.list', (tx) =>
      this.parts.images.list(tx, viewerOf(ctx, this.parts.policy), query),
    );
  }

  /** Applies a JSON patch in one transaction. */
  async update(ctx: RequestContext, id: string, patch: readonly PatchOperation[]): Promise<Image> {
    const { policy, clock } = this.parts;
    return this.parts.db.run('image.update', async (tx) => {
      const before = await this.#find(tx, ctx, id, true);
      mustAllow(ctx, policy, 'modify_image', before);
      const after = { ...applyPatch(before, patch, policy.allows(ctx, 'context_is_admin')), updated_at: clock.now() };
      if (after.visibility !== before.visibility) this.#publishing(ctx, after.visibility, after);
      this.#limits(after);
      await this.parts.images.update(tx, after);
      return after;
    });
  }

  /** Deletes an image and its data; a transfer that runs notices at its end. */
  async remove(ctx: RequestContext, id: string): Promise<void> {
    await this.parts.db.run('image.delete', async (tx) => {
      const image = await this.#find(tx, ctx, id, true);
      mustAllow(ctx, this.parts.policy, 'delete_image', image, 'delete');
      if (image.protected) throw GlanceError.ImageProtected({ image_id: id });
      await this.parts.images.remove(tx, id);
    });
    // A crash before this leaves a file without an image, which the sweeper removes.
    await this.parts.store.remove(id);
    await this.parts.store.discard(`${id}.staged`);
  }

  /** `deactivate` and `reactivate`. Doing it twice is harmless. */
  async setActive(ctx: RequestContext, id: string, active: boolean): Promise<void> {
    await this.parts.db.run('image.deactivate', async (tx) => {
      const image = await this.#find(tx, ctx, id, true);
      mustAllow(ctx, this.parts.policy, active ? 'reactivate' : 'deactivate', image);
      if (image.status !== 'active' && image.status !== 'deactivated') {
        throw active
          ? GlanceError.CannotReactivate({ status: image.status })
          : GlanceError.CannotDeactivate({ status: image.status });
      }
      const status = active ? 'active' : 'deactivated';
      if (image.status !== status)
        await this.parts.images.update(tx, { ...image, status, updated_at: this.parts.clock.now() });
    });
  }

  /** Adds or removes a tag. Throws 404 `TagNotFound` on removal of another. */
  async tag(ctx: RequestContext, id: string, tag: string, present: boolean): Promise<void> {
    if (tag.length > 255) throw GlanceError.InvalidInput({ reason: 'Tags may not be longer than 255 characters.' });
    await this.parts.db.run('image.tag', async (tx) => {
      const image = await this.#find(tx, ctx, id, true);
      mustAllow(ctx, this.parts.policy, 'modify_image', image);
      if (!present && !image.tags.includes(tag)) throw GlanceError.TagNotFound({ tag });
      const tags = present ? [...new Set([...image.tags, tag])] : image.tags.filter((one) => one !== tag);
      const after = { ...image, tags, updated_at: this.parts.clock.now() };
      this.#limits(after);
      await this.parts.images.update(tx, after);
    });
  }

  async #find(tx: Tx, ctx: RequestContext, id: string, lock: boolean): Promise<Image> {
    const image = await this.parts.images.find(tx, id, viewerOf(ctx, this.parts.policy), { lock });
    if (image === null) throw GlanceError.ImageNotFound({ image_id: id });
    return image;
  }

  #publishing(ctx: RequestContext, visibility: Visibility, image: Image): void {
    const action =
      visibility === 'public' ? 'publicize_image' : visibility === 'community' ? 'communitize_image' : null;
    if (action !== null && !this.parts.policy.allows(ctx, action, targetOf(image)))
      throw GlanceError.Forbidden({ action });
  }

  #limits(image: Image): void {
    const limits = this.parts.limits;
    const count = Object.keys(image.properties).length;
    if (count > limits.image_property_quota) {
      throw GlanceError.TooMany({ what: 'properties', attempted: count, maximum: limits.image_property_quota });
    }
    if (image.tags.length > limits.image_tag_quota) {
      throw GlanceError.TooMany({ what: 'tags', attempted: image.tags.length, maximum: limits.image_tag_quota });
    }
  }
}
