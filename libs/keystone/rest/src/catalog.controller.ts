import { Inject, Injectable } from '@nestjs/common';
import { Handles, type ApiRequest, type RequestOf } from '@nestack/kernel/http';
import { endpoints, KeystoneError, putRegion, regions, services } from '@nestack/keystone/contract';
import { Endpoints, Regions, Services } from '@nestack/keystone/domain';
import { extraOf, filtersOf, listLinks, param } from './list-query';
import { endpointView, regionView, serviceView } from './views';

const SERVICE = ['id', 'type', 'name', 'description', 'enabled'];
const ENDPOINT = ['id', 'service_id', 'interface', 'region', 'region_id', 'url', 'enabled'];
const REGION = ['id', 'description', 'parent_region_id'];

/** Services, endpoints and regions. upstream: keystone/api/services.py, endpoints.py, regions.py */
@Injectable()
export class CatalogController {
  constructor(
    @Inject(Services) private readonly services: Services,
    @Inject(Endpoints) private readonly endpoints: Endpoints,
    @Inject(Regions) private readonly regions: Regions,
  ) {}

  @Handles(services.list)
  async listServices(request: ApiRequest) {
    const found = await this.services.list(request.ctx, filtersOf(request.rawQuery, { name: 'text', type: 'text' }));
    return { services: found.map((one) => serviceView(request.baseUrl, one)), links: listLinks(request) };
  }

  @Handles(services.create)
  async createService(request: RequestOf<typeof services.create>) {
    const fields = required(request.body, 'service');
    const service = await this.services.create(request.ctx, {
      type: fields.type,
      name: fields.name ?? null,
      description: fields.description ?? null,
      enabled: fields.enabled ?? true,
      extra: extraOf(fields, SERVICE),
    });
    return { service: serviceView(request.baseUrl, service) };
  }

  @Handles(services.show)
  async showService(request: ApiRequest) {
    const service = await this.services.show(request.ctx, param(request, 'service_id'));
    return { service: serviceView(request.baseUrl, service) };
  }

  @Handles(services.update)
  async updateService(request: RequestOf<typeof services.update>) {
    const fields = required(request.body, 'service');
    const { type, name, description, enabled } = fields;
    const changed = defined({ type, name, description, enabled, extra: extraOf(fields, SERVICE) });
    const service = await this.services.update(request.ctx, param(request, 'service_id'), changed);
    return { service: serviceView(request.baseUrl, service) };
  }

  @Handles(services.remove)
  async removeService(request: ApiRequest): Promise<null> {
    await this.services.remove(request.ctx, param(request, 'service_id'));
    return null;
  }

  @Handles(endpoints.list)
  async listEndpoints(request: ApiRequest) {
    const query = new URLSearchParams(request.rawQuery);
    // The older name of the same filter.
    const region = query.get('region');
    if (region !== null) query.append('region_id', region);
    const filters = filtersOf(query, { interface: 'text', service_id: 'text', region_id: 'text' });
    const found = await this.endpoints.list(request.ctx, filters);
    return { endpoints: found.map((one) => endpointView(request.baseUrl, one)), links: listLinks(request) };
  }

  @Handles(endpoints.create)
  async createEndpoint(request: RequestOf<typeof endpoints.create>) {
    const fields = required(request.body, 'endpoint');
    const made = {
      service_id: fields.service_id,
      interface: fields.interface,
      region_id: fields.region_id ?? fields.region ?? null,
      url: fields.url,
      enabled: fields.enabled ?? true,
      extra: extraOf(fields, ENDPOINT),
    };
    const endpoint = await this.endpoints.create(request.ctx, made, fields.region_id == null);
    return { endpoint: endpointView(request.baseUrl, endpoint) };
  }

  @Handles(endpoints.show)
  async showEndpoint(request: ApiRequest) {
    const endpoint = await this.endpoints.show(request.ctx, param(request, 'endpoint_id'));
    return { endpoint: endpointView(request.baseUrl, endpoint) };
  }

  @Handles(endpoints.update)
  async updateEndpoint(request: RequestOf<typeof endpoints.update>) {
    const fields = required(request.body, 'endpoint');
    const { service_id, url, enabled } = fields;
    const changed = defined({
      service_id,
      url,
      enabled,
      interface: fields.interface,
      region_id: fields.region_id ?? fields.region,
      extra: extraOf(fields, ENDPOINT),
    });
    const id = param(request, 'endpoint_id');
    const endpoint = await this.endpoints.update(request.ctx, id, changed, fields.region_id == null);
    return { endpoint: endpointView(request.baseUrl, endpoint) };
  }

  @Handles(endpoints.remove)
  async removeEndpoint(request: ApiRequest): Promise<null> {
    await this.endpoints.remove(request.ctx, param(request, 'endpoint_id'));
    return null;
  }

  @Handles(regions.list)
  async listRegions(request: ApiRequest) {
    const found = await this.regions.list(request.ctx, filtersOf(request.rawQuery, { parent_region_id: 'text' }));
    return { regions: found.map((one) => regionView(request.baseUrl, one)), links: listLinks(request) };
  }

  @Handles(regions.create)
  async createRegion(request: RequestOf<typeof regions.create>) {
    const fields = required(request.body, 'region');
    return this.makeRegion(request, fields, fields.id === '' ? null : (fields.id ?? null));
  }

  @Handles(putRegion)
  async putRegion(request: RequestOf<typeof putRegion>) {
    const fields = request.body.region;
    const id = param(request, 'region_id');
    if (typeof fields.id === 'string' && fields.id !== id) {
      throw KeystoneError.InvalidInput({
        reason: `Conflicting region IDs specified: "${id}" != "${fields.id}"`,
      });
    }
    return this.makeRegion(request, fields, id);
  }

  @Handles(regions.show)
  async showRegion(request: ApiRequest) {
    return { region: regionView(request.baseUrl, await this.regions.show(request.ctx, param(request, 'region_id'))) };
  }

  @Handles(regions.update)
  async updateRegion(request: RequestOf<typeof regions.update>) {
    const fields = required(request.body, 'region');
    const { description, parent_region_id } = fields;
    const changed = defined({
      description: description === null ? '' : description,
      parent_region_id,
      extra: extraOf(fields, REGION),
    });
    const region = await this.regions.update(request.ctx, param(request, 'region_id'), changed);
    return { region: regionView(request.baseUrl, region) };
  }

  @Handles(regions.remove)
  async removeRegion(request: ApiRequest): Promise<null> {
    await this.regions.remove(request.ctx, param(request, 'region_id'));
    return null;
  }

  private async makeRegion(
    request: ApiRequest,
    fields: { readonly description?: string | null; readonly parent_region_id?: string | null },
    id: string | null,
  ) {
    const region = await this.regions.create(request.ctx, {
      id,
      description: fields.description ?? '',
      parent_region_id: fields.parent_region_id ?? null,
      extra: extraOf(fields, REGION),
    });
    return { region: regionView(request.baseUrl, region) };
  }
}

function required<T>(body: Readonly<Record<string, T>>, key: string): T {
  const fields = body[key];
  if (fields === undefined) throw KeystoneError.ValidationError({ attribute: key, target: 'body' });
  return fields;
}

/** Without the keys that were not given. */
function defined<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
