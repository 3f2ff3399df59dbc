import { Inject, Injectable } from '@nestjs/common';
import { DomainError } from '@nestack/kernel/errors';
import { ApiReply, Handles, type ApiRequest, type RequestOf } from '@nestack/kernel/http';
import { parseBoolean } from '@nestack/kernel/http';
import {
  createToken,
  KeystoneError,
  listAuthDomains,
  listAuthProjects,
  revokeToken,
  showAuthCatalog,
  showAuthSystem,
  validateToken,
} from '@nestack/keystone/contract';
import { Catalog, Tokens, Users, type CatalogEntry, type TokenView } from '@nestack/keystone/domain';
import { Guard } from './guard';
import { listLinks, signedRequest } from './list-query';
import { catalogView, domainView, projectView, tokenBody } from './views';

/** Tokens, and what a token's bearer can do with it. upstream: keystone/api/auth.py */
@Injectable()
export class AuthController {
  constructor(
    @Inject(Tokens) private readonly tokens: Tokens,
    @Inject(Catalog) private readonly catalog: Catalog,
    @Inject(Users) private readonly users: Users,
    @Inject(Guard) private readonly guard: Guard,
  ) {}

  @Handles(createToken)
  async create(request: RequestOf<typeof createToken>) {
    const { token, view } = await this.tokens.issue(request.ctx, request.body.auth, signedRequest('POST', request));
    return new ApiReply(
      { token: tokenBody(view, await this.catalogOf(view, request)) },
      { headers: { 'X-Subject-Token': token } },
    );
  }

  @Handles(validateToken)
  async validate(request: ApiRequest) {
    const allowExpired = parseBoolean(request.rawQuery.get('allow_expired') ?? '') === true;
    const { token, view } = await this.subject(request, allowExpired);
    // Only a service that says so heeds access rules; to others such a token is none.
    const narrowed = (view.application_credential?.access_rules ?? null) !== null;
    if (narrowed && request.headers['openstack-identity-access-rules'] === undefined) {
      throw KeystoneError.TokenNotFound();
    }
    this.guard.enforce(request.ctx, 'validate_token', { tokenUser: view.user.id });
    return new ApiReply(
      { token: tokenBody(view, await this.catalogOf(view, request)) },
      { headers: { 'X-Subject-Token': token } },
    );
  }

  @Handles(revokeToken)
  async revoke(request: ApiRequest): Promise<null> {
    const { view } = await this.subject(request, false);
    this.guard.enforce(request.ctx, 'revoke_token', { tokenUser: view.user.id });
    await this.tokens.revoke(view);
    return null;
  }

  @Handles(listAuthProjects)
  async projects(request: ApiRequest) {
    const { projects } = await this.users.scopes(request.ctx, request.ctx.actor?.userId ?? '');
    const shown = projects.filter((project) => project.enabled && !project.is_domain);
    return { projects: shown.map((project) => projectView(request.baseUrl, project)), links: listLinks(request) };
  }

  @Handles(listAuthDomains)
  async domains(request: ApiRequest) {
    const { domains } = await this.users.scopes(request.ctx, request.ctx.actor?.userId ?? '');
    const shown = domains.filter((domain) => domain.enabled);
    return { domains: shown.map((domain) => domainView(request.baseUrl, domain)), links: listLinks(request) };
  }

  @Handles(showAuthSystem)
  async system(request: ApiRequest) {
    const { system } = await this.users.scopes(request.ctx, request.ctx.actor?.userId ?? '');
    return { system: system ? [{ all: true }] : [], links: listLinks(request) };
  }

  /** Only for scoped tokens: others have no catalogue. */
  @Handles(showAuthCatalog)
  async showCatalog(request: ApiRequest) {
    const { actor } = request.ctx;
    if (actor === null || (actor.projectId === null && actor.domainId === null && !actor.systemScope)) {
      throw KeystoneError.ForbiddenAction({ action: 'identity:get_auth_catalog' });
    }
    const catalog = await this.catalog.forScope(actor.userId, actor.projectId);
    return { catalog: catalogView(catalog), links: listLinks(request) };
  }

  /** The token that a request is about. One that is not good is unknown, whatever its defect. */
  private async subject(
    request: ApiRequest,
    allowExpired: boolean,
  ): Promise<{ readonly token: string; readonly view: TokenView }> {
    const token = request.headers['x-subject-token'] ?? '';
    if (token === '') throw KeystoneError.TokenNotFound();
    try {
      return { token, view: await this.tokens.validate(token, { allowExpired }) };
    } catch (error) {
      if (error instanceof DomainError && error.kind === 'unauthenticated') {
        throw KeystoneError.TokenNotFound({}, { cause: error });
      }
      throw error;
    }
  }

  private async catalogOf(view: TokenView, request: ApiRequest): Promise<CatalogEntry[] | null> {
    if (view.scope.type === 'unscoped' || request.rawQuery.has('nocatalog')) return null;
    return this.catalog.forScope(view.user.id, view.project?.id ?? null);
  }
}
