import { Inject, Injectable } from '@nestjs/common';
import { Handles, type ApiRequest, type RequestOf } from '@nestack/kernel/http';
import { POLICY, type PolicyEnforcer } from '@nestack/kernel/policy';
import {
  NeutronError,
  addExtraRoutes,
  addRouterInterface,
  createRouter,
  deleteRouter,
  listRouters,
  parseChange,
  removeExtraRoutes,
  removeRouterInterface,
  routerResource,
  showRouter,
  updateRouter,
  uuid,
} from '@nestack/neutron/contract';
import { RouterInterfaces, Routers } from '@nestack/neutron/domain';
import { revisionOf } from '../list-query';
import { Presenter } from '../presenter';
import { gatewayInfo } from './gateway-info';

@Injectable()
export class RoutersController {
  private readonly shown;

  constructor(
    @Inject(Routers) private readonly routers: Routers,
    @Inject(RouterInterfaces) private readonly interfaces: RouterInterfaces,
    @Inject(POLICY) policy: PolicyEnforcer,
  ) {
    this.shown = new Presenter(routerResource, policy, { external_gateway_info: gatewayInfo });
  }

  @Handles(listRouters)
  async list(request: ApiRequest) {
    const query = this.shown.query(request);
    const found = this.shown.mayLook(request.ctx) ? await this.routers.list(request.ctx, query) : [];
    return this.shown.page(request, query, found);
  }

  @Handles(showRouter)
  async show(request: ApiRequest) {
    this.shown.mustLook(request.ctx);
    return this.shown.one(request, await this.routers.show(request.ctx, this.shown.id(request)));
  }

  @Handles(createRouter)
  async create(request: ApiRequest) {
    return this.shown.created(request, await this.routers.create(request.ctx, this.shown.creations(request)));
  }

  @Handles(updateRouter)
  async update(request: ApiRequest) {
    const change = this.shown.change(request);
    const revision = revisionOf(request.headers);
    return this.shown.one(request, await this.routers.update(request.ctx, this.shown.id(request), change, revision));
  }

  @Handles(deleteRouter)
  async remove(request: ApiRequest): Promise<null> {
    await this.routers.remove(request.ctx, this.shown.id(request));
    return null;
  }

  @Handles(addRouterInterface)
  async addInterface(request: RequestOf<typeof addRouterInterface>) {
    return this.interfaces.add(request.ctx, request.params['router_id'] ?? '', interfaceOf(request.body));
  }

  @Handles(removeRouterInterface)
  async removeInterface(request: RequestOf<typeof removeRouterInterface>) {
    return this.interfaces.remove(request.ctx, request.params['router_id'] ?? '', interfaceOf(request.body));
  }

  @Handles(addExtraRoutes)
  async addRoutes(request: ApiRequest) {
    return this.changeRoutes(request, 'add');
  }

  @Handles(removeExtraRoutes)
  async removeRoutes(request: ApiRequest) {
    return this.changeRoutes(request, 'remove');
  }

  private async changeRoutes(request: ApiRequest, change: 'add' | 'remove') {
    const { router } = request.body as { router: unknown };
    const { routes } = parseChange(routerResource.attributes, router);
    if (routes === undefined) throw NeutronError.HTTPBadRequest({ reason: "Unable to find 'routes' in request body" });
    const id = request.params['router_id'] ?? '';
    return { router: this.shown.view(request.ctx, await this.routers.changeRoutes(request.ctx, id, change, routes)) };
  }
}

/** `subnet_id` or `port_id`; anything else is refused. */
function interfaceOf(body: Readonly<Record<string, unknown>>) {
  const checked = (name: 'subnet_id' | 'port_id') => {
    const value = body[name];
    if (value === undefined || value === null) return {};
    return { [name]: uuid.parse(value, name) };
  };
  return { ...checked('subnet_id'), ...checked('port_id') };
}
