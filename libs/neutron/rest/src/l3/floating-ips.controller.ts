import { Inject, Injectable } from '@nestjs/common';
import { Handles, type ApiRequest } from '@nestack/kernel/http';
import { POLICY, type PolicyEnforcer } from '@nestack/kernel/policy';
import {
  createFloatingIp,
  deleteFloatingIp,
  listFloatingIps,
  floatingIpResource,
  showFloatingIp,
  updateFloatingIp,
} from '@nestack/neutron/contract';
import { FloatingIps } from '@nestack/neutron/domain';
import { revisionOf } from '../list-query';
import { Presenter } from '../presenter';

@Injectable()
export class FloatingIpsController {
  private readonly shown;

  constructor(
    @Inject(FloatingIps) private readonly floatingIps: FloatingIps,
    @Inject(POLICY) policy: PolicyEnforcer,
  ) {
    this.shown = new Presenter(floatingIpResource, policy);
  }

  @Handles(listFloatingIps)
  async list(request: ApiRequest) {
    const query = this.shown.query(request);
    const found = this.shown.mayLook(request.ctx) ? await this.floatingIps.list(request.ctx, query) : [];
    return this.shown.page(request, query, found);
  }

  @Handles(showFloatingIp)
  async show(request: ApiRequest) {
    this.shown.mustLook(request.ctx);
    return this.shown.one(request, await this.floatingIps.show(request.ctx, this.shown.id(request)));
  }

  @Handles(createFloatingIp)
  async create(request: ApiRequest) {
    return this.shown.created(request, await this.floatingIps.create(request.ctx, this.shown.creations(request)));
  }

  @Handles(updateFloatingIp)
  async update(request: ApiRequest) {
    const change = this.shown.change(request);
    const revision = revisionOf(request.headers);
    return this.shown.one(
      request,
      await this.floatingIps.update(request.ctx, this.shown.id(request), change, revision),
    );
  }

  @Handles(deleteFloatingIp)
  async remove(request: ApiRequest): Promise<null> {
    await this.floatingIps.remove(request.ctx, this.shown.id(request));
    return null;
  }
}
