import type { RequestContext } from '@nestack/kernel/context';
import { GlanceError } from '@nestack/glance/contract';
import type { Image, Viewer } from './image';
import type { ImagePolicy } from './ports';

/** Who the caller is to the image repository. */
export function viewerOf(ctx: RequestContext, policy: ImagePolicy): Viewer {
  return {
    projectId: ctx.actor?.projectId ?? null,
    all: policy.allows(ctx, 'context_is_admin') || policy.allows(ctx, 'service_role'),
  };
}

/** Sees everything: for what a process does on its own. */
export const EVERYTHING: Viewer = { projectId: null, all: true };

/** An image as policy rules see it. */
export function targetOf(image: Image): Readonly<Record<string, unknown>> {
  return {
    project_id: image.owner,
    owner: image.owner,
    tenant: image.owner,
    visibility: image.visibility,
    protected: image.protected,
  };
}

/** Throws 403 when the caller may not do this to an image that he can see. */
export function mustAllow(
  ctx: RequestContext,
  policy: ImagePolicy,
  rule: string,
  image: Image,
  verb: 'modify' | 'delete' = 'modify',
): void {
  if (policy.allows(ctx, rule, targetOf(image))) return;
  const foreign = image.owner !== (ctx.actor?.projectId ?? null);
  throw foreign ? GlanceError.NotYours({ verb }) : GlanceError.Forbidden({ action: rule });
}
