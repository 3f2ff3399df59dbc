import { KeystoneError } from '@nestack/keystone/contract';
import type { Clock } from '@nestack/kernel/clock';
import type { RequestContext, TransactionRunner, Tx } from '@nestack/kernel/context';
import { newHexId } from '@nestack/kernel/ids';
import type { Extra, Project } from './model';
import type { Filter, Stores } from './ports';
import { revocation } from './revocations';
import { checkMutable, merged } from './options';

export interface ProjectFields {
  readonly name?: string | undefined;
  readonly domain_id?: string | null | undefined;
  readonly parent_id?: string | null | undefined;
  readonly is_domain?: boolean | undefined;
  readonly enabled?: boolean | undefined;
  readonly description?: string | null | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly options?: Extra | undefined;
  readonly extra?: Extra;
}

/** How deep the tree may be, the domain included. upstream: [DEFAULT] max_project_tree_depth */
const MAX_DEPTH = 6;

/** Projects and domains. upstream: keystone/resource/core.py */
export class Projects {
  constructor(
    private readonly db: TransactionRunner,
    private readonly stores: Stores,
    private readonly clock: Clock,
  ) {}

  find(_ctx: RequestContext, id: string): Promise<Project | null> {
    return this.db.read('projects.find', (tx) => this.stores.projects.find(tx, id));
  }

  list(_ctx: RequestContext, filters: readonly Filter[]): Promise<Project[]> {
    return this.db.read('projects.list', (tx) => this.stores.projects.list(tx, filters));
  }

  /** Projects that a project lies in, nearest first, the domain last. */
  async parents(_ctx: RequestContext, id: string): Promise<Project[]> {
    return this.db.read('projects.parents', (tx) => this.stores.projects.ancestors(tx, id));
  }

  /** All projects below one. */
  async subtree(_ctx: RequestContext, id: string): Promise<Project[]> {
    return this.db.read('projects.subtree', (tx) => this.stores.projects.descendants(tx, id));
  }

  async create(
    ctx: RequestContext,
    fields: ProjectFields & { readonly name: string; readonly id?: string },
  ): Promise<Project> {
    return this.db.run('projects.create', (tx) => this.createIn(ctx, tx, fields));
  }

  async createIn(
    ctx: RequestContext,
    tx: Tx,
    fields: ProjectFields & { readonly name: string; readonly id?: string },
  ): Promise<Project> {
    const isDomain = fields.is_domain ?? false;
    const place = isDomain ? { domain_id: null, parent_id: null } : await this.place(ctx, tx, fields);
    return this.stores.projects.insert(tx, {
      id: fields.id ?? newHexId(),
      name: fields.name.trim(),
      ...place,
      is_domain: isDomain,
      enabled: fields.enabled ?? true,
      description: fields.description ?? '',
      tags: fields.tags ?? [],
      options: fields.options ?? {},
      extra: fields.extra ?? {},
    });
  }

  /** `domain` restricts to domains, whose errors name domains. */
  async update(_ctx: RequestContext, id: string, fields: ProjectFields, domain = false): Promise<Project> {
    return this.db.run('projects.update', async (tx) =>
      this.change(tx, await this.require(tx, id, domain, { lock: true }), fields, domain),
    );
  }

  /** Sets the tags that `change` makes of those that there are, one change after the other. */
  async changeTags(
    _ctx: RequestContext,
    id: string,
    change: (tags: readonly string[]) => readonly string[],
  ): Promise<readonly string[]> {
    return this.db.run('projects.tags', async (tx) => {
      const before = await this.require(tx, id, false, { lock: true });
      const after = await this.change(tx, before, { tags: [...new Set(change(before.tags))] }, false);
      return after.tags;
    });
  }

  private async change(tx: Tx, before: Project, fields: ProjectFields, domain: boolean): Promise<Project> {
    const { id } = before;
    if (fields.domain_id !== undefined && fields.domain_id !== before.domain_id) {
      throw KeystoneError.InvalidInput({ reason: 'Cannot change the domain ID.' });
    }
    if (fields.parent_id !== undefined && fields.parent_id !== before.parent_id) {
      throw KeystoneError.Forbidden({ reason: 'Update of `parent_id` is not allowed.' });
    }
    if (fields.is_domain !== undefined && fields.is_domain !== before.is_domain) {
      throw KeystoneError.InvalidInput({ reason: 'Update of `is_domain` is not allowed.' });
    }
    checkMutable(domain ? 'domain' : 'project', before, fields);
    if (!before.is_domain && fields.enabled !== undefined && fields.enabled !== before.enabled) {
      await this.checkSwitch(tx, id, fields.enabled);
    }
    const after = await this.stores.projects.update(tx, id, {
      ...(fields.name === undefined ? {} : { name: fields.name.trim() }),
      ...(fields.enabled === undefined ? {} : { enabled: fields.enabled }),
      ...(fields.description === undefined ? {} : { description: fields.description ?? '' }),
      ...(fields.tags === undefined ? {} : { tags: fields.tags }),
      ...(fields.options === undefined ? {} : { options: merged(before.options, fields.options) }),
      extra: { ...before.extra, ...fields.extra },
    });
    if (after === null) throw notFound(id, domain);
    if (before.enabled && !after.enabled) await this.endTokens(tx, after);
    else await this.stores.revocations.announce(tx, this.about(after));
    return after;
  }

