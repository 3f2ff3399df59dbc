import { Inject, Injectable } from '@nestjs/common';
import { ApiReply, Handles, type ApiRequest, type RequestOf } from '@nestack/kernel/http';
import {
  createResourceProvider,
  deleteProviderTraits,
  deleteResourceProvider,
  listProviderAggregates,
  listProviderTraits,
  listResourceProviders,
  showResourceProvider,
  updateProviderAggregates,
  updateProviderTraits,
  updateResourceProvider,
} from '@nestack/placement/contract';
import { dashed, Providers, type Provider } from '@nestack/placement/domain';
import { aggregatesOf, inTreeOf, resourcesOf, traitsOf } from './query-params';
import { lastModified, replyWith } from './replies';

@Injectable()
export class ProvidersController {
  constructor(@Inject(Providers) private readonly providers: Providers) {}

  @Handles(listResourceProviders)
  async list(request: ApiRequest): Promise<ApiReply> {
    const { rawQuery: raw, version } = request;
    const [uuid, inTree, resources] = [raw.get('uuid'), raw.get('in_tree'), raw.get('resources')];
    const found = await this.providers.list(request.ctx, {
      name: raw.get('name') || null,
      uuid: uuid === null ? null : dashed(uuid),
      inTree: inTree === null ? null : inTreeOf(inTree),
      resources: resources === null ? {} : resourcesOf(resources),
      ...traitsOf(raw.getAll('required'), version),
      ...aggregatesOf(raw.getAll('member_of'), version),
    });
    const body = { resource_providers: found.map((one) => providerView(request, one)) };
    return replyWith(request, body, { modified: lastModified(found) });
  }

  @Handles(createResourceProvider)
  async create(request: RequestOf<typeof createResourceProvider>): Promise<ApiReply> {
    const {
      name,
      uuid,
      parent_provider_uuid: parent,
    } = request.body as {
      name: string;
      uuid?: string;
      parent_provider_uuid?: string | null;
    };
    const provider = await this.providers.create(request.ctx, { name, uuid, parent_uuid: parent ?? null });
    const location = `/resource_providers/${provider.uuid}`;
    if (!request.version.atLeast('1.20'))
      return new ApiReply(null, { status: 201, headers: { Location: `${request.baseUrl}${location}` } });
    return replyWith(request, providerView(request, provider), { modified: lastModified([provider]), location });
  }

  @Handles(showResourceProvider)
  async show(request: ApiRequest): Promise<ApiReply> {
    const provider = await this.providers.show(request.ctx, uuidOf(request));
    return replyWith(request, providerView(request, provider), { modified: lastModified([provider]) });
  }

  @Handles(updateResourceProvider)
  async update(request: RequestOf<typeof updateResourceProvider>): Promise<ApiReply> {
    const body = request.body as { name: string; parent_provider_uuid?: string | null };
    const provider = await this.providers.update(request.ctx, uuidOf(request), {
      name: body.name,
      parent_uuid: body.parent_provider_uuid,
      reparenting: request.version.atLeast('1.37'),
    });
    return replyWith(request, providerView(request, provider), { modified: lastModified([provider]) });
  }

  @Handles(deleteResourceProvider)
  async remove(request: ApiRequest): Promise<null> {
    await this.providers.remove(request.ctx, uuidOf(request));
    return null;
  }

  @Handles(listProviderAggregates)
  async aggregates(request: ApiRequest): Promise<ApiReply> {
    const { provider, aggregates } = await this.providers.aggregates(request.ctx, uuidOf(request));
    return replyWith(request, aggregatesView(request, aggregates, provider.generation));
  }

  @Handles(updateProviderAggregates)
  async setAggregates(request: ApiRequest): Promise<ApiReply> {
    const body = request.body as string[] | { aggregates: string[]; resource_provider_generation: number };
    const aggregates = Array.isArray(body) ? body : body.aggregates;
    const expected = Array.isArray(body) ? undefined : body.resource_provider_generation;
    const generation = await this.providers.setAggregates(request.ctx, uuidOf(request), aggregates, expected);
    return replyWith(request, aggregatesView(request, aggregates, generation));
  }

  @Handles(listProviderTraits)
  async traits(request: ApiRequest): Promise<ApiReply> {
    const { provider, traits } = await this.providers.traits(request.ctx, uuidOf(request));
    const body = { traits: traits.map((one) => one.name), resource_provider_generation: provider.generation };
    return replyWith(request, body, { modified: lastModified(traits) });
  }

  @Handles(updateProviderTraits)
  async setTraits(request: RequestOf<typeof updateProviderTraits>): Promise<ApiReply> {
    const { traits, resource_provider_generation } = request.body;
    const set = await this.providers.setTraits(request.ctx, uuidOf(request), traits, resource_provider_generation);
    const body = { traits: set.traits.map((one) => one.name), resource_provider_generation: set.generation };
    return replyWith(request, body, { modified: lastModified(set.traits) });
  }

  @Handles(deleteProviderTraits)
  async removeTraits(request: ApiRequest): Promise<null> {
    await this.providers.setTraits(request.ctx, uuidOf(request), [], undefined);
    return null;
  }
}

function uuidOf(request: ApiRequest): string {
  return request.params['uuid'] ?? '';
}

/** What a provider leads to, with the version since which it does. */
const LINKS = [
  ['inventories', '1.0'],
  ['usages', '1.0'],
  ['aggregates', '1.1'],
  ['traits', '1.6'],
  ['allocations', '1.11'],
] as const;

function providerView(request: ApiRequest, provider: Provider): object {
  // Without scheme and host, unlike all other services. upstream: placement/util.py resource_provider_url
  const href = `/resource_providers/${provider.uuid}`;
  return {
    uuid: provider.uuid,
    name: provider.name,
    generation: provider.generation,
    links: [
      { rel: 'self', href },
      ...LINKS.filter(([, since]) => request.version.atLeast(since)).map(([rel]) => ({ rel, href: `${href}/${rel}` })),
    ],
    ...(request.version.atLeast('1.14')
      ? { parent_provider_uuid: provider.parent_uuid, root_provider_uuid: provider.root_uuid }
      : {}),
  };
}

function aggregatesView(request: ApiRequest, aggregates: readonly string[], generation: number): object {
  return { aggregates, ...(request.version.atLeast('1.19') ? { resource_provider_generation: generation } : {}) };
}
