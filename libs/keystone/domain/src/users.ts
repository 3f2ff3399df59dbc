import { randomBytes } from 'node:crypto';
import { KeystoneError } from '@nestack/keystone/contract';
import type { Clock } from '@nestack/kernel/clock';
import type { RequestContext, TransactionRunner, Tx } from '@nestack/kernel/context';
import { newHexId } from '@nestack/kernel/ids';
import type { ApplicationCredential, Extra, Group, Project, RoleRef, User } from './model';
import type { Filter, PasswordHasher, Stores } from './ports';
import { revocation } from './revocations';

/** What a caller may set of a user; the password in clear. */
export interface UserFields {
  readonly name?: string | undefined;
  readonly domain_id?: string | null | undefined;
  readonly default_project_id?: string | null | undefined;
  readonly password?: string | null | undefined;
  readonly enabled?: boolean | undefined;
  readonly description?: string | null | undefined;
  readonly options?: Extra | undefined;
  readonly extra?: Extra;
}

const MAX_PASSWORD = 4096;

/** Users and what belongs to them. upstream: keystone/identity/core.py */
export class Users {
  constructor(
    private readonly db: TransactionRunner,
    private readonly stores: Stores,
    private readonly hasher: PasswordHasher,
    private readonly clock: Clock,
  ) {}

  find(_ctx: RequestContext, id: string): Promise<User | null> {
    return this.db.read('users.find', (tx) => this.stores.users.find(tx, id));
  }

  list(_ctx: RequestContext, filters: readonly Filter[]): Promise<User[]> {
    return this.db.read('users.list', (tx) => this.stores.users.list(tx, filters));
  }

  async create(
    ctx: RequestContext,
    fields: UserFields & { readonly name: string; readonly id?: string },
  ): Promise<User> {
    const password = fields.password ?? null;
    checkPassword(password);
    const hash = password === null ? null : await this.hasher.hash(password);
    const domainId = fields.domain_id ?? ctx.actor?.domainId ?? ctx.actor?.projectDomain?.id ?? 'default';
    return this.db.run('users.create', async (tx) => {
      await this.requireDomain(tx, domainId);
      return this.stores.users.insert(tx, {
        id: fields.id ?? newHexId(),
        name: fields.name.trim(),
        domain_id: domainId,
        enabled: fields.enabled ?? true,
        default_project_id: await this.usableDefault(tx, fields.default_project_id ?? null),
        description: fields.description ?? null,
        password_hash: hash,
        password_expires_at: null,
        options: fields.options ?? {},
        extra: fields.extra ?? {},
      });
    });
  }

  async update(_ctx: RequestContext, id: string, fields: UserFields): Promise<User> {
    checkPassword(fields.password ?? null);
    const hash =
      fields.password === undefined || fields.password === null ? undefined : await this.hasher.hash(fields.password);
    return this.db.run('users.update', async (tx) => {
      const before = await this.stores.users.find(tx, id);
      if (before === null) throw KeystoneError.UserNotFound({ user_id: id });
      if (fields.domain_id !== undefined && fields.domain_id !== null && fields.domain_id !== before.domain_id) {
        throw KeystoneError.InvalidInput({ reason: 'Cannot change the domain ID.' });
      }
      const extra = { ...before.extra, ...fields.extra };
      const after = await this.stores.users.update(tx, id, {
        ...(fields.name === undefined ? {} : { name: fields.name.trim() }),
        ...(fields.enabled === undefined ? {} : { enabled: fields.enabled }),
        ...(fields.description === undefined ? {} : { description: fields.description }),
        ...(fields.default_project_id === undefined
          ? {}
          : { default_project_id: await this.usableDefault(tx, fields.default_project_id) }),
        ...(fields.options === undefined ? {} : { options: merged(before.options, fields.options) }),
        ...(hash === undefined ? {} : { password_hash: hash, password_expires_at: null }),
        extra,
      });
      if (after === null) throw KeystoneError.UserNotFound({ user_id: id });
      if (hash !== undefined || (before.enabled && !after.enabled)) await this.endTokens(tx, id);
      else await this.stores.revocations.announce(tx, revocation(this.clock.now(), { userId: id }));
      return after;
    });
  }

