import { KeystoneError } from '@nestack/keystone/contract';
import type { Clock } from '@nestack/kernel/clock';
import type { RequestContext, TransactionRunner, Tx } from '@nestack/kernel/context';
import { newHexId } from '@nestack/kernel/ids';
import { SYSTEM, type Assignment, type Extra, type Role } from './model';
import type { Filter, Stores } from './ports';
import { revocation } from './revocations';
import { checkMutable, merged } from './options';

export interface RoleFields {
  readonly name?: string | undefined;
  readonly domain_id?: string | null | undefined;
  readonly description?: string | null | undefined;
  readonly options?: Extra | undefined;
  readonly extra?: Extra;
}

/** Roles, what they imply, and who has them where. upstream: keystone/assignment/core.py */
export class Roles {
  constructor(
    private readonly db: TransactionRunner,
    private readonly stores: Stores,
    private readonly clock: Clock,
  ) {}

  find(_ctx: RequestContext, id: string): Promise<Role | null> {
    return this.db.read('roles.find', (tx) => this.stores.roles.find(tx, id));
  }

  /** Without a domain filter: the roles that belong to no domain. */
  list(_ctx: RequestContext, filters: readonly Filter[]): Promise<Role[]> {
    const scoped = filters.some((one) => one.field === 'domain_id' || one.field === 'id');
    const all: Filter[] = scoped ? [...filters] : [...filters, { field: 'domain_id', op: 'eq', value: null }];
    return this.db.read('roles.list', (tx) => this.stores.roles.list(tx, all));
  }

  async create(_ctx: RequestContext, fields: RoleFields & { readonly name: string }): Promise<Role> {
    return this.db.run('roles.create', async (tx) => {
      if (fields.domain_id !== undefined && fields.domain_id !== null) {
        const domain = await this.stores.projects.find(tx, fields.domain_id);
        if (domain === null || !domain.is_domain) throw KeystoneError.DomainNotFound({ domain_id: fields.domain_id });
      }
      return this.stores.roles.insert(tx, {
        id: newHexId(),
        name: fields.name,
        domain_id: fields.domain_id ?? null,
        description: fields.description ?? null,
        options: fields.options ?? {},
        extra: fields.extra ?? {},
      });
    });
  }

  async update(_ctx: RequestContext, id: string, fields: RoleFields): Promise<Role> {
    return this.db.run('roles.update', async (tx) => {
      const before = await this.require(tx, id, { lock: true });
      if (fields.domain_id !== undefined && fields.domain_id !== before.domain_id) {
        throw KeystoneError.InvalidInput({ reason: 'Cannot change the domain ID.' });
      }
      checkMutable('role', before, fields);
      const after = await this.stores.roles.update(tx, id, {
        ...(fields.name === undefined ? {} : { name: fields.name }),
        ...(fields.description === undefined ? {} : { description: fields.description }),
        ...(fields.options === undefined ? {} : { options: merged(before.options, fields.options) }),
        extra: { ...before.extra, ...fields.extra },
      });
      if (after === null) throw KeystoneError.RoleNotFound({ role_id: id });
      if (before.name !== after.name) await this.announceRole(tx, id);
      return after;
    });
  }

  async remove(_ctx: RequestContext, id: string): Promise<void> {
    await this.db.run('roles.remove', async (tx) => {
      const role = await this.require(tx, id, { lock: true });
      if (role.options['immutable'] === true) throw KeystoneError.Immutable({ verb: 'delete', type: 'role', id });
      await this.stores.assignments.forget(tx, { role: id });
      await this.stores.roles.remove(tx, id);
      await this.announceRole(tx, id);
    });
  }

  /** The roles that one implies directly. */
  implied(_ctx: RequestContext, prior: string): Promise<{ readonly prior: Role; readonly implied: readonly Role[] }> {
    return this.db.read('roles.implied', async (tx) => {
      const role = await this.require(tx, prior);
      const rules = (await this.stores.assignments.implied(tx)).filter((rule) => rule.prior_role_id === prior);
      const ids = rules.map((rule) => rule.implied_role_id);
      const implied = ids.length === 0 ? [] : await this.stores.roles.list(tx, [{ field: 'id', op: 'in', value: ids }]);
      return { prior: role, implied };
    });
  }

