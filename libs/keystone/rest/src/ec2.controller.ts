import { Inject, Injectable } from '@nestjs/common';
import { Handles, type ApiRequest, type RequestOf } from '@nestack/kernel/http';
import {
  createEc2Credential,
  deleteEc2Credential,
  KeystoneError,
  listEc2Credentials,
  showEc2Credential,
} from '@nestack/keystone/contract';
import { Ec2Credentials, Users, type Ec2Credential } from '@nestack/keystone/domain';
import { Guard } from './guard';
import { listLinks, param } from './list-query';

/** EC2 credentials of users. upstream: keystone/api/users.py UserOSEC2CredentialsResource */
@Injectable()
export class Ec2Controller {
  constructor(
    @Inject(Ec2Credentials) private readonly credentials: Ec2Credentials,
    @Inject(Users) private readonly users: Users,
    @Inject(Guard) private readonly guard: Guard,
  ) {}

  @Handles(listEc2Credentials)
  async list(request: ApiRequest) {
    const user = await this.owner(request, 'ec2_list_credentials');
    const found = await this.credentials.list(request.ctx, user);
    return { credentials: found.map((one) => view(request.baseUrl, one)), links: listLinks(request) };
  }

  @Handles(createEc2Credential)
  async create(request: RequestOf<typeof createEc2Credential>) {
    const user = await this.owner(request, 'ec2_create_credential');
    const made = await this.credentials.create(request.ctx, user, request.body.tenant_id);
    return { credential: view(request.baseUrl, made) };
  }

  @Handles(showEc2Credential)
  async show(request: ApiRequest) {
    const user = await this.owner(request, 'ec2_get_credential');
    const found = await this.credentials.show(request.ctx, user, param(request, 'access'));
    return { credential: view(request.baseUrl, found) };
  }

  @Handles(deleteEc2Credential)
  async remove(request: ApiRequest): Promise<null> {
    const user = await this.owner(request, 'ec2_delete_credential');
    await this.credentials.remove(request.ctx, user, param(request, 'access'));
    return null;
  }

  private async owner(request: Pick<ApiRequest, 'ctx' | 'params'>, rule: string): Promise<string> {
    const id = param(request, 'user_id');
    const user = await this.users.find(request.ctx, id);
    this.guard.enforce(request.ctx, rule, { user });
    if (user === null) throw KeystoneError.UserNotFound({ user_id: id });
    return id;
  }
}

function view(base: string, credential: Ec2Credential) {
  const { access, secret, user_id, tenant_id } = credential;
  return {
    access,
    secret,
    user_id,
    tenant_id,
    trust_id: null,
    links: { self: `${base}/users/${user_id}/credentials/OS-EC2/${access}` },
  };
}
