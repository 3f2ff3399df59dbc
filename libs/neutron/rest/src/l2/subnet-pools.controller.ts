import { Inject, Injectable } from '@nestjs/common';
import { Handles, type ApiRequest } from '@nestack/kernel/http';
import { POLICY, type PolicyEnforcer } from '@nestack/kernel/policy';
import {
  addSubnetPoolPrefixes,
  createSubnetPool,
  deleteSubnetPool,
  listSubnetPools,
  parseChange,
  removeSubnetPoolPrefixes,
  showSubnetPool,
  subnetPoolResource,
  updateSubnetPool,
} from '@nestack/neutron/contract';
import { SubnetPools } from '@nestack/neutron/domain';
import { revisionOf } from '../list-query';
import { Presenter } from '../presenter';

@Injectable()
export class SubnetPoolsController {
  private readonly shown;

  constructor(
    @Inject(SubnetPools) private readonly pools: SubnetPools,
    @Inject(POLICY) policy: PolicyEnforcer,
  ) {
    this.shown = new Presenter(subnetPoolResource, policy);
  }

  @Handles(listSubnetPools)
  async list(request: ApiRequest) {
    const query = this.shown.query(request);
    const found = this.shown.mayLook(request.ctx) ? await this.pools.list(request.ctx, query) : [];
    return this.shown.page(request, query, found);
  }

  @Handles(showSubnetPool)
  async show(request: ApiRequest) {
    this.shown.mustLook(request.ctx);
    return this.shown.one(request, await this.pools.show(request.ctx, this.shown.id(request)));
  }

  @Handles(createSubnetPool)
  async create(request: ApiRequest) {
    return this.shown.created(request, await this.pools.create(request.ctx, this.shown.creations(request)));
  }

  @Handles(updateSubnetPool)
  async update(request: ApiRequest) {
    const change = this.shown.change(request);
    const revision = revisionOf(request.headers);
    return this.shown.one(request, await this.pools.update(request.ctx, this.shown.id(request), change, revision));
  }

  @Handles(deleteSubnetPool)
  async remove(request: ApiRequest): Promise<null> {
    await this.pools.remove(request.ctx, this.shown.id(request));
    return null;
  }

  @Handles(addSubnetPoolPrefixes)
  async addPrefixes(request: ApiRequest) {
    return this.changePrefixes(request, 'add');
  }

  @Handles(removeSubnetPoolPrefixes)
  async removePrefixes(request: ApiRequest) {
    return this.changePrefixes(request, 'remove');
  }

  private async changePrefixes(request: ApiRequest, change: 'add' | 'remove') {
    const { prefixes = [] } = parseChange(subnetPoolResource.attributes, request.body);
    const left = await this.pools.changePrefixes(request.ctx, this.shown.id(request), change, prefixes);
    return { prefixes: [...left] };
  }
}
