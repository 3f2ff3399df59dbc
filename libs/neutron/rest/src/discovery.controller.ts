import { Injectable } from '@nestjs/common';
import { Handles, type ApiRequest } from '@nestack/kernel/http';
import {
  EXTENSIONS,
  NeutronError,
  listExtensions,
  listServiceProviders,
  showExtension,
} from '@nestack/neutron/contract';

/** Routers are of one kind, that upstream offers by this name. upstream: neutron/services/l3_router/service_providers */
const PROVIDERS = [{ service_type: 'L3_ROUTER_NAT', name: 'single_node', default: false }];

@Injectable()
export class DiscoveryController {
  @Handles(listExtensions)
  async list() {
    return { extensions: EXTENSIONS.map((one) => ({ ...one, links: [] })) };
  }

  @Handles(showExtension)
  async show(request: ApiRequest) {
    const alias = request.params['alias'] ?? '';
    const found = EXTENSIONS.find((one) => one.alias === alias);
    if (found === undefined) throw NeutronError.ExtensionNotFound({ alias });
    return { extension: { ...found, links: [] } };
  }

  @Handles(listServiceProviders)
  async providers({ rawQuery }: ApiRequest) {
    const has = (provider: Record<string, unknown>, key: string): boolean => {
      const wanted = rawQuery.getAll(key);
      return wanted.length === 0 || wanted.some((one) => one.toLowerCase() === String(provider[key]).toLowerCase());
    };
    return {
      service_providers: PROVIDERS.filter((one) => Object.keys(one).every((key) => has(one, key))),
    };
  }
}
