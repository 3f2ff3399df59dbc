import { Inject, Injectable } from '@nestjs/common';
import { Handles, type ApiRequest } from '@nestack/kernel/http';
import { POLICY, type PolicyEnforcer } from '@nestack/kernel/policy';
import {
  createSubnet,
  deleteSubnet,
  listSubnets,
  subnetResource,
  showSubnet,
  updateSubnet,
} from '@nestack/neutron/contract';
import { Subnets } from '@nestack/neutron/domain';
import { revisionOf } from '../list-query';
import { Presenter } from '../presenter';

@Injectable()
export class SubnetsController {
  private readonly shown;

  constructor(
    @Inject(Subnets) private readonly subnets: Subnets,
    @Inject(POLICY) policy: PolicyEnforcer,
  ) {
    this.shown = new Presenter(subnetResource, policy);
  }

  @Handles(listSubnets)
  async list(request: ApiRequest) {
    const query = this.shown.query(request);
    const found = this.shown.mayLook(request.ctx) ? await this.subnets.list(request.ctx, query) : [];
    return this.shown.page(request, query, found);
  }

  @Handles(showSubnet)
  async show(request: ApiRequest) {
    this.shown.mustLook(request.ctx);
    return this.shown.one(request, await this.subnets.show(request.ctx, this.shown.id(request)));
  }

  @Handles(createSubnet)
  async create(request: ApiRequest) {
    return this.shown.created(request, await this.subnets.create(request.ctx, this.shown.creations(request)));
  }

  @Handles(updateSubnet)
  async update(request: ApiRequest) {
    const change = this.shown.change(request);
    const revision = revisionOf(request.headers);
    return this.shown.one(request, await this.subnets.update(request.ctx, this.shown.id(request), change, revision));
  }

  @Handles(deleteSubnet)
  async remove(request: ApiRequest): Promise<null> {
    await this.subnets.remove(request.ctx, this.shown.id(request));
    return null;
  }
}
