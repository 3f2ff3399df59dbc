import { Inject, Injectable } from '@nestjs/common';
import { Handles, type ApiRequest } from '@nestack/kernel/http';
import { POLICY, type PolicyEnforcer } from '@nestack/kernel/policy';
import {
  createPortForwarding,
  deletePortForwarding,
  listPortForwardings,
  portForwardingResource,
  showPortForwarding,
  updatePortForwarding,
} from '@nestack/neutron/contract';
import { PortForwardings } from '@nestack/neutron/domain';
import { Presenter } from '../presenter';

@Injectable()
export class PortForwardingsController {
  private readonly shown;

  constructor(
    @Inject(PortForwardings) private readonly forwardings: PortForwardings,
    @Inject(POLICY) policy: PolicyEnforcer,
  ) {
    this.shown = new Presenter(portForwardingResource, policy, {
      // One port alone has its number, several only their range.
      external_port: (one) => one['external_port'] ?? undefined,
      internal_port: (one) => one['internal_port'] ?? undefined,
    });
  }

  private floatingIp(request: ApiRequest): string {
    return request.params['floatingip_id'] ?? '';
  }

  @Handles(listPortForwardings)
  async list(request: ApiRequest) {
    const query = this.shown.query(request);
    return this.shown.page(request, query, await this.forwardings.list(request.ctx, this.floatingIp(request), query));
  }

  @Handles(showPortForwarding)
  async show(request: ApiRequest) {
    const found = await this.forwardings.show(request.ctx, this.floatingIp(request), this.shown.id(request));
    return this.shown.one(request, found);
  }

  @Handles(createPortForwarding)
  async create(request: ApiRequest) {
    const asked = this.shown.creations(request);
    return this.shown.created(request, await this.forwardings.create(request.ctx, this.floatingIp(request), asked));
  }

  @Handles(updatePortForwarding)
  async update(request: ApiRequest) {
    const change = this.shown.change(request);
    return this.shown.one(
      request,
      await this.forwardings.update(request.ctx, this.floatingIp(request), this.shown.id(request), change),
    );
  }

  @Handles(deletePortForwarding)
  async remove(request: ApiRequest): Promise<null> {
    await this.forwardings.remove(request.ctx, this.floatingIp(request), this.shown.id(request));
    return null;
  }
}
