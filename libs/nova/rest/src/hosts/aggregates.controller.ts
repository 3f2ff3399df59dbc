import { Inject, Injectable } from '@nestjs/common';
import { isoMicros } from '@nestack/kernel/clock';
import { ApiReply, Handles, type ApiRequest } from '@nestack/kernel/http';
import {
  addAggregateHost,
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
  constructor(@Inject(Aggregates) private readonly aggregates: Aggregates) {}

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
}
