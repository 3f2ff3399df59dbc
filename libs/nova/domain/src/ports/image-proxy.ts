import type { RequestContext } from '@nestack/kernel/context';

/** Glance's images as their owners see them through nova's older API; all with the caller's own rights. */
export interface ImageProxyPort {
  /**
   * At most `limit` images after the marker's, the newest first; filters in glance's words. Throws `BadRequest` with
   * glance's reason.
   */
  list(
    ctx: RequestContext,
    query: {
      readonly filters: Readonly<Record<string, string>>;
      readonly marker: string | null;
      readonly limit: number;
    },
  ): Promise<readonly Readonly<Record<string, unknown>>[]>;
  /** Sets and removes properties. Throws glance's refusals. */
  changeProperties(
    ctx: RequestContext,
    imageId: string,
    change: { readonly set: Readonly<Record<string, string>>; readonly remove: readonly string[] },
  ): Promise<void>;
  /** The image with glance's attributes and user properties side by side, or null where the caller sees none. */
  show(ctx: RequestContext, imageId: string): Promise<Readonly<Record<string, unknown>> | null>;
  /** False where the caller sees none. Throws glance's refusals. */
  delete(ctx: RequestContext, imageId: string): Promise<boolean>;
}

export const IMAGE_PROXY_PORT = Symbol('ImageProxyPort');
