import { Inject, Injectable } from '@nestjs/common';
import { Handles, type ApiRequest, type RequestOf } from '@nestack/kernel/http';
import {
  addGroupUser,
  checkGroupUser,
  groups,
  KeystoneError,
  listGroupUsers,
  removeGroupUser,
} from '@nestack/keystone/contract';
import { Groups, Users, type Group } from '@nestack/keystone/domain';
import { Guard } from './guard';
import { extraOf, filtersOf, listLinks, param } from './list-query';
import { groupView, userView } from './views';

const KNOWN = ['id', 'name', 'domain_id', 'description'];

/** Groups and their members. upstream: keystone/api/groups.py */
@Injectable()
export class GroupsController {
  constructor(
    @Inject(Groups) private readonly groups: Groups,
    @Inject(Users) private readonly users: Users,
    @Inject(Guard) private readonly guard: Guard,
  ) {}

  @Handles(groups.list)
  async list(request: ApiRequest) {
    const domainId = request.ctx.actor?.domainId ?? null;
    this.guard.enforce(request.ctx, 'list_groups', { domainId });
    const filters = filtersOf(request.rawQuery, { name: 'text', domain_id: 'text' });
    if (domainId !== null) filters.push({ field: 'domain_id', op: 'eq', value: domainId });
    const found = await this.groups.list(request.ctx, filters);
    return { groups: found.map((group) => groupView(request.baseUrl, group)), links: listLinks(request) };
  }

  @Handles(groups.create)
  async create(request: RequestOf<typeof groups.create>) {
    const fields = request.body['group'];
    if (fields === undefined) throw KeystoneError.ValidationError({ attribute: 'group', target: 'body' });
    const domain_id = fields.domain_id ?? request.ctx.actor?.domainId ?? request.ctx.actor?.projectDomain?.id ?? '';
    this.guard.enforce(request.ctx, 'create_group', { group: { id: '', domain_id } });
    const group = await this.groups.create(request.ctx, { ...fields, extra: extraOf(fields, KNOWN) });
    return { group: groupView(request.baseUrl, group) };
  }

  @Handles(groups.show)
  async show(request: ApiRequest) {
    return { group: groupView(request.baseUrl, await this.allowed(request, 'get_group')) };
  }

  @Handles(groups.update)
  async update(request: RequestOf<typeof groups.update>) {
    const fields = request.body['group'];
    if (fields === undefined) throw KeystoneError.ValidationError({ attribute: 'group', target: 'body' });
    const { id } = await this.allowed(request, 'update_group');
    const group = await this.groups.update(request.ctx, id, { ...fields, extra: extraOf(fields, KNOWN) });
    return { group: groupView(request.baseUrl, group) };
  }

  @Handles(groups.remove)
  async remove(request: ApiRequest): Promise<null> {
    const { id } = await this.allowed(request, 'delete_group');
    await this.groups.remove(request.ctx, id);
    return null;
  }

  @Handles(listGroupUsers)
  async members(request: ApiRequest) {
    const { id } = await this.allowed(request, 'list_users_in_group');
    const name = request.rawQuery.get('name');
    const users = (await this.groups.members(request.ctx, id)).filter((one) => name === null || one.name === name);
    return { users: users.map((user) => userView(request.baseUrl, user)), links: listLinks(request) };
  }

  @Handles(addGroupUser)
  async add(request: ApiRequest): Promise<null> {
    await this.allowed(request, 'add_user_to_group');
    await this.groups.addMember(request.ctx, param(request, 'group_id'), param(request, 'user_id'));
    return null;
  }

  @Handles(checkGroupUser)
  async check(request: ApiRequest): Promise<null> {
    await this.allowed(request, 'check_user_in_group');
    await this.groups.checkMember(request.ctx, param(request, 'group_id'), param(request, 'user_id'));
    return null;
  }

  @Handles(removeGroupUser)
  async drop(request: ApiRequest): Promise<null> {
    await this.allowed(request, 'remove_user_from_group');
    await this.groups.removeMember(request.ctx, param(request, 'group_id'), param(request, 'user_id'));
    return null;
  }

  private async allowed(request: ApiRequest, rule: string): Promise<Group> {
    const id = param(request, 'group_id');
    const group = await this.groups.find(request.ctx, id);
    const member = request.params['user_id'];
    const user = member === undefined ? null : await this.users.find(request.ctx, member);
    this.guard.enforce(request.ctx, rule, { group, user });
    if (group === null) throw KeystoneError.GroupNotFound({ group_id: id });
    return group;
  }
}
