import { Inject, Injectable } from '@nestjs/common';
import { Handles, type ApiReply, type ApiRequest, type RequestOf } from '@nestack/kernel/http';
import { isUuidLike } from '@nestack/kernel/ids';
import { POLICY, type PolicyEnforcer } from '@nestack/kernel/policy';
import {
  deleteAllocations,
  listProviderAllocations,
  listUsages,
  manageAllocations,
  PlacementError,
  reshapeProviders,
  showAllocations,
  updateAllocations,
} from '@nestack/placement/contract';
import { Allocations, Reshaper, type ConsumerAllocations } from '@nestack/placement/domain';
import { consumerRequestOf, type ConsumerRecord } from './consumer-records';
import { inventoryOf } from './inventory-records';
import { lastModified, replyWith } from './replies';

@Injectable()
export class AllocationsController {
  constructor(
    @Inject(Allocations) private readonly allocations: Allocations,
    @Inject(Reshaper) private readonly reshaper: Reshaper,
    @Inject(POLICY) private readonly policy: PolicyEnforcer,
  ) {}

  @Handles(showAllocations)
  async show(request: ApiRequest): Promise<ApiReply> {
    const found = await this.allocations.ofConsumer(request.ctx, consumerOf(request));
    if (found === null) return replyWith(request, { allocations: {} });
    return replyWith(request, consumerView(request, found), { modified: lastModified(found.allocations) });
  }

  @Handles(updateAllocations)
  async set(request: ApiRequest): Promise<null> {
    const uuid = consumerOf(request);
    if (!isUuidLike(uuid)) throw PlacementError.ConsumerMalformed({ consumer_uuid: uuid });
    const wanted = consumerRequestOf(uuid, request.body as ConsumerRecord, request.version);
    await this.allocations.set(request.ctx, [wanted], ` for consumer ${uuid}:`);
    return null;
  }

  @Handles(manageAllocations)
  async setMany(request: ApiRequest): Promise<null> {
    const records = Object.entries(request.body as Record<string, ConsumerRecord>);
    await this.allocations.set(
      request.ctx,
      records.map(([uuid, record]) => consumerRequestOf(checked(uuid), record, request.version)),
    );
    return null;
  }

  @Handles(deleteAllocations)
  async remove(request: ApiRequest): Promise<null> {
    await this.allocations.remove(request.ctx, consumerOf(request));
    return null;
  }

  @Handles(listProviderAllocations)
  async ofProvider(request: ApiRequest): Promise<ApiReply> {
    const { provider, allocations } = await this.allocations.ofProvider(request.ctx, request.params['uuid'] ?? '');
    const consumers: Record<string, { resources: Record<string, number>; consumer_generation?: number }> = {};
    for (const row of allocations) {
      const consumer = (consumers[row.consumer_uuid] ??= {
        resources: {},
        ...(request.version.atLeast('1.28') ? { consumer_generation: row.consumer_generation } : {}),
      });
      consumer.resources[row.resource_class] = row.used;
    }
    const body = { allocations: consumers, resource_provider_generation: provider.generation };
    return replyWith(request, body, { modified: lastModified(allocations) });
  }

  @Handles(reshapeProviders)
  async reshape(request: RequestOf<typeof reshapeProviders>): Promise<null> {
    const body = request.body as {
      inventories: Record<
        string,
        { resource_provider_generation: number; inventories: Record<string, Parameters<typeof inventoryOf>[1]> }
      >;
      allocations: Record<string, ConsumerRecord>;
    };
    await this.reshaper.reshape(
      request.ctx,
      Object.entries(body.inventories).map(([uuid, given]) => ({
        provider_uuid: uuid,
        generation: given.resource_provider_generation,
        inventories: Object.entries(given.inventories).map(([name, record]) => inventoryOf(name, record)),
      })),
      Object.entries(body.allocations).map(([uuid, record]) =>
        consumerRequestOf(checked(uuid), record, request.version),
      ),
    );
    return null;
  }

  @Handles(listUsages)
  async usages(request: RequestOf<typeof listUsages>): Promise<ApiReply> {
    const project = request.rawQuery.get('project_id') ?? '';
    const user = request.rawQuery.get('user_id');
    this.policy.enforce(request.ctx, 'placement:usages', { project_id: project });
    if (!request.version.atLeast('1.38'))
      return replyWith(request, { usages: await this.allocations.usage(request.ctx, project, user) });
    const type = request.rawQuery.get('consumer_type');
    const usages = await this.allocations.usageByType(request.ctx, project, user, type);
    return replyWith(request, {
      usages: Object.fromEntries(
        usages.map((one) => [one.consumer_type, { ...one.used, consumer_count: one.consumer_count }]),
      ),
    });
  }
}

function consumerOf(request: Pick<ApiRequest, 'params'>): string {
  return request.params['consumer_uuid'] ?? '';
}

/** The schema lets some keys through that have a UUID's letters and length, but not its form. */
function checked(uuid: string): string {
  if (!isUuidLike(uuid)) throw PlacementError.ConsumerMalformed({ consumer_uuid: uuid });
  return uuid;
}

function consumerView(request: ApiRequest, { consumer, allocations }: ConsumerAllocations): object {
  const providers: Record<string, { generation: number; resources: Record<string, number> }> = {};
  for (const row of allocations) {
    const provider = (providers[row.provider_uuid] ??= { generation: row.provider_generation, resources: {} });
    provider.resources[row.resource_class] = row.used;
  }
  const { version } = request;
  return {
    allocations: providers,
    ...(version.atLeast('1.12') ? { project_id: consumer.project_id, user_id: consumer.user_id } : {}),
    ...(version.atLeast('1.28') ? { consumer_generation: consumer.generation } : {}),
    ...(version.atLeast('1.38') ? { consumer_type: consumer.consumer_type ?? 'unknown' } : {}),
  };
}
