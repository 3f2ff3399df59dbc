import { randomBytes } from 'node:crypto';
import { KeystoneError } from '@nestack/keystone/contract';
import type { Clock } from '@nestack/kernel/clock';
import type { RequestContext, TransactionRunner, Tx } from '@nestack/kernel/context';
import { newHexId } from '@nestack/kernel/ids';
import type { AccessRule, ApplicationCredential, RoleRef } from './model';
import { endOf } from './moments';
import type { Filter, PasswordHasher, Stores } from './ports';
import { revocation } from './revocations';

/** An application credential with what it refers to. */
export type ShownCredential = ApplicationCredential & {
  readonly roles: readonly RoleRef[];
  readonly access_rules: readonly AccessRule[] | null;
};

interface AccessRuleFields {
  readonly id?: string | undefined;
  readonly service?: string | undefined;
  readonly path?: string | undefined;
  readonly method?: string | undefined;
}

export interface CredentialFields {
  readonly name: string;
  readonly description?: string | null | undefined;
  readonly secret?: string | null | undefined;
  readonly expires_at?: string | null | undefined;
  readonly unrestricted?: boolean | null | undefined;
  readonly roles?: readonly { readonly id?: string | undefined; readonly name?: string | undefined }[] | undefined;
  readonly access_rules?: readonly AccessRuleFields[] | undefined;
}

/** Users' credentials for programs, and the rules that narrow them. upstream: keystone/application_credential/core.py */
export class ApplicationCredentials {
  constructor(
    private readonly db: TransactionRunner,
    private readonly stores: Stores,
    private readonly hasher: PasswordHasher,
    private readonly clock: Clock,
  ) {}

  list(_ctx: RequestContext, userId: string, filters: readonly Filter[]): Promise<ShownCredential[]> {
    return this.db.read('application_credentials.list', async (tx) => {
      const found = await this.stores.applicationCredentials.list(tx, [ownedBy(userId), ...filters]);
      return this.complete(tx, found);
    });
  }

  show(_ctx: RequestContext, userId: string, id: string): Promise<ShownCredential> {
    return this.db.read('application_credentials.show', async (tx) => {
      const [shown] = await this.complete(tx, [await this.require(tx, userId, id)]);
      if (shown === undefined) throw KeystoneError.ApplicationCredentialNotFound({ application_credential_id: id });
      return shown;
    });
  }

  /** Made for the token's project, with the token's roles or some of them. The secret is shown this once. */
  async create(
    ctx: RequestContext,
    userId: string,
    fields: CredentialFields,
    held: readonly RoleRef[],
  ): Promise<{ readonly credential: ShownCredential; readonly secret: string }> {
    const projectId = ctx.actor?.projectId ?? null;
    if (projectId === null)
      throw KeystoneError.InvalidInput({ reason: 'Application credentials need a token with a project scope.' });
    const roleIds = (fields.roles ?? held).map((one) => {
      const role = held.find((mine) => (one.id === undefined ? mine.name === one.name : mine.id === one.id));
      if (role === undefined) {
        throw KeystoneError.InvalidInput({
          reason: `Invalid application credential: Could not find role assignment with role: ${one.id ?? one.name ?? ''}, user or group: ${userId}, project, domain, or system: ${projectId}.`,
        });
      }
      return role.id;
    });
    const end = fields.expires_at ?? null;
    const expires_at = end === null ? null : endOf(end, this.clock.now());
    const secret = fields.secret ?? randomBytes(64).toString('base64url');
    const secret_hash = await this.hasher.hash(secret);
    return this.db.run('application_credentials.create', async (tx) => {
      const rules = fields.access_rules ?? [];
      const made = await this.stores.applicationCredentials.insert(tx, {
        id: newHexId(),
        name: fields.name,
        description: fields.description ?? null,
        user_id: userId,
        project_id: projectId,
        secret_hash,
        role_ids: roleIds,
        access_rule_ids: rules.length === 0 ? null : await this.ensureRules(tx, userId, rules),
        expires_at,
        unrestricted: fields.unrestricted ?? false,
      });
      const [credential] = await this.complete(tx, [made]);
      if (credential === undefined) throw new Error('unreachable');
      return { credential, secret };
    });
  }

