import type { RequestContext } from '@nestack/kernel/context';
import type { IdentityPort } from '@nestack/nova/domain';

/** Knows every project but those whose names say that there are none. */
export class FakeIdentity implements IdentityPort {
  mayBeProject(_ctx: RequestContext, projectId: string): Promise<boolean> {
    return Promise.resolve(!projectId.startsWith('no-such'));
  }
}
