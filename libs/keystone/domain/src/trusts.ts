import { KeystoneError } from '@nestack/keystone/contract';
import type { Clock } from '@nestack/kernel/clock';
import type { RequestContext, TransactionRunner, Tx } from '@nestack/kernel/context';
import { newHexId } from '@nestack/kernel/ids';
import type { Role, TokenView, Trust } from './model';
import { endOf, timeOf, type Moment } from './moments';
import type { Stores } from './ports';
import { revocation } from './revocations';

/** How often a trust may be passed on. upstream: [trust] max_redelegation_count */
const MAX_REDELEGATIONS = 3;

export interface TrustFields {
  readonly trustor_user_id: string;
  readonly trustee_user_id: string;
  readonly impersonation: boolean;
  readonly project_id?: string | null | undefined;
  readonly remaining_uses?: number | null | undefined;
  readonly expires_at?: string | null | undefined;
  readonly allow_redelegation?: boolean | null | undefined;
  readonly redelegation_count?: number | null | undefined;
  readonly roles?: readonly { readonly id?: string | undefined; readonly name?: string | undefined }[] | undefined;
}

/** A trust with the roles that it gives. */
export type TrustWithRoles = Trust & { readonly roles: readonly Role[] };

/** Trusts: a user lets another act with some of his roles. upstream: keystone/trust/core.py */
export class Trusts {
  constructor(
    private readonly db: TransactionRunner,
    private readonly stores: Stores,
    private readonly clock: Clock,
  ) {}

  /** Those that have not ended. */
  list(
    _ctx: RequestContext,
    by: { readonly trustor: string | null; readonly trustee: string | null },
  ): Promise<Trust[]> {
    return this.db.read('trusts.list', async (tx) => {
      const found = await this.stores.trusts.list(tx, [
        ...(by.trustor === null ? [] : [{ field: 'trustor_user_id', op: 'eq', value: by.trustor } as const]),
        ...(by.trustee === null ? [] : [{ field: 'trustee_user_id', op: 'eq', value: by.trustee } as const]),
      ]);
      return found.filter((trust) => !hasEnded(trust, this.clock.now()));
    });
  }

  /** Null when there is none, or none any more. */
  find(_ctx: RequestContext, id: string): Promise<TrustWithRoles | null> {
    return this.db.read('trusts.find', async (tx) => {
      const trust = await this.stores.trusts.find(tx, id);
      return trust === null || hasEnded(trust, this.clock.now()) ? null : this.withRoles(tx, trust);
    });
  }

  /** `token` is the trustor's; with one that came of a trust, that trust is passed on. */
  async create(_ctx: RequestContext, fields: TrustFields, token: TokenView): Promise<TrustWithRoles> {
    const project_id = fields.project_id ?? null;
    const wanted = fields.roles ?? [];
    if (project_id !== null && wanted.length === 0) {
      throw KeystoneError.Forbidden({ reason: 'At least one role should be specified.' });
    }
    const end = fields.expires_at ?? null;
    const expires_at = end === null ? null : endOf(end, this.clock.now());
    return this.db.run('trusts.create', async (tx) => {
      if ((await this.stores.users.find(tx, fields.trustee_user_id)) === null) {
        throw KeystoneError.UserNotFound({ user_id: fields.trustee_user_id });
      }
      const parent = token.trust === null ? null : await this.stores.trusts.find(tx, token.trust.id);
      const role_ids = await this.delegable(tx, fields, project_id, parent);
      const made = await this.stores.trusts.insert(tx, {
        id: newHexId(),
        trustor_user_id: fields.trustor_user_id,
        trustee_user_id: fields.trustee_user_id,
        project_id,
        impersonation: fields.impersonation,
        role_ids,
        expires_at: notAfter(expires_at, parent),
        remaining_uses: fields.remaining_uses ?? null,
        redelegation_count: redelegations(fields, parent),
        redelegated_trust_id: parent?.id ?? null,
      });
      return this.withRoles(tx, made);
    });
  }