  async remove(_ctx: RequestContext, userId: string, id: string): Promise<void> {
    await this.db.run('application_credentials.remove', async (tx) => {
      await this.require(tx, userId, id);
      // Whoever came first has removed it.
      if (!(await this.stores.applicationCredentials.remove(tx, id)))
        throw KeystoneError.ApplicationCredentialNotFound({ application_credential_id: id });
      await this.stores.revocations.announce(tx, revocation(this.clock.now(), { userId }));
    });
  }

  listRules(_ctx: RequestContext, userId: string, filters: readonly Filter[]): Promise<AccessRule[]> {
    return this.db.read('access_rules.list', (tx) => this.stores.accessRules.list(tx, [ownedBy(userId), ...filters]));
  }

  showRule(_ctx: RequestContext, userId: string, id: string): Promise<AccessRule> {
    return this.db.read('access_rules.show', (tx) => this.requireRule(tx, userId, id));
  }

  /** A rule goes only when no credential has it any more. */
  async removeRule(_ctx: RequestContext, userId: string, id: string): Promise<void> {
    await this.db.run('access_rules.remove', async (tx) => {
      await this.requireRule(tx, userId, id);
      if (await this.stores.accessRules.inUse(tx, id)) {
        throw KeystoneError.ForbiddenAction({ action: `deleting access rule ${id} that application credentials use` });
      }
      if (!(await this.stores.accessRules.remove(tx, id)))
        throw KeystoneError.AccessRuleNotFound({ access_rule_id: id });
    });
  }

  /** Ids of the rules; those that name one of the user's rules, or say what one says already, are that one. */
  private async ensureRules(tx: Tx, userId: string, wanted: readonly AccessRuleFields[]): Promise<string[]> {
    const known = await this.stores.accessRules.list(tx, [ownedBy(userId)]);
    const ids: string[] = [];
    for (const rule of wanted) {
      const { service, path, method } = rule;
      let found =
        known.find((one) => one.id === rule.id) ??
        known.find((one) => one.service === service && one.path === path && one.method === method);
      if (found === undefined) {
        if (service === undefined || path === undefined || method === undefined) {
          throw KeystoneError.AccessRuleNotFound({ access_rule_id: rule.id ?? '' });
        }
        const made = { id: newHexId(), user_id: userId, service, path, method };
        found = await this.stores.accessRules.insert(tx, made);
        known.push(found);
      }
      ids.push(found.id);
    }
    return ids;
  }

  private async complete(tx: Tx, credentials: readonly ApplicationCredential[]): Promise<ShownCredential[]> {
    const roles = await fetch(
      this.stores.roles,
      tx,
      credentials.flatMap((one) => one.role_ids),
    );
    const rules = await fetch(
      this.stores.accessRules,
      tx,
      credentials.flatMap((one) => one.access_rule_ids ?? []),
    );
    return credentials.map((credential) => ({
      ...credential,
      roles: pick(roles, credential.role_ids).map(({ id, name, domain_id }) => ({ id, name, domain_id })),
      access_rules: credential.access_rule_ids === null ? null : pick(rules, credential.access_rule_ids),
    }));
  }

  private async require(tx: Tx, userId: string, id: string): Promise<ApplicationCredential> {
    const found = await this.stores.applicationCredentials.find(tx, id);
    if (found === null || found.user_id !== userId)
      throw KeystoneError.ApplicationCredentialNotFound({ application_credential_id: id });
    return found;
  }

  private async requireRule(tx: Tx, userId: string, id: string): Promise<AccessRule> {
    const found = await this.stores.accessRules.find(tx, id);
    if (found === null || found.user_id !== userId) throw KeystoneError.AccessRuleNotFound({ access_rule_id: id });
    return found;
  }
}

function ownedBy(userId: string): Filter {
  return { field: 'user_id', op: 'eq', value: userId };
}

async function fetch<T>(
  store: { list(tx: Tx, filters: readonly Filter[]): Promise<T[]> },
  tx: Tx,
  ids: readonly string[],
): Promise<T[]> {
  return ids.length === 0 ? [] : store.list(tx, [{ field: 'id', op: 'in', value: [...new Set(ids)] }]);
}

function pick<T extends { readonly id: string }>(rows: readonly T[], ids: readonly string[]): T[] {
  return rows.filter((row) => ids.includes(row.id));
}
