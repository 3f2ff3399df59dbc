import { Inject, Injectable } from '@nestjs/common';
import { ApiReply, Handles, type ApiRequest, type RequestOf } from '@nestack/kernel/http';
import {
  authorizeRequestToken,
  consumers,
  createAccessToken,
  createRequestToken,
  deleteAccessToken,
  FORM,
  KeystoneError,
  listAccessTokenRoles,
  listAccessTokens,
  showAccessToken,
  showAccessTokenRole,
} from '@nestack/keystone/contract';
import { OAuth1, Tokens, type AccessToken, type TokenView, type TokenWithSecret } from '@nestack/keystone/domain';
import { Guard } from './guard';
import { extraOf, listLinks, param, signedRequest } from './list-query';
import { consumerView, roleView } from './views';

const KNOWN = ['id', 'description', 'secret'];

/** Consumers and what users let them do. upstream: keystone/api/os_oauth1.py, keystone/api/users.py */
@Injectable()
export class OAuth1Controller {
  constructor(
    @Inject(OAuth1) private readonly oauth1: OAuth1,
    @Inject(Tokens) private readonly tokens: Tokens,
    @Inject(Guard) private readonly guard: Guard,
  ) {}

  @Handles(consumers.list)
  async list(request: ApiRequest) {
    const found = await this.oauth1.listConsumers(request.ctx);
    return { consumers: found.map((one) => consumerView(request.baseUrl, one)), links: listLinks(request) };
  }

  @Handles(consumers.create)
  async create(request: RequestOf<typeof consumers.create>) {
    const { consumer, secret } = await this.oauth1.createConsumer(request.ctx, fieldsOf(request));
    return { consumer: { ...consumerView(request.baseUrl, consumer), secret } };
  }

  @Handles(consumers.show)
  async show(request: ApiRequest) {
    const found = await this.oauth1.showConsumer(request.ctx, param(request, 'consumer_id'));
    return { consumer: consumerView(request.baseUrl, found) };
  }

  @Handles(consumers.update)
  async update(request: RequestOf<typeof consumers.update>) {
    const found = await this.oauth1.updateConsumer(request.ctx, param(request, 'consumer_id'), fieldsOf(request));
    return { consumer: consumerView(request.baseUrl, found) };
  }

  @Handles(consumers.remove)
  async remove(request: ApiRequest): Promise<null> {
    await this.oauth1.removeConsumer(request.ctx, param(request, 'consumer_id'));
    return null;
  }

  @Handles(createRequestToken)
  async requestToken(request: ApiRequest) {
    const project = request.headers['requested-project-id'];
    return formOf(await this.oauth1.requestToken(request.ctx, signedRequest('POST', request), project));
  }

  @Handles(authorizeRequestToken)
  async authorize(request: RequestOf<typeof authorizeRequestToken>) {
    const id = param(request, 'request_token_id');
    const verifier = await this.oauth1.authorize(request.ctx, id, request.body.roles, await this.token(request));
    return { token: { oauth_verifier: verifier } };
  }

  @Handles(createAccessToken)
  async accessToken(request: ApiRequest) {
    return formOf(await this.oauth1.accessToken(request.ctx, signedRequest('POST', request)));
  }

  @Handles(listAccessTokens)
  async accessTokens(request: ApiRequest) {
    const found = await this.oauth1.list(request.ctx, param(request, 'user_id'), await this.token(request));
    return { access_tokens: found.map((one) => accessTokenView(request.baseUrl, one)), links: listLinks(request) };
  }

  @Handles(showAccessToken)
  async showAccessToken(request: ApiRequest) {
    const { user, id } = named(request);
    const found = await this.oauth1.show(request.ctx, user, id, await this.token(request));
    return { access_token: accessTokenView(request.baseUrl, found) };
  }

  /** Its owner may, as upstream, which asks the rule of EC2 credentials. */
  @Handles(deleteAccessToken)
  async removeAccessToken(request: ApiRequest): Promise<null> {
    const { user, id } = named(request);
    this.guard.enforce(request.ctx, 'ec2_delete_credential', { user: { id: user, domain_id: '' } });
    await this.oauth1.remove(request.ctx, user, id, await this.token(request));
    return null;
  }

  @Handles(listAccessTokenRoles)
  async roles(request: ApiRequest) {
    const { user, id } = named(request);
    const found = await this.oauth1.roles(request.ctx, user, id);
    return { roles: found.map((role) => roleView(request.baseUrl, role)), links: listLinks(request) };
  }

  @Handles(showAccessTokenRole)
  async role(request: ApiRequest) {
    const { user, id } = named(request);
    const roleId = param(request, 'role_id');
    const role = (await this.oauth1.roles(request.ctx, user, id)).find((one) => one.id === roleId);
    if (role === undefined) throw KeystoneError.RoleNotFound({ role_id: roleId });
    return { role: roleView(request.baseUrl, role) };
  }

  private token(request: Pick<ApiRequest, 'ctx'>): Promise<TokenView> {
    return this.tokens.validate(request.ctx.token ?? '');
  }
}

function named(request: ApiRequest): { readonly user: string; readonly id: string } {
  return { user: param(request, 'user_id'), id: param(request, 'access_token_id') };
}

function fieldsOf(request: { readonly body: Readonly<Record<string, { readonly description?: string | null }>> }) {
  const fields = request.body['consumer'];
  if (fields === undefined) throw KeystoneError.ValidationError({ attribute: 'consumer', target: 'body' });
  const { description } = fields;
  return { ...(description === undefined ? {} : { description }), extra: extraOf(fields, KNOWN) };
}

function formOf({ id, secret, expires_at }: TokenWithSecret): ApiReply {
  const form = `oauth_token=${id}&oauth_token_secret=${secret}&oauth_expires_at=${expires_at}Z`;
  return new ApiReply(form, { status: 201, headers: { 'Content-Type': FORM } });
}

function accessTokenView(base: string, token: AccessToken) {
  const self = `${base}/users/${token.authorizing_user_id}/OS-OAUTH1/access_tokens/${token.id}`;
  return {
    id: token.id,
    consumer_id: token.consumer_id,
    project_id: token.project_id,
    authorizing_user_id: token.authorizing_user_id,
    expires_at: `${token.expires_at}Z`,
    links: { self, roles: `${self}/roles` },
  };
}
