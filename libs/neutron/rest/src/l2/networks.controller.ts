import { Inject, Injectable } from '@nestjs/common';
import { Handles, type ApiRequest } from '@nestack/kernel/http';
import { POLICY, type PolicyEnforcer } from '@nestack/kernel/policy';
import {
  createNetwork,
  deleteNetwork,
  listNetworks,
  networkResource,
  showNetwork,
  updateNetwork,
} from '@nestack/neutron/contract';
import { Networks } from '@nestack/neutron/domain';
import { revisionOf } from '../list-query';
import { Presenter } from '../presenter';

@Injectable()
export class NetworksController {
  private readonly shown;

  constructor(
    @Inject(Networks) private readonly networks: Networks,
    @Inject(POLICY) policy: PolicyEnforcer,
  ) {
    this.shown = new Presenter(networkResource, policy);
  }

  @Handles(listNetworks)
  async list(request: ApiRequest) {
    const query = this.shown.query(request);
    const found = this.shown.mayLook(request.ctx) ? await this.networks.list(request.ctx, query) : [];
    return this.shown.page(request, query, found);
  }

  @Handles(showNetwork)
  async show(request: ApiRequest) {
    this.shown.mustLook(request.ctx);
    return this.shown.one(request, await this.networks.show(request.ctx, this.shown.id(request)));
  }

  @Handles(createNetwork)
  async create(request: ApiRequest) {
    return this.shown.created(request, await this.networks.create(request.ctx, this.shown.creations(request)));
  }

  @Handles(updateNetwork)
  async update(request: ApiRequest) {
    const change = this.shown.change(request);
    const revision = revisionOf(request.headers);
    return this.shown.one(request, await this.networks.update(request.ctx, this.shown.id(request), change, revision));
  }

  @Handles(deleteNetwork)
  async remove(request: ApiRequest): Promise<null> {
    await this.networks.remove(request.ctx, this.shown.id(request));
    return null;
  }
}
