import { Inject, Injectable } from '@nestjs/common';
import { Handles, type ApiRequest, type RequestOf } from '@nestack/kernel/http';
import { changePassword, KeystoneError, listUserGroups, listUserProjects, users } from '@nestack/keystone/contract';
import { Users, type User } from '@nestack/keystone/domain';
import { Guard } from './guard';
import { extraOf, filtersOf, listLinks, param } from './list-query';
import { groupView, projectView, userView } from './views';

const KNOWN = [
  'id',
  'name',
  'domain_id',
  'default_project_id',
  'password',
  'enabled',
  'description',
  'options',
  'password_expires_at',
];

/** Users. upstream: keystone/api/users.py */
@Injectable()
export class UsersController {
  constructor(
    @Inject(Users) private readonly users: Users,
    @Inject(Guard) private readonly guard: Guard,
  ) {}

  /** Callers with a domain's token see that domain alone. */
  @Handles(users.list)
  async list(request: ApiRequest) {
    const domainId = request.ctx.actor?.domainId ?? null;
    this.guard.enforce(request.ctx, 'list_users', { domainId });
    const filters = filtersOf(request.rawQuery, { name: 'text', domain_id: 'text', enabled: 'boolean' });
    if (domainId !== null) filters.push({ field: 'domain_id', op: 'eq', value: domainId });
    const found = await this.users.list(request.ctx, filters);
    return { users: found.map((user) => userView(request.baseUrl, user)), links: listLinks(request) };
  }

  @Handles(users.create)
  async create(request: RequestOf<typeof users.create>) {
    const fields = request.body['user'];
    if (fields === undefined) throw KeystoneError.ValidationError({ attribute: 'user', target: 'body' });
    const domain_id = fields.domain_id ?? request.ctx.actor?.domainId ?? request.ctx.actor?.projectDomain?.id ?? '';
    this.guard.enforce(request.ctx, 'create_user', { user: { id: '', domain_id } });
    const user = await this.users.create(request.ctx, { ...fields, extra: extraOf(fields, KNOWN) });
    return { user: userView(request.baseUrl, user) };
  }

  @Handles(users.show)
  async show(request: ApiRequest) {
    const user = await this.allowed(request, 'get_user');
    return { user: userView(request.baseUrl, user) };
  }

  @Handles(users.update)
  async update(request: RequestOf<typeof users.update>) {
    const fields = request.body['user'];
    if (fields === undefined) throw KeystoneError.ValidationError({ attribute: 'user', target: 'body' });
    const { id } = await this.allowed(request, 'update_user');
    const user = await this.users.update(request.ctx, id, { ...fields, extra: extraOf(fields, KNOWN) });
    return { user: userView(request.baseUrl, user) };
  }

  @Handles(users.remove)
  async remove(request: ApiRequest): Promise<null> {
    const { id } = await this.allowed(request, 'delete_user');
    await this.users.remove(request.ctx, id);
    return null;
  }

  @Handles(changePassword)
  async changePassword(request: RequestOf<typeof changePassword>): Promise<null> {
    const { original_password, password } = request.body.user;
    await this.users.changePassword(request.ctx, param(request, 'user_id'), original_password, password);
    return null;
  }

  @Handles(listUserProjects)
  async projects(request: ApiRequest) {
    const user = await this.allowed(request, 'list_user_projects');
    const { projects } = await this.users.scopes(request.ctx, user.id);
    const shown = projects.filter((project) => matches(project, request.rawQuery));
    return { projects: shown.map((project) => projectView(request.baseUrl, project)), links: listLinks(request) };
  }

  @Handles(listUserGroups)
  async groups(request: ApiRequest) {
    const user = await this.allowed(request, 'list_groups_for_user');
    const name = request.rawQuery.get('name');
    const groups = (await this.users.groups(request.ctx, user.id)).filter((one) => name === null || one.name === name);
    return { groups: groups.map((group) => groupView(request.baseUrl, group)), links: listLinks(request) };
  }

  /** The user, when the caller may do that with him; to others he looks forbidden whether he exists or not. */
  private async allowed(request: ApiRequest, rule: string): Promise<User> {
    const id = param(request, 'user_id');
    const user = await this.users.find(request.ctx, id);
    this.guard.enforce(request.ctx, rule, { user });
    if (user === null) throw KeystoneError.UserNotFound({ user_id: id });
    return user;
  }
}

function matches(
  project: { readonly name: string; readonly domain_id: string | null; readonly enabled: boolean },
  query: URLSearchParams,
): boolean {
  return filtersOf(query, { name: 'text', domain_id: 'text', enabled: 'boolean' }).every(
    (filter) => filter.op !== 'eq' || project[filter.field as 'name' | 'domain_id' | 'enabled'] === filter.value,
  );
}
