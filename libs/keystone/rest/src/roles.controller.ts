import { Inject, Injectable } from '@nestjs/common';
import { Handles, type ApiRequest, type RequestOf } from '@nestack/kernel/http';
import {
  checkImpliedRole,
  createImpliedRole,
  deleteImpliedRole,
  KeystoneError,
  listImpliedRoles,
  listRoleInferences,
  roles,
  showImpliedRole,
} from '@nestack/keystone/contract';
import { Roles } from '@nestack/keystone/domain';
import { extraOf, filtersOf, listLinks, param } from './list-query';
import { impliedRoleView, roleView } from './views';

const KNOWN = ['id', 'name', 'domain_id', 'description', 'options'];

/** Roles and what they imply. upstream: keystone/api/roles.py */
@Injectable()
export class RolesController {
  constructor(@Inject(Roles) private readonly roles: Roles) {}

  @Handles(roles.list)
  async list(request: ApiRequest) {
    const found = await this.roles.list(request.ctx, filtersOf(request.rawQuery, { name: 'text', domain_id: 'text' }));
    return { roles: found.map((role) => roleView(request.baseUrl, role)), links: listLinks(request) };
  }

  @Handles(roles.create)
  async create(request: RequestOf<typeof roles.create>) {
    const fields = request.body['role'];
    if (fields === undefined) throw KeystoneError.ValidationError({ attribute: 'role', target: 'body' });
    const role = await this.roles.create(request.ctx, { ...fields, extra: extraOf(fields, KNOWN) });
    return { role: roleView(request.baseUrl, role) };
  }

  @Handles(roles.show)
  async show(request: ApiRequest) {
    const id = param(request, 'role_id');
    const role = await this.roles.find(request.ctx, id);
    if (role === null) throw KeystoneError.RoleNotFound({ role_id: id });
    return { role: roleView(request.baseUrl, role) };
  }

  @Handles(roles.update)
  async update(request: RequestOf<typeof roles.update>) {
    const fields = request.body['role'];
    if (fields === undefined) throw KeystoneError.ValidationError({ attribute: 'role', target: 'body' });
    const changed = { ...fields, extra: extraOf(fields, KNOWN) };
    return {
      role: roleView(request.baseUrl, await this.roles.update(request.ctx, param(request, 'role_id'), changed)),
    };
  }

  @Handles(roles.remove)
  async remove(request: ApiRequest): Promise<null> {
    await this.roles.remove(request.ctx, param(request, 'role_id'));
    return null;
  }

  @Handles(listImpliedRoles)
  async implied(request: ApiRequest) {
    const { prior, implied } = await this.roles.implied(request.ctx, param(request, 'prior_role_id'));
    return {
      role_inference: {
        prior_role: impliedRoleView(request.baseUrl, prior),
        implies: implied.map((role) => impliedRoleView(request.baseUrl, role)),
      },
      links: { self: listLinks(request).self },
    };
  }

  @Handles(createImpliedRole)
  async imply(request: ApiRequest) {
    const rule = await this.roles.imply(request.ctx, ...ends(request));
    return this.inference(request, rule);
  }

  @Handles(showImpliedRole)
  async showImplied(request: ApiRequest) {
    const rule = await this.roles.showImplied(request.ctx, ...ends(request));
    return this.inference(request, rule);
  }

  @Handles(checkImpliedRole)
  async checkImplied(request: ApiRequest): Promise<null> {
    await this.roles.showImplied(request.ctx, ...ends(request));
    return null;
  }

  @Handles(deleteImpliedRole)
  async unimply(request: ApiRequest): Promise<null> {
    await this.roles.unimply(request.ctx, ...ends(request));
    return null;
  }

  @Handles(listRoleInferences)
  async inferences(request: ApiRequest) {
    const rules = await this.roles.inferences(request.ctx);
    return {
      role_inferences: rules.map(({ prior, implied }) => ({
        prior_role: impliedRoleView(request.baseUrl, prior),
        implies: implied.map((role) => impliedRoleView(request.baseUrl, role)),
      })),
      links: { self: listLinks(request).self },
    };
  }

  private inference(request: ApiRequest, rule: Awaited<ReturnType<Roles['showImplied']>>) {
    return {
      role_inference: {
        prior_role: impliedRoleView(request.baseUrl, rule.prior),
        implies: impliedRoleView(request.baseUrl, rule.implied),
      },
      links: { self: listLinks(request).self },
    };
  }
}

function ends(request: ApiRequest): [string, string] {
  return [param(request, 'prior_role_id'), param(request, 'implied_role_id')];
}