  /** All rules, by prior role. */
  inferences(_ctx: RequestContext): Promise<readonly { readonly prior: Role; readonly implied: readonly Role[] }[]> {
    return this.db.read('roles.inferences', async (tx) => {
      const rules = await this.stores.assignments.implied(tx);
      const roles = new Map((await this.stores.roles.list(tx)).map((role) => [role.id, role]));
      const byPrior = new Map<string, Role[]>();
      for (const rule of rules) {
        const implied = roles.get(rule.implied_role_id);
        if (implied === undefined) continue;
        byPrior.set(rule.prior_role_id, [...(byPrior.get(rule.prior_role_id) ?? []), implied]);
      }
      return [...byPrior].flatMap(([id, implied]) => {
        const prior = roles.get(id);
        return prior === undefined ? [] : [{ prior, implied }];
      });
    });
  }

  async imply(
    _ctx: RequestContext,
    prior: string,
    implied: string,
  ): Promise<{ readonly prior: Role; readonly implied: Role }> {
    return this.db.run('roles.imply', async (tx) => {
      const result = { prior: await this.require(tx, prior), implied: await this.require(tx, implied) };
      if (result.prior.domain_id === null && result.implied.domain_id !== null) {
        throw KeystoneError.Forbidden({ reason: `Role ${implied} of a domain cannot be implied by a global role.` });
      }
      if (result.implied.name === 'admin') {
        throw KeystoneError.Forbidden({ reason: 'Role admin cannot be an implied role.' });
      }
      const rules = await this.stores.assignments.implied(tx);
      if (reaches(rules, implied, prior)) {
        throw KeystoneError.InvalidInput({
          reason: `Role ${prior} cannot imply ${implied}: the rules would go in a circle.`,
        });
      }
      await this.stores.assignments.addImplied(tx, prior, implied);
      await this.announceRole(tx, prior);
      return result;
    });
  }

  async showImplied(
    _ctx: RequestContext,
    prior: string,
    implied: string,
  ): Promise<{ readonly prior: Role; readonly implied: Role }> {
    return this.db.read('roles.show_implied', async (tx) => {
      const result = { prior: await this.require(tx, prior), implied: await this.require(tx, implied) };
      const rules = await this.stores.assignments.implied(tx);
      if (!rules.some((rule) => rule.prior_role_id === prior && rule.implied_role_id === implied)) {
        throw KeystoneError.ImpliedRoleNotFound({ prior_role_id: prior, implied_role_id: implied });
      }
      return result;
    });
  }

  async unimply(_ctx: RequestContext, prior: string, implied: string): Promise<void> {
    await this.db.run('roles.unimply', async (tx) => {
      await this.require(tx, prior);
      await this.require(tx, implied);
      if (!(await this.stores.assignments.removeImplied(tx, prior, implied))) {
        throw KeystoneError.ImpliedRoleNotFound({ prior_role_id: prior, implied_role_id: implied });
      }
      await this.announceRole(tx, prior);
    });
  }

  /** Roles of an actor on a target, as granted (no groups, no implied ones). */
  granted(_ctx: RequestContext, grant: Omit<Assignment, 'role_id'>): Promise<Role[]> {
    return this.db.read('grants.list', async (tx) => {
      await this.requireEnds(tx, grant);
      const found = await this.stores.assignments.list(tx, {
        actors: [grant.actor_id],
        actor_type: grant.actor_type,
        target_type: grant.target_type,
        targets: [grant.target_id],
        inherited: grant.inherited,
      });
      const ids = found.map((one) => one.role_id);
      return ids.length === 0 ? [] : this.stores.roles.list(tx, [{ field: 'id', op: 'in', value: ids }]);
    });
  }