  /** The user changes his own password and proves the old one. */
  async changePassword(_ctx: RequestContext, id: string, original: string, password: string): Promise<void> {
    checkPassword(password);
    const found = await this.db.read('users.password', (tx) => this.stores.users.inDomain(tx, { id }));
    const right = await this.hasher.verify(found?.user.password_hash ?? null, original);
    if (found === null || !right || !found.user.enabled || !found.domain.enabled) throw KeystoneError.Unauthorized();
    const hash = await this.hasher.hash(password);
    await this.db.run('users.password', async (tx) => {
      await this.stores.users.update(tx, id, { password_hash: hash, password_expires_at: null });
      await this.endTokens(tx, id);
    });
  }

  async remove(_ctx: RequestContext, id: string): Promise<void> {
    await this.db.run('users.remove', async (tx) => {
      if (!(await this.removeIn(tx, id))) throw KeystoneError.UserNotFound({ user_id: id });
    });
  }

  /** Deletes a user with all that is his, in a transaction of the caller. */
  async removeIn(tx: Tx, id: string): Promise<boolean> {
    await this.stores.assignments.forget(tx, { actor: id });
    const removed = await this.stores.users.remove(tx, id);
    if (removed) await this.endTokens(tx, id);
    return removed;
  }

  /** Projects and domains that the user can work in; the system as well. */
  scopes(
    _ctx: RequestContext,
    userId: string,
  ): Promise<{ projects: readonly Project[]; domains: readonly Project[]; system: boolean }> {
    return this.db.read('users.scopes', (tx) => this.stores.assignments.scopesOf(tx, userId));
  }

  groups(_ctx: RequestContext, userId: string): Promise<Group[]> {
    return this.db.read('users.groups', (tx) => this.stores.groups.groupsOf(tx, userId));
  }

  listApplicationCredentials(_ctx: RequestContext, userId: string, filters: readonly Filter[]): Promise<WithRoles[]> {
    return this.db.read('application_credentials.list', async (tx) => {
      const mine: Filter = { field: 'user_id', op: 'eq', value: userId };
      const found = await this.stores.applicationCredentials.list(tx, [mine, ...filters]);
      return this.withRoles(tx, found);
    });
  }

  showApplicationCredential(_ctx: RequestContext, userId: string, id: string): Promise<WithRoles> {
    return this.db.read('application_credentials.show', async (tx) => {
      const found = await this.stores.applicationCredentials.find(tx, id);
      if (found === null || found.user_id !== userId)
        throw KeystoneError.ApplicationCredentialNotFound({ application_credential_id: id });
      const [shown] = await this.withRoles(tx, [found]);
      if (shown === undefined) throw KeystoneError.ApplicationCredentialNotFound({ application_credential_id: id });
      return shown;
    });
  }