  /** A project must have no children; a domain must be disabled first and takes all in it along. */
  async remove(_ctx: RequestContext, id: string, domain = false): Promise<void> {
    await this.db.run('projects.remove', async (tx) => {
      const project = await this.require(tx, id, domain, { lock: true });
      if (project.options['immutable'] === true)
        throw KeystoneError.Immutable({ verb: 'delete', type: domain ? 'domain' : 'project', id });
      if (project.is_domain) {
        if (project.enabled) {
          throw KeystoneError.Forbidden({
            reason: 'Cannot delete a domain that is enabled, please disable it first.',
          });
        }
        // Tokens of its users and projects end with the domain itself; those of trusts with others do not.
        const members = await this.stores.users.list(tx, [{ field: 'domain_id', op: 'eq', value: id }]);
        await this.stores.revocations.announce(
          tx,
          ...members.map((user) => revocation(this.clock.now(), { userId: user.id })),
        );
        await this.stores.projects.emptyDomain(tx, id);
      } else if (await this.stores.projects.hasChildren(tx, id)) {
        throw KeystoneError.Forbidden({
          reason: `Cannot delete the project ${id} since it is not a leaf in the hierarchy. Use the cascade option if you want to delete a whole subtree.`,
        });
      }
      await this.removeIn(tx, project);
    });
  }

  /** No enabled project lies in a disabled one. */
  private async checkSwitch(tx: Tx, id: string, enable: boolean): Promise<void> {
    const family = enable
      ? await this.stores.projects.ancestors(tx, id)
      : await this.stores.projects.descendants(tx, id);
    if (!family.some((one) => one.enabled !== enable && !one.is_domain)) return;
    throw KeystoneError.ForbiddenAction({
      action: enable
        ? `cannot enable project ${id} since it has disabled parents`
        : `cannot disable project ${id} since its subtree contains enabled projects`,
    });
  }

  private async removeIn(tx: Tx, project: Project): Promise<void> {
    await this.stores.assignments.forget(tx, { target: project.id });
    await this.stores.projects.remove(tx, project.id);
    await this.endTokens(tx, project);
  }

  private async endTokens(tx: Tx, project: Project): Promise<void> {
    await this.stores.revocations.record(tx, this.about(project));
  }

  private about(project: Project) {
    return revocation(this.clock.now(), project.is_domain ? { domainId: project.id } : { projectId: project.id });
  }

  private async require(tx: Tx, id: string, domain: boolean, options?: { readonly lock?: boolean }): Promise<Project> {
    const found = await this.stores.projects.find(tx, id, options);
    if (found === null || (domain && !found.is_domain)) throw notFound(id, domain);
    return found;
  }

  /** Domain and parent of a new project: what is not given follows from the other, else from the caller's scope. */
  private async place(
    ctx: RequestContext,
    tx: Tx,
    fields: ProjectFields,
  ): Promise<{ domain_id: string; parent_id: string }> {
    const parentId =
      fields.parent_id ?? fields.domain_id ?? ctx.actor?.domainId ?? ctx.actor?.projectDomain?.id ?? 'default';
    const parent = await this.stores.projects.find(tx, parentId);
    if (parent === null) {
      throw fields.parent_id === undefined || fields.parent_id === null
        ? KeystoneError.DomainNotFound({ domain_id: parentId })
        : KeystoneError.ProjectNotFound({ project_id: parentId });
    }
    const domainId = parent.is_domain ? parent.id : (parent.domain_id ?? 'default');
    if (fields.domain_id !== undefined && fields.domain_id !== null && fields.domain_id !== domainId) {
      throw KeystoneError.InvalidInput({
        reason: `Cannot create project, since it specifies its domain_id ${fields.domain_id}, but specifies a parent in a different domain (${domainId}).`,
      });
    }
    if (!parent.enabled) {
      throw KeystoneError.InvalidInput({
        reason: `Cannot create project in a branch containing a disabled project: ${parent.id}`,
      });
    }
    const above = await this.stores.projects.ancestors(tx, parent.id);
    if (above.length + 2 > MAX_DEPTH) {
      throw KeystoneError.Forbidden({ reason: `Max hierarchy depth reached for ${parent.id} branch.` });
    }
    return { domain_id: domainId, parent_id: parent.id };
  }
}

/** Ids of all nodes below one. */
export function below(
  tree: readonly { readonly id: string; readonly parent_id: string | null }[],
  root: string,
): string[] {
  const children = new Map<string, string[]>();
  for (const node of tree) {
    if (node.parent_id === null) continue;
    const list = children.get(node.parent_id);
    if (list === undefined) children.set(node.parent_id, [node.id]);
    else list.push(node.id);
  }
  const found: string[] = [];
  const queue = [...(children.get(root) ?? [])];
  for (let at = queue.shift(); at !== undefined; at = queue.shift()) {
    found.push(at);
    queue.push(...(children.get(at) ?? []));
  }
  return found;
}

function notFound(id: string, domain: boolean) {
  return domain ? KeystoneError.DomainNotFound({ domain_id: id }) : KeystoneError.ProjectNotFound({ project_id: id });
}
