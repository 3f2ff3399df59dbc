import type { RequestContext, TransactionRunner } from '@nestack/kernel/context';
import { NovaError } from '@nestack/nova/contract';
import type { ImageProxyPort } from '../ports';
import type { Quotas } from '../quotas/quotas';

/** Glance's own attributes of an image; all others are its properties, which nova calls metadata. */
const ATTRIBUTES =
  /^(id|name|status|visibility|protected|checksum|owner|size|virtual_size|(container|disk)_format|(created|updated)_at|tags|direct_url|min_(ram|disk)|self|file|stores|schema|os_hash_(algo|value)|os_hidden|locations)$/;

/** What nova's older API shows as the metadata of an image. */
export function metadataOf(image: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(image).filter(([key]) => !ATTRIBUTES.test(key)));
}

export interface ImageMetadataDeps {
  readonly tx: TransactionRunner;
  readonly quotas: Quotas;
  readonly proxy: ImageProxyPort;
}

/** Metadata of images through nova; with the caller's own rights at glance. */
export class ImageMetadata {
  constructor(private readonly deps: ImageMetadataDeps) {}

  async list(ctx: RequestContext, imageId: string): Promise<Readonly<Record<string, unknown>>> {
    const image = await this.deps.proxy.show(ctx, imageId);
    if (image === null) throw NovaError.ImageNotFoundApi();
    return metadataOf(image);
  }

  /** Sets items, beside those that are there or instead of them. Answers all that there are then. */
  async set(
    ctx: RequestContext,
    imageId: string,
    items: Readonly<Record<string, string>>,
    replace: boolean,
  ): Promise<Readonly<Record<string, unknown>>> {
    const { deps } = this;
    const before = await this.list(ctx, imageId);
    const after = replace ? items : { ...before, ...items };
    const limits = await deps.tx.read('quotas.limits', (tx) => deps.quotas.allowed(ctx, tx));
    const allowed = limits['metadata_items'] ?? -1;
    if (allowed >= 0 && Object.keys(after).length > allowed) throw NovaError.MetadataLimitExceeded({ allowed });
    const remove = Object.keys(before).filter((key) => !Object.hasOwn(after, key));
    await deps.proxy.changeProperties(ctx, imageId, { set: items, remove });
    return after;
  }

  async remove(ctx: RequestContext, imageId: string, key: string): Promise<void> {
    const before = await this.list(ctx, imageId);
    if (!Object.hasOwn(before, key)) throw NovaError.MetadataKeyInvalid();
    await this.deps.proxy.changeProperties(ctx, imageId, { set: {}, remove: [key] });
  }
}
