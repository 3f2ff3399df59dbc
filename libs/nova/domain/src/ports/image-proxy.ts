import type { RequestContext } from '@nestack/kernel/context';

/** Glance's images as their owners see them through nova's older API; all with the caller's own rights. */
export interface ImageProxyPort {
  /** The image with glance's attributes and user properties side by side, or null where the caller sees none. */
  show(ctx: RequestContext, imageId: string): Promise<Readonly<Record<string, unknown>> | null>;
  /** False where the caller sees none. Throws glance's refusals. */
  delete(ctx: RequestContext, imageId: string): Promise<boolean>;
}

export const IMAGE_PROXY_PORT = Symbol('ImageProxyPort');
