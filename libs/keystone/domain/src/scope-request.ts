import { KeystoneError } from '@nestack/keystone/contract';
import type { Tx } from '@nestack/kernel/context';
import { domainRef, type AuthRequest, type NamedRequest } from './auth-request';
import type { Proven } from './authentication';
import type { Scope, Trust } from './model';
import type { Stores } from './ports';
import { hasEnded } from './trusts';

/** What a token is asked for: a scope, and the trust through which. */
export interface Wanted {
  readonly scope: Scope;
  readonly trust: Trust | null;
}

/**
 * The scope that a request asks for, or null when it names none and the user's default decides. Whether the user may have
 * it is not looked at. upstream: keystone/auth/core.py AuthInfo
 */
export async function wantedScope(
  tx: Tx,
  stores: Stores,
  auth: AuthRequest,
  proven: Proven,
  now: Date,
): Promise<Wanted | null> {
  const { scope } = auth;
  const only = (wanted: Scope): Wanted => ({ scope: wanted, trust: null });
  if (proven.appCred !== null) return only({ type: 'project', id: proven.appCred.project_id });
  if (proven.accessToken !== null) return only({ type: 'project', id: proven.accessToken.project_id });
  if (scope === undefined) return null;
  if (typeof scope === 'string') return only({ type: 'unscoped' });
  if (Object.keys(scope).length !== 1) {
    throw KeystoneError.ValidationError({
      attribute: 'one of: project, domain, OS-TRUST:trust or unscoped',
      target: 'scope',
    });
  }
  if (proven.parent?.openstack_system !== undefined && (scope.project !== undefined || scope.domain !== undefined)) {
    throw KeystoneError.ForbiddenAction({
      action: 'Using method token with system-scoped token can not be used to create a project or domain scoped token',
    });
  }
  if (scope.project !== undefined) return only({ type: 'project', id: await projectOf(tx, stores, scope.project) });
  if (scope.domain !== undefined) return only({ type: 'domain', id: await domainOf(tx, stores, scope.domain) });
  if (scope.system !== undefined) return only({ type: 'system' });
  if (scope.unscoped !== undefined) return only({ type: 'unscoped' });
  const trustId = scope['OS-TRUST:trust']?.id;
  if (trustId === undefined) throw KeystoneError.ValidationError({ attribute: 'trust_id', target: 'trust' });
  const trust = await trustOf(tx, stores, trustId, proven, now);
  return { trust, scope: trust.project_id === null ? { type: 'unscoped' } : { type: 'project', id: trust.project_id } };
}

async function trustOf(tx: Tx, stores: Stores, id: string, proven: Proven, now: Date): Promise<Trust> {
  const trust = await stores.trusts.find(tx, id);
  if (trust === null || hasEnded(trust, now)) throw KeystoneError.TrustNotFound({ trust_id: id });
  if (trust.trustee_user_id !== proven.userId) {
    throw KeystoneError.Forbidden({ reason: 'User is not a trustee.' });
  }
  return trust;
}

async function projectOf(tx: Tx, stores: Stores, given: NamedRequest): Promise<string> {
  if (given.id !== undefined) return given.id;
  if (given.name === undefined) throw KeystoneError.ValidationError({ attribute: 'id or name', target: 'project' });
  const domain = domainRef(given.domain);
  if (domain === null) throw KeystoneError.ValidationError({ attribute: 'domain', target: 'project' });
  const found = await stores.projects.byName(tx, given.name, domain);
  if (found === null) throw KeystoneError.Unauthorized();
  return found.project.id;
}

async function domainOf(tx: Tx, stores: Stores, given: NamedRequest): Promise<string> {
  if (given.id !== undefined) return given.id;
  if (given.name === undefined) throw KeystoneError.ValidationError({ attribute: 'id or name', target: 'domain' });
  const [domain] = await stores.projects.list(tx, [
    { field: 'is_domain', op: 'eq', value: true },
    { field: 'name', op: 'eq', value: given.name },
  ]);
  if (domain === undefined) throw KeystoneError.Unauthorized();
  return domain.id;
}
