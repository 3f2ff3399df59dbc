import { Inject, Injectable } from '@nestjs/common';
import { Handles, type ApiRequest, type RequestOf } from '@nestack/kernel/http';
import { KeystoneError, projects } from '@nestack/keystone/contract';
import { Projects, Users, type Filter, type Project } from '@nestack/keystone/domain';
import { Guard } from './guard';
import { extraOf, filtersOf, flag, listLinks, param } from './list-query';
import { projectView } from './views';

const KNOWN = ['id', 'name', 'domain_id', 'parent_id', 'is_domain', 'enabled', 'description', 'tags', 'options'];

const TAG_FILTERS = {
  tags: 'has-all',
  'tags-any': 'has-any',
  'not-tags': 'not-all',
  'not-tags-any': 'not-any',
} as const;

/** Projects. upstream: keystone/api/projects.py */
@Injectable()
export class ProjectsController {
  constructor(
    @Inject(Projects) private readonly projects: Projects,
    @Inject(Users) private readonly users: Users,
    @Inject(Guard) private readonly guard: Guard,
  ) {}

  /** Domains, which are projects too, are listed only on request (`is_domain`). */
  @Handles(projects.list)
  async list(request: ApiRequest) {
    const domainId = request.ctx.actor?.domainId ?? null;
    this.guard.enforce(request.ctx, 'list_projects', { domainId });
    const query = request.rawQuery;
    const filters = filtersOf(query, { name: 'text', domain_id: 'text', parent_id: 'text', enabled: 'boolean' });
    filters.push({ field: 'is_domain', op: 'eq', value: flagOf(query, 'is_domain') });
    if (domainId !== null) filters.push({ field: 'domain_id', op: 'eq', value: domainId });
    filters.push(...tagFilters(query));
    const found = await this.projects.list(request.ctx, filters);
    return { projects: found.map((project) => projectView(request.baseUrl, project)), links: listLinks(request) };
  }

  @Handles(projects.create)
  async create(request: RequestOf<typeof projects.create>) {
    const fields = request.body['project'];
    if (fields === undefined) throw KeystoneError.ValidationError({ attribute: 'project', target: 'body' });
    const { actor } = request.ctx;
    const domain_id = fields.domain_id ?? actor?.domainId ?? actor?.projectDomain?.id ?? null;
    this.guard.enforce(request.ctx, 'create_project', { project: { id: '', domain_id } });
    const project = await this.projects.create(request.ctx, { ...fields, extra: extraOf(fields, KNOWN) });
    return { project: projectView(request.baseUrl, project) };
  }

  @Handles(projects.show)
  async show(request: ApiRequest) {
    const project = await this.allowed(request, 'get_project');
    return { project: { ...projectView(request.baseUrl, project), ...(await this.family(request, project)) } };
  }

  @Handles(projects.update)
  async update(request: RequestOf<typeof projects.update>) {
    const fields = request.body['project'];
    if (fields === undefined) throw KeystoneError.ValidationError({ attribute: 'project', target: 'body' });
    const { id } = await this.allowed(request, 'update_project');
    const project = await this.projects.update(request.ctx, id, { ...fields, extra: extraOf(fields, KNOWN) });
    return { project: projectView(request.baseUrl, project) };
  }

  @Handles(projects.remove)
  async remove(request: ApiRequest): Promise<null> {
    const { id } = await this.allowed(request, 'delete_project');
    await this.projects.remove(request.ctx, id);
    return null;
  }

  private async allowed(request: ApiRequest, rule: string): Promise<Project> {
    const id = param(request, 'project_id');
    const project = await this.projects.find(request.ctx, id);
    this.guard.enforce(request.ctx, rule, { project });
    if (project === null) throw KeystoneError.ProjectNotFound({ project_id: id });
    return project;
  }

  /**
   * Parents and subtree, as lists of those projects on which the caller has a role, or as nested ids of all.
   * upstream: keystone/resource/core.py list_project_parents, list_projects_in_subtree
   */
  private async family(request: ApiRequest, project: Project): Promise<Record<string, unknown>> {
    const query = request.rawQuery;
    // Domains are parents by id alone. upstream: keystone/resource/core.py, get_project_parents_as_ids
    const asList = async (list: readonly Project[]) => {
      const { projects } = await this.users.scopes(request.ctx, request.ctx.actor?.userId ?? '');
      const own = new Set(projects.map(({ id }) => id));
      return list
        .filter((one) => !one.is_domain && own.has(one.id))
        .map((one) => ({ project: projectView(request.baseUrl, one) }));
    };
    const found: Record<string, unknown> = {};
    for (const [way, asked] of [
      ['parents', [flag(query, 'parents_as_list'), flag(query, 'parents_as_ids')]],
      ['subtree', [flag(query, 'subtree_as_list'), flag(query, 'subtree_as_ids')]],
    ] as const) {
      const [list, ids] = asked;
      if (list && ids) {
        throw KeystoneError.InvalidInput({
          reason: `Cannot use ${way}_as_list and ${way}_as_ids query params at the same time.`,
        });
      }
      if (!list && !ids) continue;
      const members = await (way === 'parents'
        ? this.projects.parents(request.ctx, project.id)
        : this.projects.subtree(request.ctx, project.id));
      found[way] = list ? await asList(members) : way === 'parents' ? chain(members) : tree(members, project.id);
    }
    return found;
  }
}

function flagOf(query: URLSearchParams, name: string): boolean {
  const value = query.get(name);
  return value !== null && !/^(0|false|no|off|f|n)$/i.test(value);
}

/** The conditions on tags among a list's parameters. */
export function tagFilters(query: URLSearchParams): Filter[] {
  return Object.entries(TAG_FILTERS).flatMap(([name, op]): Filter[] => {
    const value = query.get(name);
    return value === null ? [] : [{ field: 'tags', op, value: value.split(',') }];
  });
}

/** `{parent: {grandparent: null}}`, null at the top. */
function chain(parents: readonly Project[]): Record<string, unknown> | null {
  return [...parents].reverse().reduce<Record<string, unknown> | null>((above, one) => ({ [one.id]: above }), null);
}

/** Children by id, null for those without any. */
function tree(members: readonly Project[], root: string): Record<string, unknown> | null {
  const children = members.filter((one) => one.parent_id === root);
  if (children.length === 0) return null;
  return Object.fromEntries(children.map((one) => [one.id, tree(members, one.id)]));
}
