import { Inject, Injectable } from '@nestjs/common';
import { Handles, type ApiRequest } from '@nestack/kernel/http';
import { POLICY, type PolicyEnforcer } from '@nestack/kernel/policy';
import {
  createRbacPolicy,
  deleteRbacPolicy,
  listRbacPolicies,
  rbacPolicyResource,
  showRbacPolicy,
  updateRbacPolicy,
} from '@nestack/neutron/contract';
import { RbacPolicies } from '@nestack/neutron/domain';
import { Presenter } from '../presenter';

@Injectable()
export class RbacPoliciesController {
  private readonly shown;

  constructor(
    @Inject(RbacPolicies) private readonly rbac: RbacPolicies,
    @Inject(POLICY) policy: PolicyEnforcer,
  ) {
    this.shown = new Presenter(rbacPolicyResource, policy);
  }

  @Handles(listRbacPolicies)
  async list(request: ApiRequest) {
    const query = this.shown.query(request);
    const found = this.shown.mayLook(request.ctx) ? await this.rbac.list(request.ctx, query) : [];
    return this.shown.page(request, query, found);
  }

  @Handles(showRbacPolicy)
  async show(request: ApiRequest) {
    this.shown.mustLook(request.ctx);
    return this.shown.one(request, await this.rbac.show(request.ctx, this.shown.id(request)));
  }

  @Handles(createRbacPolicy)
  async create(request: ApiRequest) {
    return this.shown.created(request, await this.rbac.create(request.ctx, this.shown.creations(request)));
  }

  @Handles(updateRbacPolicy)
  async update(request: ApiRequest) {
    const change = this.shown.change(request);
    return this.shown.one(request, await this.rbac.update(request.ctx, this.shown.id(request), change));
  }

  @Handles(deleteRbacPolicy)
  async remove(request: ApiRequest): Promise<null> {
    await this.rbac.remove(request.ctx, this.shown.id(request));
    return null;
  }
}
