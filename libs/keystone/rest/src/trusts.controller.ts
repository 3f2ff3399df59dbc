import { Inject, Injectable } from '@nestjs/common';
import { Handles, type ApiRequest, type RequestOf } from '@nestack/kernel/http';
import {
  createTrust,
  deleteTrust,
  KeystoneError,
  listTrustRoles,
  listTrusts,
  showTrust,
  showTrustRole,
} from '@nestack/keystone/contract';
import { Tokens, Trusts, type Trust, type TrustWithRoles } from '@nestack/keystone/domain';
import { Guard } from './guard';
import { listLinks, param } from './list-query';
import { impliedRoleView, roleView } from './views';

/** Trusts. upstream: keystone/api/trusts.py */
@Injectable()
export class TrustsController {
  constructor(
    @Inject(Trusts) private readonly trusts: Trusts,
    @Inject(Tokens) private readonly tokens: Tokens,
    @Inject(Guard) private readonly guard: Guard,
  ) {}

  /** Users list what they gave or got; administrators all. */
  @Handles(listTrusts)
  async list(request: ApiRequest) {
    const trustor = request.rawQuery.get('trustor_user_id');
    const trustee = request.rawQuery.get('trustee_user_id');
    if (trustor === null && trustee === null) this.guard.enforce(request.ctx, 'list_trusts');
    if (trustor !== null) this.guard.enforce(request.ctx, 'list_trusts_for_trustor', { trustor });
    if (trustee !== null) this.guard.enforce(request.ctx, 'list_trusts_for_trustee', { trustee });
    const found = await this.trusts.list(request.ctx, { trustor, trustee });
    return { trusts: found.map((trust) => trustView(request.baseUrl, trust)), links: listLinks(request) };
  }

  @Handles(createTrust)
  async create(request: RequestOf<typeof createTrust>) {
    const fields = request.body.trust;
    this.guard.enforce(request.ctx, 'create_trust', { trustor: fields.trustor_user_id });
    const token = await this.tokens.validate(request.ctx.token ?? '');
    if (token.application_credential?.restricted === true) {
      throw KeystoneError.ForbiddenAction({ action: 'creating trusts with an application credential' });
    }
    return { trust: fullView(request.baseUrl, await this.trusts.create(request.ctx, fields, token)) };
  }

  @Handles(showTrust)
  async show(request: ApiRequest) {
    return { trust: fullView(request.baseUrl, await this.allowed(request, 'get_trust')) };
  }

  @Handles(deleteTrust)
  async remove(request: ApiRequest): Promise<null> {
    const { id } = await this.allowed(request, 'delete_trust');
    await this.trusts.remove(request.ctx, id);
    return null;
  }

  @Handles(listTrustRoles)
  async roles(request: ApiRequest) {
    const { roles } = await this.allowed(request, 'list_roles_for_trust');
    return { roles: roles.map((role) => roleView(request.baseUrl, role)), links: listLinks(request) };
  }

  @Handles(showTrustRole)
  async role(request: ApiRequest) {
    const { roles } = await this.allowed(request, 'get_role_for_trust');
    const id = param(request, 'role_id');
    const role = roles.find((one) => one.id === id);
    if (role === undefined) throw KeystoneError.RoleNotFound({ role_id: id });
    return { role: roleView(request.baseUrl, role) };
  }

  private async allowed(request: ApiRequest, rule: string): Promise<TrustWithRoles> {
    const id = param(request, 'trust_id');
    const trust = await this.trusts.find(request.ctx, id);
    if (trust === null) throw KeystoneError.TrustNotFound({ trust_id: id });
    this.guard.enforce(request.ctx, rule, { trustor: trust.trustor_user_id, trustee: trust.trustee_user_id });
    return trust;
  }
}

function trustView(base: string, trust: Trust) {
  return {
    id: trust.id,
    trustor_user_id: trust.trustor_user_id,
    trustee_user_id: trust.trustee_user_id,
    project_id: trust.project_id,
    impersonation: trust.impersonation,
    expires_at: trust.expires_at === null ? null : `${trust.expires_at}Z`,
    deleted_at: null,
    remaining_uses: trust.remaining_uses,
    redelegation_count: trust.redelegation_count,
    ...(trust.redelegated_trust_id === null ? {} : { redelegated_trust_id: trust.redelegated_trust_id }),
    links: { self: `${base}/OS-TRUST/trusts/${trust.id}` },
  };
}

function fullView(base: string, trust: TrustWithRoles) {
  return {
    ...trustView(base, trust),
    roles: trust.roles.map((role) => impliedRoleView(base, role)),
    roles_links: { next: null, self: `${base}/OS-TRUST/trusts/${trust.id}/roles`, previous: null },
  };
}
