import { Inject, Injectable } from '@nestjs/common';
import type { RequestContext } from '@nestack/kernel/context';
import { Handles, type ApiRequest, type RequestOf } from '@nestack/kernel/http';
import {
  createApplicationCredential,
  deleteApplicationCredential,
  KeystoneError,
  listApplicationCredentials,
  showApplicationCredential,
} from '@nestack/keystone/contract';
import { Tokens, Users } from '@nestack/keystone/domain';
import { Guard } from './guard';
import { filtersOf, listLinks, param } from './list-query';
import { applicationCredentialView } from './views';

/** Application credentials of users. upstream: keystone/api/users.py */
@Injectable()
export class ApplicationCredentialsController {
  constructor(
    @Inject(Users) private readonly users: Users,
    @Inject(Tokens) private readonly tokens: Tokens,
    @Inject(Guard) private readonly guard: Guard,
  ) {}

  @Handles(listApplicationCredentials)
  async list(request: ApiRequest) {
    const user = await this.owner(request, 'list_application_credentials');
    const filters = filtersOf(request.rawQuery, { name: 'text' });
    const found = await this.users.listApplicationCredentials(request.ctx, user, filters);
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
    const { credential, secret } = await this.users.createApplicationCredential(
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
    const found = await this.users.showApplicationCredential(request.ctx, user, id);
    return { application_credential: applicationCredentialView(request.baseUrl, found) };
  }

  @Handles(deleteApplicationCredential)
  async remove(request: ApiRequest): Promise<null> {
    const user = await this.owner(request, 'delete_application_credential');
    forbidRestricted((await this.tokens.validate(request.ctx.token ?? '')).application_credential);
    await this.users.removeApplicationCredential(request.ctx, user, param(request, 'application_credential_id'));
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
