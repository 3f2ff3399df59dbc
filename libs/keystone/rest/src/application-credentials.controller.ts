import { Inject, Injectable } from '@nestjs/common';
import type { RequestContext } from '@nestack/kernel/context';
import { Handles, type ApiRequest, type RequestOf } from '@nestack/kernel/http';
import {
  createApplicationCredential,
  deleteApplicationCredential,
  deleteAccessRule,
  KeystoneError,
  listAccessRules,
  listApplicationCredentials,
  showAccessRule,
  showApplicationCredential,
} from '@nestack/keystone/contract';
import { ApplicationCredentials, Tokens, Users } from '@nestack/keystone/domain';
import { Guard } from './guard';
import { filtersOf, listLinks, param } from './list-query';
import { accessRuleView, applicationCredentialView } from './views';

/** Application credentials of users. upstream: keystone/api/users.py */
@Injectable()
export class ApplicationCredentialsController {
  constructor(
    @Inject(ApplicationCredentials) private readonly credentials: ApplicationCredentials,
    @Inject(Users) private readonly users: Users,
    @Inject(Tokens) private readonly tokens: Tokens,
    @Inject(Guard) private readonly guard: Guard,
  ) {}

  @Handles(listApplicationCredentials)
  async list(request: ApiRequest) {
    const user = await this.owner(request, 'list_application_credentials');
    const filters = filtersOf(request.rawQuery, { name: 'text' });
    const found = await this.credentials.list(request.ctx, user, filters);
    return {
      application_credentials: found.map((one) => applicationCredentialView(request.baseUrl, one)),
      links: listLinks(request),
    };
  }

  @Handles(createApplicationCredential)
  async create(request: RequestOf<typeof createApplicationCredential>) {
    const user = await this.owner(request, 'create_application_credential');
    const view = await this.tokens.validate(request.ctx.token ?? '');
    forbidRestricted(view.application_credential);
    const { credential, secret } = await this.credentials.create(
      request.ctx,
      user,
      request.body.application_credential,
      view.roles,
    );
    return { application_credential: { ...applicationCredentialView(request.baseUrl, credential), secret } };
  }

  @Handles(showApplicationCredential)
  async show(request: ApiRequest) {
    const user = await this.owner(request, 'get_application_credential');
    const id = param(request, 'application_credential_id');
    const found = await this.credentials.show(request.ctx, user, id);
    return { application_credential: applicationCredentialView(request.baseUrl, found) };
  }

  @Handles(deleteApplicationCredential)
  async remove(request: ApiRequest): Promise<null> {
    const user = await this.owner(request, 'delete_application_credential');
    forbidRestricted((await this.tokens.validate(request.ctx.token ?? '')).application_credential);
    await this.credentials.remove(request.ctx, user, param(request, 'application_credential_id'));
    return null;
  }

  @Handles(listAccessRules)
  async rules(request: ApiRequest) {
    const user = await this.owner(request, 'list_access_rules');
    const filters = filtersOf(request.rawQuery, { service: 'text', path: 'text', method: 'text' });
    const found = await this.credentials.listRules(request.ctx, user, filters);
    return { access_rules: found.map(accessRuleView), links: listLinks(request) };
  }

  @Handles(showAccessRule)
  async showRule(request: ApiRequest) {
    const user = await this.owner(request, 'get_access_rule');
    const rule = await this.credentials.showRule(request.ctx, user, param(request, 'access_rule_id'));
    return { access_rule: accessRuleView(rule) };
  }

  @Handles(deleteAccessRule)
  async removeRule(request: ApiRequest): Promise<null> {
    const user = await this.owner(request, 'delete_access_rule');
    await this.credentials.removeRule(request.ctx, user, param(request, 'access_rule_id'));
    return null;
  }

  private async owner(request: { ctx: RequestContext; params: ApiRequest['params'] }, rule: string): Promise<string> {
    const id = param(request, 'user_id');
    const user = await this.users.find(request.ctx, id);
    this.guard.enforce(request.ctx, rule, { user });
    if (user === null) throw KeystoneError.UserNotFound({ user_id: id });
    return id;
  }
}

/** A credential that is not unrestricted makes and deletes no others. */
function forbidRestricted(used: { readonly restricted: boolean } | null): void {
  if (used?.restricted !== true) return;
  throw KeystoneError.ForbiddenAction({
    action: 'Using method "application_credential" is not allowed for managing additional application credentials.',
  });
}