  async grant(_ctx: RequestContext, assignment: Assignment): Promise<void> {
    await this.db.run('grants.add', async (tx) => {
      await this.requireEnds(tx, assignment);
      const role = await this.require(tx, assignment.role_id);
      await this.checkDomains(tx, role, assignment);
      await this.stores.assignments.add(tx, assignment);
      await this.announceGrant(tx, assignment);
    });
  }

  checkGrant(_ctx: RequestContext, assignment: Assignment): Promise<void> {
    return this.db.read('grants.check', async (tx) => {
      await this.requireEnds(tx, assignment);
      await this.require(tx, assignment.role_id);
      if (!(await this.stores.assignments.has(tx, assignment))) throw missing(assignment);
    });
  }

  /** The role is gone from tokens at once: they say what the tables say. */
  async ungrant(_ctx: RequestContext, assignment: Assignment): Promise<void> {
    await this.db.run('grants.remove', async (tx) => {
      await this.require(tx, assignment.role_id);
      if (!(await this.stores.assignments.remove(tx, assignment))) throw missing(assignment);
      await this.announceGrant(tx, assignment);
    });
  }

  private async announceGrant(tx: Tx, assignment: Assignment): Promise<void> {
    const now = this.clock.now();
    const direct =
      assignment.target_type === 'project' && !assignment.inherited ? { projectId: assignment.target_id } : {};
    const users =
      assignment.actor_type === 'user'
        ? [assignment.actor_id]
        : (await this.stores.groups.members(tx, [assignment.actor_id])).map((member) => member.user_id);
    await this.stores.revocations.announce(tx, ...users.map((userId) => revocation(now, { userId, ...direct })));
  }

  private async announceRole(tx: Tx, id: string): Promise<void> {
    await this.stores.revocations.announce(tx, revocation(this.clock.now(), { roleId: id }));
  }

  private async require(tx: Tx, id: string, options?: { readonly lock?: boolean }): Promise<Role> {
    const found = await this.stores.roles.find(tx, id, options);
    if (found === null) throw KeystoneError.RoleNotFound({ role_id: id });
    return found;
  }

  private async requireEnds(tx: Tx, grant: Omit<Assignment, 'role_id'>): Promise<void> {
    if (grant.actor_type === 'user' && (await this.stores.users.find(tx, grant.actor_id)) === null) {
      throw KeystoneError.UserNotFound({ user_id: grant.actor_id });
    }
    if (grant.actor_type === 'group' && (await this.stores.groups.find(tx, grant.actor_id)) === null) {
      throw KeystoneError.GroupNotFound({ group_id: grant.actor_id });
    }
    if (grant.target_type === 'system') return;
    const target = await this.stores.projects.find(tx, grant.target_id);
    if (grant.target_type === 'domain' && (target === null || !target.is_domain)) {
      throw KeystoneError.DomainNotFound({ domain_id: grant.target_id });
    }
    if (target === null) throw KeystoneError.ProjectNotFound({ project_id: grant.target_id });
  }

  /** A domain's own roles stay within the domain. */
  private async checkDomains(tx: Tx, role: Role, assignment: Assignment): Promise<void> {
    if (role.domain_id === null) return;
    const target = assignment.target_id === SYSTEM ? null : await this.stores.projects.find(tx, assignment.target_id);
    const domain = target === null ? null : (target.domain_id ?? target.id);
    if (domain !== role.domain_id) {
      throw KeystoneError.Forbidden({
        reason: `Role ${role.id} belongs to another domain than ${assignment.target_id}.`,
      });
    }
  }
}

/** Whether the rules lead from one role to another. */
export function reaches(
  rules: readonly { readonly prior_role_id: string; readonly implied_role_id: string }[],
  from: string,
  to: string,
): boolean {
  const seen = new Set([from]);
  for (const at of seen) {
    if (at === to) return true;
    for (const rule of rules) if (rule.prior_role_id === at) seen.add(rule.implied_role_id);
  }
  return false;
}

function missing(assignment: Assignment) {
  return KeystoneError.RoleAssignmentNotFound({
    role_id: assignment.role_id,
    actor_id: assignment.actor_id,
    target_id: assignment.target_id,
  });
}
