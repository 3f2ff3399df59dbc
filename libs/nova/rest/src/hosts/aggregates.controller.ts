import { Inject, Injectable } from '@nestjs/common';
import { isoMicros } from '@nestack/kernel/clock';
import { ApiReply, Handles, type ApiRequest } from '@nestack/kernel/http';
import { RPC_CLIENTS, type RpcClient, type RpcClients } from '@nestack/kernel/rpc';
import {
  ComputeRpc,
  addAggregateHost,
  cacheAggregateImages,
  createAggregate,
  deleteAggregate,
  listAggregates,
  removeAggregateHost,
  setAggregateMetadata,
  showAggregate,
  updateAggregate,
} from '@nestack/nova/contract';
import { Aggregates, type Aggregate } from '@nestack/nova/domain';

const id = (request: ApiRequest): string => request.params['aggregate_id'] ?? '';

/** upstream: nova/api/openstack/compute/aggregates.py */
function aggregateBrief(aggregate: Aggregate, request: ApiRequest): Record<string, unknown> {
  return {
    availability_zone: aggregate.metadata['availability_zone'] ?? null,
    created_at: isoMicros(aggregate.created_at),
    deleted: false,
    deleted_at: null,
    id: aggregate.id,
    name: aggregate.name,
    updated_at: aggregate.updated_at === null ? null : isoMicros(aggregate.updated_at),
    ...(request.version.atLeast('2.41') ? { uuid: aggregate.uuid } : {}),
  };
}

function aggregateView(aggregate: Aggregate, request: ApiRequest): Record<string, unknown> {
  return { ...aggregateBrief(aggregate, request), hosts: aggregate.hosts, metadata: aggregate.metadata };
}

/** `/os-aggregates` */
@Injectable()
export class AggregatesController {
  private readonly compute: RpcClient<typeof ComputeRpc>;

  constructor(
    @Inject(Aggregates) private readonly aggregates: Aggregates,
    @Inject(RPC_CLIENTS) clients: RpcClients,
  ) {
    this.compute = clients.client(ComputeRpc);
  }

  @Handles(listAggregates)
  async list(request: ApiRequest) {
    return { aggregates: (await this.aggregates.list()).map((one) => aggregateView(one, request)) };
  }

  @Handles(createAggregate)
  async create(request: ApiRequest) {
    const { aggregate } = request.body as { aggregate: { name: string; availability_zone?: string | null } };
    const made = await this.aggregates.create(aggregate.name.trim(), aggregate.availability_zone?.trim() ?? null);
    return { aggregate: aggregateBrief(made, request) };
  }

  @Handles(showAggregate)
  async show(request: ApiRequest) {
    return { aggregate: aggregateView(await this.aggregates.show(id(request)), request) };
  }

  @Handles(updateAggregate)
  async update(request: ApiRequest) {
    const { aggregate } = request.body as { aggregate: { name?: string; availability_zone?: string | null } };
    const updated = await this.aggregates.update(id(request), {
      ...(aggregate.name === undefined ? {} : { name: aggregate.name.trim() }),
      ...(aggregate.availability_zone === undefined ? {} : { zone: aggregate.availability_zone }),
    });
    return { aggregate: aggregateView(updated, request) };
  }

  @Handles(deleteAggregate)
  async delete(request: ApiRequest) {
    await this.aggregates.delete(id(request));
    return new ApiReply(null, { status: 200 });
  }

  @Handles(addAggregateHost)
  async addHost(request: ApiRequest) {
    const { host } = (request.body as { add_host: { host: string } }).add_host;
    return { aggregate: aggregateView(await this.aggregates.addHost(id(request), host), request) };
  }

  @Handles(removeAggregateHost)
  async removeHost(request: ApiRequest) {
    const { host } = (request.body as { remove_host: { host: string } }).remove_host;
    return { aggregate: aggregateView(await this.aggregates.removeHost(id(request), host), request) };
  }

  @Handles(setAggregateMetadata)
  async setMetadata(request: ApiRequest) {
    const { metadata } = (request.body as { set_metadata: { metadata: Record<string, string | null> } }).set_metadata;
    return { aggregate: aggregateView(await this.aggregates.setMetadata(id(request), metadata), request) };
  }

  /** A message lies in the queue of each host before the answer is out, so that nobody's end loses one. */
  @Handles(cacheAggregateImages)
  async cacheImages(request: ApiRequest) {
    const { cache } = request.body as { cache: readonly { readonly id: string }[] };
    const image_ids = cache.map((image) => image.id);
    const hosts = await this.aggregates.hostsToCache(request.ctx, id(request), image_ids);
    await Promise.all(hosts.map((host) => this.compute.cache_images(request.ctx, { image_ids }, { host })));
    return new ApiReply(null, { status: 202 });
  }
}
