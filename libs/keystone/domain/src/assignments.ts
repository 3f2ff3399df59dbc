import type { RequestContext, TransactionRunner, Tx } from '@nestack/kernel/context';
import type { Assignment } from './model';
import type { Stores } from './ports';
import { below } from './projects';

export interface AssignmentQuery {
  readonly user?: string | undefined;
  readonly group?: string | undefined;
  readonly role?: string | undefined;
  readonly project?: string | undefined;
  readonly domain?: string | undefined;
  readonly system?: boolean | undefined;
  readonly inherited?: boolean | undefined;
  /** Groups, inherited and implied roles resolved to what users really have. */
  readonly effective: boolean;
  /** With `project`: the projects below it as well. */
  readonly subtree: boolean;
}

/** An assignment and where it comes from, when it is an effect of others. */
export interface ShownAssignment extends Assignment {
  readonly through_group?: string;
  readonly prior_role?: string;
  /** The role that was granted, when this one is only implied by it. */
  readonly granted_role?: string;
  /** The target that it is inherited from. */
  readonly from?: { readonly type: 'project' | 'domain'; readonly id: string };
}

export interface Named {
  readonly name: string;
  readonly domain_id: string | null;
}

/** Names of all that assignments mention, by id. */
export type NameTable = ReadonlyMap<string, Named & { readonly domain_name: string | null }>;

/** Lists role assignments as granted, or as they take effect. upstream: keystone/assignment/core.py list_role_assignments */
export class Assignments {
  constructor(
    private readonly db: TransactionRunner,
    private readonly stores: Stores,
  ) {}

  list(_ctx: RequestContext, query: AssignmentQuery): Promise<ShownAssignment[]> {
    return this.db.read('assignments.list', async (tx) => {
      const targets = await this.targets(tx, query);
      const shown = query.effective ? await this.effective(tx, query) : await this.direct(tx, query, targets);
      return shown.filter((one) => fits(one, query, targets));
    });
  }

  /** For `include_names`. */
  names(_ctx: RequestContext, shown: readonly ShownAssignment[]): Promise<NameTable> {
    return this.db.read('assignments.names', async (tx) => {
      const table = new Map<string, Named & { domain_name: string | null }>();
      const pick = (type: string) => [
        ...new Set(shown.filter((one) => one.actor_type === type).map((one) => one.actor_id)),
      ];
      const add = (rows: readonly { id: string; name: string; domain_id: string | null }[]) => {
        for (const row of rows) table.set(row.id, { name: row.name, domain_id: row.domain_id, domain_name: null });
      };
      const byId = (ids: readonly string[]) => [{ field: 'id', op: 'in', value: ids }] as const;
      add(await this.stores.users.list(tx, byId(pick('user'))));
      add(await this.stores.groups.list(tx, byId(pick('group'))));
      add(await this.stores.projects.list(tx, byId([...new Set(shown.map((one) => one.target_id))])));
      add(await this.stores.roles.list(tx, byId([...new Set(shown.map((one) => one.role_id))])));
      const domains = await this.stores.projects.list(tx, [{ field: 'is_domain', op: 'eq', value: true }]);
      const domainNames = new Map(domains.map((domain) => [domain.id, domain.name]));
      for (const row of table.values()) row.domain_name = domainNames.get(row.domain_id ?? '') ?? null;
      return table;
    });
  }

  private async targets(tx: Tx, query: AssignmentQuery): Promise<ReadonlySet<string> | null> {
    if (query.project === undefined) return query.domain === undefined ? null : new Set([query.domain]);
    return new Set([
      query.project,
      ...(query.subtree ? below(await this.stores.projects.tree(tx), query.project) : []),
    ]);
  }

  private direct(tx: Tx, query: AssignmentQuery, targets: ReadonlySet<string> | null): Promise<ShownAssignment[]> {
    const actors = [query.user, query.group].filter((id) => id !== undefined);
    return this.stores.assignments.list(tx, {
      ...(actors.length === 0 ? {} : { actors }),
      ...(targets === null ? {} : { targets: [...targets] }),
      ...(query.role === undefined ? {} : { role_id: query.role }),
    });
  }

