import { Inject, Injectable } from '@nestjs/common';
import { Handles, type ApiRequest } from '@nestack/kernel/http';
import { POLICY, type PolicyEnforcer } from '@nestack/kernel/policy';
import {
  createAddressScope,
  deleteAddressScope,
  listAddressScopes,
  addressScopeResource,
  showAddressScope,
  updateAddressScope,
} from '@nestack/neutron/contract';
import { AddressScopes } from '@nestack/neutron/domain';
import { Presenter } from '../presenter';

@Injectable()
export class AddressScopesController {
  private readonly shown;

  constructor(
    @Inject(AddressScopes) private readonly scopes: AddressScopes,
    @Inject(POLICY) policy: PolicyEnforcer,
  ) {
    this.shown = new Presenter(addressScopeResource, policy);
  }

  @Handles(listAddressScopes)
  async list(request: ApiRequest) {
    const query = this.shown.query(request);
    const found = this.shown.mayLook(request.ctx) ? await this.scopes.list(request.ctx, query) : [];
    return this.shown.page(request, query, found);
  }

  @Handles(showAddressScope)
  async show(request: ApiRequest) {
    this.shown.mustLook(request.ctx);
    return this.shown.one(request, await this.scopes.show(request.ctx, this.shown.id(request)));
  }

  @Handles(createAddressScope)
  async create(request: ApiRequest) {
    return this.shown.created(request, await this.scopes.create(request.ctx, this.shown.creations(request)));
  }

  @Handles(updateAddressScope)
  async update(request: ApiRequest) {
    const change = this.shown.change(request);
    return this.shown.one(request, await this.scopes.update(request.ctx, this.shown.id(request), change));
  }

  @Handles(deleteAddressScope)
  async remove(request: ApiRequest): Promise<null> {
    await this.scopes.remove(request.ctx, this.shown.id(request));
    return null;
  }
}
