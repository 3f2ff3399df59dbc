import type { RequestContext, TransactionRunner, Tx } from '@nestack/kernel/context';
import { isUuidLike } from '@nestack/kernel/ids';
import { PlacementError } from '@nestack/placement/contract';
import { planAllocations } from './capacity';
import type { ConsumerRequest, Provider, Usage } from './model';
import type { AllocationRepository, ConsumerAllocations, NameRepository, ProviderRepository } from './ports';
import { dashed } from './providers';

export interface AllocationsParts {
  readonly db: TransactionRunner;
  readonly providers: ProviderRepository;
  readonly names: NameRepository;
  readonly allocations: AllocationRepository;
}

export type ProviderAllocations = Awaited<ReturnType<AllocationRepository['ofProvider']>>;

/**
 * Who holds how much of which provider. A change locks its consumers, then the providers concerned in the order of their
 * ids, and looks at the inventories only then: whoever comes at the same time waits, sees what was left, and never gets
 * more than there is.
 */
export class Allocations {
  constructor(private readonly parts: AllocationsParts) {}

  /** Null when the consumer holds nothing. */
  async ofConsumer(_ctx: RequestContext, consumerUuid: string): Promise<ConsumerAllocations | null> {
    if (!isUuidLike(consumerUuid)) return null;
    return this.parts.db.read('allocation.show', (tx) => this.parts.allocations.ofConsumer(tx, consumerUuid));
  }

  async ofProvider(
    _ctx: RequestContext,
    uuid: string,
  ): Promise<{ readonly provider: Provider; readonly allocations: ProviderAllocations }> {
    return this.parts.db.read('allocation.of_provider', async (tx) => {
      const provider = await this.parts.providers.find(tx, uuid);
      if (provider === null) throw PlacementError.ProviderOfAllocationsNotFound({ uuid });
      return { provider, allocations: await this.parts.allocations.ofProvider(tx, provider.id) };
    });
  }

  /** Makes consumers hold what they ask for instead of what they held: all of them, or nothing changes. */
  async set(_ctx: RequestContext, requests: readonly ConsumerRequest[], whom = ''): Promise<void> {
    await this.parts.db.run('allocation.set', (tx) => this.replace(tx, requests, whom));
  }

  /** The same in a transaction that does more. `whom` is what upstream puts into the text for an unknown class. */
  async replace(tx: Tx, given: readonly ConsumerRequest[], whom = ''): Promise<void> {
    const { allocations } = this.parts;
    const requests = given.map(normal);
    const consumers = await allocations.lockConsumers(tx, requests);
    for (const request of requests) checkGeneration(request, consumers.get(request.consumer_uuid));
    const uuids = requests.map((one) => one.consumer_uuid);
    const asked = [...new Set(requests.flatMap((one) => [...one.allocations.keys()]))];
    const locked = await allocations.lockProviders(tx, asked.filter(isUuidLike), uuids);
    const byUuid = new Map(locked.map((one) => [one.uuid, one]));
    const missing = asked.find((uuid) => !byUuid.has(uuid));
    if (missing !== undefined) throw PlacementError.AllocationProviderUnknown({ uuid: missing });
    const inventories = await allocations.inventories(
      tx,
      locked.map((one) => one.id),
      uuids,
    );
    await this.#checkClasses(tx, requests, inventories, whom);
    const plan = planAllocations(requests, byUuid, inventories);
    // Where all consumers give everything back, the providers' generations say so.
    const touched = plan.touched.length > 0 ? plan.touched : locked.filter((one) => one.holds).map((one) => one.id);
    await allocations.write(tx, requests, { ...plan, touched });
  }

  /** Throws 404 when it holds nothing. */
  async remove(_ctx: RequestContext, consumerUuid: string): Promise<void> {
    const nothing = () => PlacementError.NoAllocations({ consumer_uuid: consumerUuid });
    if (!isUuidLike(consumerUuid)) throw nothing();
    await this.parts.db.run('allocation.delete', async (tx) => {
      if (!(await this.parts.allocations.lockConsumer(tx, consumerUuid))) throw nothing();
      await this.parts.allocations.lockProviders(tx, [], [consumerUuid]);
      await this.parts.allocations.removeConsumer(tx, consumerUuid);
    });
  }

  async usage(
    _ctx: RequestContext,
    projectId: string,
    userId: string | null,
  ): Promise<Readonly<Record<string, number>>> {
    return this.parts.db.read('usage', (tx) => this.parts.allocations.projectUsage(tx, projectId, userId));
  }

  async usageByType(
    _ctx: RequestContext,
    projectId: string,
    userId: string | null,
    type: string | null,
  ): Promise<readonly Usage[]> {
    return this.parts.db.read('usage', (tx) => this.parts.allocations.projectUsageByType(tx, projectId, userId, type));
  }

  /** An inventory may be missing because its class does not exist at all, which is another error. */
  async #checkClasses(
    tx: Tx,
    requests: readonly ConsumerRequest[],
    inventories: readonly { readonly resource_class: string }[],
    whom: string,
  ): Promise<void> {
    const known = new Set(inventories.map((one) => one.resource_class));
    const asked = requests.flatMap((one) =>
      [...one.allocations.values()].flatMap((resources) => Object.keys(resources)),
    );
    const doubtful = asked.filter((name) => !known.has(name));
    if (doubtful.length === 0) return;
    const [unknown] = await this.parts.names.unknownClasses(tx, doubtful);
    if (unknown !== undefined) throw PlacementError.AllocationClassUnknown({ whom, name: unknown });
  }
}

/** UUIDs in the form that the database has them; what is none stays, to be refused by its name. */
function normal(request: ConsumerRequest): ConsumerRequest {
  return {
    ...request,
    consumer_uuid: dashed(request.consumer_uuid),
    allocations: new Map(
      [...request.allocations].map(([uuid, resources]) => [isUuidLike(uuid) ? dashed(uuid) : uuid, resources]),
    ),
  };
}

function checkGeneration(
  request: ConsumerRequest,
  consumer: { readonly generation: number; readonly created: boolean } | undefined,
): void {
  if (request.generation === undefined || consumer === undefined) return;
  const expected = consumer.created ? null : consumer.generation;
  if (request.generation === expected) return;
  throw PlacementError.ConsumerGenerationConflict({
    expected: String(expected),
    got: request.generation === null ? 'None' : String(request.generation),
  });
}