  private async effective(tx: Tx, query: AssignmentQuery): Promise<ShownAssignment[]> {
    const groups =
      query.user === undefined ? [] : (await this.stores.groups.groupsOf(tx, query.user)).map((one) => one.id);
    const granted = await this.stores.assignments.list(
      tx,
      query.user === undefined ? {} : { actors: [query.user, ...groups] },
    );
    const byUser = await this.throughGroups(tx, granted);
    const inPlace = await this.inherit(tx, byUser);
    const all = await this.imply(tx, inPlace);
    // Roles of a domain only imply others: no token has them.
    const global = await this.stores.roles.list(tx, [{ field: 'domain_id', op: 'eq', value: null }]);
    const effective = new Set(global.map((role) => role.id));
    const seen = new Set<string>();
    return all.filter((one) => {
      if (!effective.has(one.role_id)) return false;
      const key = JSON.stringify([
        one.actor_id,
        one.target_type,
        one.target_id,
        one.role_id,
        one.through_group,
        one.from?.id,
      ]);
      if (seen.has(key)) return false;
      seen.add(key);
      return query.user === undefined || one.actor_id === query.user;
    });
  }

  private async throughGroups(tx: Tx, granted: readonly Assignment[]): Promise<ShownAssignment[]> {
    const ids = [...new Set(granted.filter((one) => one.actor_type === 'group').map((one) => one.actor_id))];
    const members = ids.length === 0 ? [] : await this.stores.groups.members(tx, ids);
    return granted.flatMap((one): ShownAssignment[] => {
      if (one.actor_type === 'user') return [one];
      return members
        .filter((member) => member.group_id === one.actor_id)
        .map((member) => ({
          ...one,
          actor_type: 'user' as const,
          actor_id: member.user_id,
          through_group: one.actor_id,
        }));
    });
  }

  private async inherit(tx: Tx, granted: readonly ShownAssignment[]): Promise<ShownAssignment[]> {
    if (!granted.some((one) => one.inherited)) return [...granted];
    const tree = await this.stores.projects.tree(tx);
    return granted.flatMap((one): ShownAssignment[] => {
      if (!one.inherited || one.target_type === 'system') return [one];
      const from = { type: one.target_type, id: one.target_id };
      return below(tree, one.target_id).map((id) => ({
        ...one,
        target_type: 'project' as const,
        target_id: id,
        inherited: false,
        from,
      }));
    });
  }

  private async imply(tx: Tx, granted: readonly ShownAssignment[]): Promise<ShownAssignment[]> {
    const rules = await this.stores.assignments.implied(tx);
    return granted.flatMap((one) => {
      const found: ShownAssignment[] = [one];
      for (const at of found) {
        for (const rule of rules) {
          if (rule.prior_role_id !== at.role_id || found.some((known) => known.role_id === rule.implied_role_id))
            continue;
          found.push({
            ...one,
            role_id: rule.implied_role_id,
            prior_role: rule.prior_role_id,
            granted_role: one.role_id,
          });
        }
      }
      return found;
    });
  }
}

function fits(one: ShownAssignment, query: AssignmentQuery, targets: ReadonlySet<string> | null): boolean {
  if (query.user !== undefined && (one.actor_type !== 'user' || one.actor_id !== query.user)) return false;
  if (query.group !== undefined && (one.actor_type !== 'group' || one.actor_id !== query.group)) return false;
  if (query.role !== undefined && one.role_id !== query.role) return false;
  if (query.inherited !== undefined && (one.inherited || one.from !== undefined) !== query.inherited) return false;
  if (query.system === true && one.target_type !== 'system') return false;
  if (targets === null) return true;
  return one.target_type === (query.project === undefined ? 'domain' : 'project') && targets.has(one.target_id);
}