  /** Made for the token's project, with the token's roles or some of them. The secret is shown this once. */
  async createApplicationCredential(
    ctx: RequestContext,
    userId: string,
    fields: {
      readonly name: string;
      readonly description?: string | null | undefined;
      readonly secret?: string | null | undefined;
      readonly expires_at?: string | null | undefined;
      readonly unrestricted?: boolean | null | undefined;
      readonly roles?: readonly { readonly id?: string | undefined; readonly name?: string | undefined }[] | undefined;
    },
    held: readonly RoleRef[],
  ): Promise<{ readonly credential: WithRoles; readonly secret: string }> {
    const projectId = ctx.actor?.projectId ?? null;
    if (projectId === null)
      throw KeystoneError.InvalidInput({ reason: 'Application credentials need a token with a project scope.' });
    const wanted = fields.roles ?? held;
    const roleIds = wanted.map((one) => {
      const role = held.find((mine) => (one.id === undefined ? mine.name === one.name : mine.id === one.id));
      if (role === undefined) {
        throw KeystoneError.InvalidInput({
          reason: `Invalid application credential: Could not find role assignment with role: ${one.id ?? one.name ?? ''}, user or group: ${userId}, project, domain, or system: ${projectId}.`,
        });
      }
      return role.id;
    });
    const secret = fields.secret ?? randomBytes(64).toString('base64url');
    const hash = await this.hasher.hash(secret);
    return this.db.run('application_credentials.create', async (tx) => {
      const made = await this.stores.applicationCredentials.insert(tx, {
        id: newHexId(),
        name: fields.name,
        description: fields.description ?? null,
        user_id: userId,
        project_id: projectId,
        secret_hash: hash,
        role_ids: roleIds,
        expires_at: fields.expires_at === undefined || fields.expires_at === null ? null : utc(fields.expires_at),
        unrestricted: fields.unrestricted ?? false,
      });
      const [credential] = await this.withRoles(tx, [made]);
      if (credential === undefined) throw new Error('unreachable');
      return { credential, secret };
    });
  }

  async removeApplicationCredential(_ctx: RequestContext, userId: string, id: string): Promise<void> {
    await this.db.run('application_credentials.remove', async (tx) => {
      const found = await this.stores.applicationCredentials.find(tx, id);
      if (found === null || found.user_id !== userId)
        throw KeystoneError.ApplicationCredentialNotFound({ application_credential_id: id });
      await this.stores.applicationCredentials.remove(tx, id);
      await this.stores.revocations.announce(tx, revocation(this.clock.now(), { userId }));
    });
  }

  private async withRoles(tx: Tx, credentials: readonly ApplicationCredential[]): Promise<WithRoles[]> {
    const ids = [...new Set(credentials.flatMap((one) => one.role_ids))];
    const roles = ids.length === 0 ? [] : await this.stores.roles.list(tx, [{ field: 'id', op: 'in', value: ids }]);
    return credentials.map((credential) => ({
      ...credential,
      roles: roles
        .filter((role) => credential.role_ids.includes(role.id))
        .map((role) => ({ id: role.id, name: role.name, domain_id: role.domain_id })),
    }));
  }

  private async endTokens(tx: Tx, userId: string): Promise<void> {
    await this.stores.revocations.record(tx, revocation(this.clock.now(), { userId }));
  }

  private async requireDomain(tx: Tx, id: string): Promise<void> {
    const domain = await this.stores.projects.find(tx, id);
    if (domain === null || !domain.is_domain) throw KeystoneError.DomainNotFound({ domain_id: id });
  }

  /** A domain cannot be a default project. */
  private async usableDefault(tx: Tx, id: string | null): Promise<string | null> {
    if (id === null) return null;
    const project = await this.stores.projects.find(tx, id);
    if (project?.is_domain === true) {
      throw KeystoneError.InvalidInput({ reason: `User's default project ID cannot be a domain ID: ${id}` });
    }
    return id;
  }
}

export type WithRoles = ApplicationCredential & { readonly roles: readonly RoleRef[] };

/** Options given as null are taken away. */
export function merged(before: Extra, given: Extra): Extra {
  return Object.fromEntries(Object.entries({ ...before, ...given }).filter(([, value]) => value !== null));
}

function checkPassword(password: string | null): void {
  if (password !== null && Buffer.byteLength(password) > MAX_PASSWORD) {
    throw KeystoneError.InvalidInput({ reason: `The password is longer than ${String(MAX_PASSWORD)} bytes.` });
  }
}

/** Times without a zone are UTC. */
function utc(text: string): Date {
  return new Date(/(Z|[+-]\d\d:?\d\d)$/i.test(text) ? text : `${text}Z`);
}
