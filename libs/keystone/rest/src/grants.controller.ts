import { Inject, Injectable } from '@nestjs/common';
import { Handles, type ApiRequest, type Operation } from '@nestack/kernel/http';
import { grants, type GrantKind } from '@nestack/keystone/contract';
import { Groups, Projects, Roles, SYSTEM, Users, type Assignment } from '@nestack/keystone/domain';
import { Guard } from './guard';
import { listLinks, param } from './list-query';
import { roleView } from './views';

type Verb = 'list' | 'add' | 'check' | 'remove';

const RULES: Readonly<Record<Verb, string>> = {
  list: 'list_grants',
  add: 'create_grant',
  check: 'check_grant',
  remove: 'revoke_grant',
};
const SYSTEM_RULES: Readonly<Record<Verb, string>> = {
  list: 'list_system_grants_for',
  add: 'create_system_grant_for',
  check: 'check_system_grant_for',
  remove: 'revoke_system_grant_for',
};

/** Grants of roles to users and groups on projects, domains and the system: one handler for each declared operation. */
@Injectable()
export class GrantsController {
  constructor(
    @Inject(Roles) private readonly roles: Roles,
    @Inject(Users) private readonly users: Users,
    @Inject(Groups) private readonly groups: Groups,
    @Inject(Projects) private readonly projects: Projects,
    @Inject(Guard) private readonly guard: Guard,
  ) {
    for (const kind of grants) {
      this.handle(kind.list, (request) => this.list(kind, request));
      this.handle(kind.add, (request) => this.add(kind, request));
      this.handle(kind.check, (request) => this.check(kind, request));
      this.handle(kind.remove, (request) => this.remove(kind, request));
    }
  }

  private handle(operation: Operation, value: (request: ApiRequest) => Promise<unknown>): void {
    const descriptor = { value, configurable: true };
    Handles(operation)(this, operation.id, descriptor);
    Object.defineProperty(this, operation.id, descriptor);
  }

  private async list(kind: GrantKind, request: ApiRequest) {
    await this.enforce('list', kind, request);
    const found = await this.roles.granted(request.ctx, grantOf(kind, request));
    return { roles: found.map((role) => roleView(request.baseUrl, role)), links: listLinks(request) };
  }

  private async add(kind: GrantKind, request: ApiRequest): Promise<null> {
    await this.enforce('add', kind, request);
    await this.roles.grant(request.ctx, assignmentOf(kind, request));
    return null;
  }

  private async check(kind: GrantKind, request: ApiRequest): Promise<null> {
    await this.enforce('check', kind, request);
    await this.roles.checkGrant(request.ctx, assignmentOf(kind, request));
    return null;
  }

  private async remove(kind: GrantKind, request: ApiRequest): Promise<null> {
    await this.enforce('remove', kind, request);
    await this.roles.ungrant(request.ctx, assignmentOf(kind, request));
    return null;
  }

  private async enforce(verb: Verb, kind: GrantKind, request: ApiRequest): Promise<void> {
    const { ctx } = request;
    if (kind.target === 'system') {
      this.guard.enforce(ctx, `${SYSTEM_RULES[verb]}_${kind.actor}`);
      return;
    }
    const role = request.params['role_id'];
    const [user, group, target, granted] = await Promise.all([
      kind.actor === 'user' ? this.users.find(ctx, param(request, 'user_id')) : null,
      kind.actor === 'group' ? this.groups.find(ctx, param(request, 'group_id')) : null,
      this.projects.find(ctx, param(request, `${kind.target}_id`)),
      role === undefined ? null : this.roles.find(ctx, role),
    ]);
    const place = kind.target === 'project' ? { project: target } : { domain: target };
    this.guard.enforce(ctx, RULES[verb], { user, group, role: granted, ...place });
  }
}

function grantOf(kind: GrantKind, request: ApiRequest): Omit<Assignment, 'role_id'> {
  return {
    actor_type: kind.actor,
    actor_id: param(request, `${kind.actor}_id`),
    target_type: kind.target,
    target_id: kind.target === 'system' ? SYSTEM : param(request, `${kind.target}_id`),
    inherited: kind.inherited,
  };
}

function assignmentOf(kind: GrantKind, request: ApiRequest): Assignment {
  return { ...grantOf(kind, request), role_id: param(request, 'role_id') };
}
