import { Injectable } from '@nestjs/common';
import { Handles, type ApiRequest } from '@nestack/kernel/http';
import {
  EXTENSIONS,
  NeutronError,
  listExtensions,
  listServiceProviders,
  showExtension,
} from '@nestack/neutron/contract';

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
  async providers() {
    return { service_providers: [] };
  }
}
