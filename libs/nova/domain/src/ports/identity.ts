import type { RequestContext } from '@nestack/kernel/context';
import { NovaError } from '@nestack/nova/contract';

/** Keystone, as nova needs it beyond tokens. */
export interface IdentityPort {
  /**
   * False for a project that keystone does not know. True where it does, and also where it does not tell the caller or cannot be asked:
   * what follows is then done as told. upstream: nova/api/openstack/identity.py (verify_project_id)
   */
  mayBeProject(ctx: RequestContext, projectId: string): Promise<boolean>;
}

/** Injection token of the `IdentityPort`. */
export const IDENTITY_PORT = Symbol('IdentityPort');

/** Throws BadRequest for a project that does not exist. */
export async function assertProject(ctx: RequestContext, identity: IdentityPort, projectId: string): Promise<void> {
  if (await identity.mayBeProject(ctx, projectId)) return;
  throw NovaError.BadRequest({ reason: `Project ID ${projectId} is not a valid project.` });
}
