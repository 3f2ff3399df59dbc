import { KeystoneError } from '@nestack/keystone/contract';
import type { Clock } from '@nestack/kernel/clock';
import type { RequestContext, TransactionRunner, Tx } from '@nestack/kernel/context';
import { newHexId } from '@nestack/kernel/ids';
import type { Extra, Group, Project, User } from './model';
import type { Filter, PasswordHasher, Stores } from './ports';
import { merged } from './options';
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
      const before = await this.stores.users.find(tx, id, { lock: true });
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
      await this.stores.assignments.forget(tx, { actor: id });
      // Before the user is gone: his trusts say whose tokens depend on him.
      await this.endTokens(tx, id);
      if (!(await this.stores.users.remove(tx, id))) throw KeystoneError.UserNotFound({ user_id: id });
    });
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

function checkPassword(password: string | null): void {
  if (password !== null && Buffer.byteLength(password) > MAX_PASSWORD) {
    throw KeystoneError.InvalidInput({ reason: `The password is longer than ${String(MAX_PASSWORD)} bytes.` });
  }
}