  /** Ends a trust, those that it was passed on as, and their tokens. */
  async remove(_ctx: RequestContext, id: string): Promise<void> {
    await this.db.run('trusts.remove', async (tx) => {
      const ended = await this.stores.trusts.withRedelegated(tx, id);
      if (ended.length === 0) throw KeystoneError.TrustNotFound({ trust_id: id });
      const users = new Set(ended.flatMap((one) => [one.trustor_user_id, one.trustee_user_id]));
      const now = this.clock.now();
      await this.stores.revocations.announce(tx, ...[...users].map((userId) => revocation(now, { userId })));
      if (!(await this.stores.trusts.remove(tx, id))) throw KeystoneError.TrustNotFound({ trust_id: id });
    });
  }

  /** Ids of the wanted roles, all of which the trustor (or the trust that is passed on) has. */
  private async delegable(
    tx: Tx,
    fields: TrustFields,
    projectId: string | null,
    parent: Trust | null,
  ): Promise<string[]> {
    if (projectId === null) return [];
    const held = await this.stores.assignments.rolesOf(tx, fields.trustor_user_id, { type: 'project', id: projectId });
    const usable = parent === null ? held : held.filter((role) => parent.role_ids.includes(role.id));
    return (fields.roles ?? []).map((one) => {
      const role = usable.find((mine) => (one.id === undefined ? mine.name === one.name : mine.id === one.id));
      if (role !== undefined) return role.id;
      if (parent === null) throw KeystoneError.RoleNotFound({ role_id: one.id ?? one.name ?? '' });
      throw KeystoneError.Forbidden({ reason: 'Some of requested roles are not in redelegated trust' });
    });
  }

  private async withRoles(tx: Tx, trust: Trust): Promise<TrustWithRoles> {
    const roles =
      trust.role_ids.length === 0
        ? []
        : await this.stores.roles.list(tx, [{ field: 'id', op: 'in', value: trust.role_ids }]);
    return { ...trust, roles };
  }
}

/** Whether a trust is over by time or use. */
export function hasEnded(trust: Trust, now: Date): boolean {
  if (trust.remaining_uses !== null && trust.remaining_uses <= 0) return true;
  return trust.expires_at !== null && timeOf(trust.expires_at) <= now.getTime();
}

/** A trust that is passed on ends with the one that it comes from. */
function notAfter(end: Moment | null, parent: Trust | null): Moment | null {
  const limit = parent?.expires_at ?? null;
  if (limit === null) return end;
  if (end !== null && timeOf(end) > timeOf(limit)) {
    throw KeystoneError.Forbidden({
      reason: `Requested expiration time is more than redelegated trust can provide`,
    });
  }
  return end ?? limit;
}

/** How often the new trust may be passed on. */
function redelegations(fields: TrustFields, parent: Trust | null): number {
  const allowed = fields.allow_redelegation ?? false;
  if (allowed && typeof fields.remaining_uses === 'number') {
    throw KeystoneError.Forbidden({ reason: 'remaining_uses must not be set if redelegation is allowed' });
  }
  const most = parent === null ? MAX_REDELEGATIONS : parent.redelegation_count - 1;
  if (parent !== null && parent.redelegation_count === 0) {
    throw KeystoneError.Forbidden({ reason: 'Redelegation allowed for delegated by trust only' });
  }
  if (parent !== null && fields.impersonation && !parent.impersonation) {
    throw KeystoneError.Forbidden({
      reason: 'Impersonation is not allowed because redelegated trust does not specify impersonation.',
    });
  }
  const count = allowed ? (fields.redelegation_count ?? most) : 0;
  if (count > most) {
    throw KeystoneError.Forbidden({
      reason: `Remaining redelegation depth of ${String(count)} out of allowed range of [0..${String(most)}]`,
    });
  }
  return count;
}
