import { Inject, Injectable } from '@nestjs/common';
import { Handles, type ApiRequest } from '@nestack/kernel/http';
import { POLICY, type PolicyEnforcer } from '@nestack/kernel/policy';
import {
  listNetworkIpAvailabilities,
  networkIpAvailabilityResource,
  showNetworkIpAvailability,
} from '@nestack/neutron/contract';
import { IpAvailabilities } from '@nestack/neutron/domain';
import { Presenter } from '../presenter';

@Injectable()
export class IpAvailabilityController {
  private readonly shown;

  constructor(
    @Inject(IpAvailabilities) private readonly availabilities: IpAvailabilities,
    @Inject(POLICY) policy: PolicyEnforcer,
  ) {
    this.shown = new Presenter(networkIpAvailabilityResource, policy);
  }

  @Handles(listNetworkIpAvailabilities)
  async list(request: ApiRequest) {
    const query = this.shown.query(request);
    const found = await this.availabilities.list(request.ctx, Object.fromEntries(query.filters));
    return this.shown.page(request, query, found);
  }

  @Handles(showNetworkIpAvailability)
  async show(request: ApiRequest) {
    const found = await this.availabilities.show(request.ctx, this.shown.id(request));
    return this.shown.one(request, found);
  }
}
