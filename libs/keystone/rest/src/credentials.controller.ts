import { Inject, Injectable } from '@nestjs/common';
import { Handles, type ApiRequest, type RequestOf } from '@nestack/kernel/http';
import { credentials, KeystoneError } from '@nestack/keystone/contract';
import { Credentials, type Credential } from '@nestack/keystone/domain';
import { Guard } from './guard';
import { extraOf, filtersOf, listLinks, param } from './list-query';
import { credentialView } from './views';

const KNOWN = ['id', 'type', 'blob', 'user_id', 'project_id'];

/** Users' credentials for other systems. upstream: keystone/api/credentials.py */
@Injectable()
export class CredentialsController {
  constructor(
    @Inject(Credentials) private readonly credentials: Credentials,
    @Inject(Guard) private readonly guard: Guard,
  ) {}

  /** Administrators see all, others their own. */
  @Handles(credentials.list)
  async list(request: ApiRequest) {
    const filters = filtersOf(request.rawQuery, { user_id: 'text', type: 'text' });
    const found = await this.credentials.list(request.ctx, filters);
    const visible = found.filter((one) => this.guard.allows(request.ctx, 'get_credential', subjectOf(one)));
    return { credentials: visible.map((one) => this.view(request, one)), links: listLinks(request) };
  }

  @Handles(credentials.create)
  async create(request: RequestOf<typeof credentials.create>) {
    const fields = request.body['credential'];
    if (fields === undefined) throw KeystoneError.ValidationError({ attribute: 'credential', target: 'body' });
    this.guard.enforce(request.ctx, 'create_credential', subjectOf(fields));
    const made = await this.credentials.create(request.ctx, {
      type: fields.type,
      blob: fields.blob,
      user_id: fields.user_id,
      project_id: fields.project_id ?? null,
      extra: extraOf(fields, KNOWN),
    });
    return { credential: this.view(request, made) };
  }

  @Handles(credentials.show)
  async show(request: ApiRequest) {
    return { credential: this.view(request, await this.allowed(request, 'get_credential')) };
  }

  @Handles(credentials.update)
  async update(request: RequestOf<typeof credentials.update>) {
    const fields = request.body['credential'];
    if (fields === undefined) throw KeystoneError.ValidationError({ attribute: 'credential', target: 'body' });
    const before = await this.allowed(request, 'update_credential');
    const { type, blob, project_id, user_id } = fields;
    if (user_id !== undefined) this.guard.enforce(request.ctx, 'update_credential', subjectOf({ user_id }));
    const after = await this.credentials.update(request.ctx, before.id, {
      ...(type === undefined ? {} : { type }),
      ...(blob === undefined ? {} : { blob }),
      ...(project_id === undefined ? {} : { project_id }),
      ...(user_id === undefined ? {} : { user_id }),
      extra: extraOf(fields, KNOWN),
    });
    return { credential: this.view(request, after) };
  }

  @Handles(credentials.remove)
  async remove(request: ApiRequest): Promise<null> {
    const { id } = await this.allowed(request, 'delete_credential');
    await this.credentials.remove(request.ctx, id);
    return null;
  }

  private allowed(request: ApiRequest, rule: string): Promise<Credential> {
    const looking = this.credentials.show(request.ctx, param(request, 'credential_id'));
    return this.guard.found(request.ctx, rule, looking, subjectOf);
  }

  private view(request: ApiRequest, credential: Credential) {
    return credentialView(request.baseUrl, this.credentials.reveal(credential));
  }
}

function subjectOf(credential: { readonly user_id: string }) {
  return { user: { id: credential.user_id, domain_id: '' } };
}
