import type { RequestContext } from '@nestack/kernel/context';
import { DomainError } from '@nestack/kernel/errors';
import { orNull, type ApiClient, type ApiClients } from '@nestack/kernel/http';
import type { Operation } from '@nestack/kernel/http';
import type { RequestSpec } from '@nestack/nova/contract';
import { resourceRequestOf, type PlacementPort, type ProviderCandidate } from '@nestack/nova/domain';
import {
  createResourceProvider,
  deleteAllocations,
  deleteResourceProvider,
  ensureTrait,
  listAllocationCandidates,
  listInventories,
  listProviderAllocations,
  listProviderTraits,
  manageAllocations,
  placementApi,
  showAllocations,
  updateAllocations,
  updateInventories,
  updateProviderTraits,
  STANDARD_RESOURCE_CLASSES,
  standardTraits,
} from '@nestack/placement/contract';

/** The microversion that nova speaks: with consumer generations and types. */
const VERSION = '1.38';
const DISABLED = 'COMPUTE_STATUS_DISABLED';
/** How often a change is tried anew when the provider changed meanwhile. */
const TRIES = 5;

type Inventory = Parameters<PlacementPort['ensureProvider']>[1]['inventory'];

interface Summary {
  readonly resources: ProviderCandidate['capacity'];
  readonly root_provider_uuid: string;
}

interface AllocationRequest {
  readonly allocations: Readonly<Record<string, { readonly resources: Readonly<Record<string, number>> }>>;
  readonly mappings?: unknown;
}

interface ConsumerAllocations extends AllocationRequest {
  readonly consumer_generation?: number;
  readonly consumer_type?: string;
}

/** Placement as nova's resources. All calls are made in nova's own name. */
export class PlacementClient implements PlacementPort {
  private readonly api: ApiClient;
  private readonly classes: ReadonlySet<string> = new Set(STANDARD_RESOURCE_CLASSES);
  private readonly traits: ReadonlySet<string> = new Set(standardTraits());

  constructor(clients: ApiClients) {
    this.api = clients.client(placementApi);
  }

  isStandardTrait(name: string): boolean {
    return this.traits.has(name);
  }

  isStandardResourceClass(name: string): boolean {
    return this.classes.has(name);
  }

  /** Two reads when all is as it shall be. Traits that nova does not manage (custom ones, devices') stay. */
  async ensureProvider(
    ctx: RequestContext,
    provider: { uuid: string; name: string; inventory: Inventory; traits: readonly string[] },
  ): Promise<void> {
    const { uuid, name } = provider;
    await this.#again(async () => {
      const known = await orNull(
        Promise.all([
          this.#call<Traits>(ctx, listProviderTraits, { params: { uuid } }),
          this.#call<Inventories>(ctx, listInventories, { params: { uuid } }),
        ]),
      );
      if (known === null) await this.#call(ctx, createResourceProvider, { body: { uuid, name } });
      const [traits, inventories] = known ?? [{ traits: [], resource_provider_generation: 0 }, { inventories: {} }];
      let generation = traits.resource_provider_generation;
      const wanted = inventoriesOf(provider.inventory);
      if (!sameInventories(inventories.inventories, wanted)) {
        const body = { resource_provider_generation: generation, inventories: wanted };
        const answer = await this.#call<Traits>(ctx, updateInventories, { params: { uuid }, body });
        generation = answer.resource_provider_generation;
      }
      const kept = traits.traits.filter((one) => !/^(COMPUTE|HW_CPU)_/.test(one));
      await this.#setTraits(ctx, uuid, traits.traits, [...new Set([...kept, ...provider.traits])], generation);
    });
  }

  async setDisabled(ctx: RequestContext, providerUuid: string, disabled: boolean): Promise<void> {
    await this.#again(async () => {
      const known = await orNull(this.#call<Traits>(ctx, listProviderTraits, { params: { uuid: providerUuid } }));
      // A host that never came up has no provider yet; it gets the trait with it.
      if (known === null) return;
      const others = known.traits.filter((one) => one !== DISABLED);
      const wanted = disabled ? [...others, DISABLED] : others;
      await this.#setTraits(ctx, providerUuid, known.traits, wanted, known.resource_provider_generation);
    });
  }

  async candidates(
    ctx: RequestContext,
    spec: RequestSpec,
    limit: number,
    within?: string,
  ): Promise<readonly ProviderCandidate[]> {
    const request = resourceRequestOf(spec);
    const query: Record<string, string> = { limit: String(limit) };
    for (const { suffix, resources, required, forbidden } of request.groups) {
      query[`resources${suffix}`] = Object.entries(resources)
        .map(([name, amount]) => `${name}:${String(amount)}`)
        .join(',');
      const traits = [...required, ...forbidden.map((trait) => `!${trait}`)];
      if (traits.length > 0) query[`required${suffix}`] = traits.join(',');
    }
    if (request.group_policy !== null) query['group_policy'] = request.group_policy;
    else if (request.groups.filter((one) => one.suffix !== '').length > 1) query['group_policy'] = 'none';
    if (within !== undefined) query['in_tree'] = within;
    const answer = await this.#call<{
      allocation_requests: readonly AllocationRequest[];
      provider_summaries: Readonly<Record<string, Summary>>;
    }>(ctx, listAllocationCandidates, { query });
    const candidates = new Map<string, ProviderCandidate>();
    for (const allocation of answer.allocation_requests) {
      const main = mainProvider(allocation.allocations);
      const uuid = answer.provider_summaries[main]?.root_provider_uuid ?? main;
      const capacity = answer.provider_summaries[main]?.resources ?? {};
      // Of several ways to use one host the first is as good as any.
      if (!candidates.has(uuid))
        candidates.set(uuid, { provider_uuid: uuid, allocation_request: allocation, capacity });
    }
    return [...candidates.values()];
  }

  async claim(ctx: RequestContext, spec: RequestSpec, candidate: ProviderCandidate): Promise<boolean> {
    const { allocations } = candidate.allocation_request as AllocationRequest;
    const body = {
      allocations,
      project_id: spec.project_id,
      user_id: spec.user_id,
      consumer_generation: null,
      consumer_type: 'INSTANCE',
    };
    try {
      await this.#call(ctx, updateAllocations, { params: { consumer_uuid: spec.instance_uuid }, body });
      return true;
    } catch (error) {
      // Full meanwhile, gone meanwhile, or the consumer holds something already.
      if (isKind(error, 'conflict') || isKind(error, 'badRequest')) return false;
      throw error;
    }
  }

  async allocatedOn(ctx: RequestContext, consumerUuid: string): Promise<string | null> {
    const answer = await this.#call<AllocationRequest>(ctx, showAllocations, {
      params: { consumer_uuid: consumerUuid },
    });
    return Object.keys(answer.allocations).length === 0 ? null : mainProvider(answer.allocations);
  }

  async traitsOf(ctx: RequestContext, consumerUuid: string): Promise<ReadonlySet<string>> {
    const { allocations } = await this.#allocations(ctx, consumerUuid);
    const each = await Promise.all(
      Object.keys(allocations).map((uuid) => this.#call<Traits>(ctx, listProviderTraits, { params: { uuid } })),
    );
    return new Set(each.flatMap(({ traits }) => traits));
  }

  async moveAllocation(
    ctx: RequestContext,
    about: { from: string; to: string; type: 'INSTANCE' | 'MIGRATION'; project_id: string; user_id: string },
  ): Promise<void> {
    const { from, to, type, project_id, user_id } = about;
    await this.#again(async () => {
      const [source, target] = await Promise.all([this.#allocations(ctx, from), this.#allocations(ctx, to)]);
      if (Object.keys(source.allocations).length === 0) return;
      const allocations = Object.fromEntries(
        Object.entries(source.allocations).map(([uuid, { resources }]) => [uuid, { resources }]),
      );
      const owner = { project_id, user_id };
      await this.#call(ctx, manageAllocations, {
        body: {
          [from]: {
            allocations: {},
            ...owner,
            consumer_generation: source.consumer_generation ?? null,
            consumer_type: source.consumer_type ?? 'INSTANCE',
          },
          [to]: {
            allocations,
            ...owner,
            consumer_generation: target.consumer_generation ?? null,
            consumer_type: type,
          },
        },
      });
    });
  }

  #allocations(ctx: RequestContext, consumer: string): Promise<ConsumerAllocations> {
    return this.#call(ctx, showAllocations, { params: { consumer_uuid: consumer } });
  }

  async release(ctx: RequestContext, consumerUuid: string): Promise<void> {
    await orNull(this.#call(ctx, deleteAllocations, { params: { consumer_uuid: consumerUuid } }));
  }

  /** Whatever still holds something of the provider is gone with it: its host is no more. */
  async removeProvider(ctx: RequestContext, providerUuid: string): Promise<void> {
    const params = { uuid: providerUuid };
    await this.#again(async () => {
      try {
        await orNull(this.#call(ctx, deleteResourceProvider, { params }));
      } catch (error) {
        if (!(error instanceof DomainError) || error.code !== 'placement.resource_provider.inuse') throw error;
        const held = await orNull(
          this.#call<{ allocations: Readonly<Record<string, unknown>> }>(ctx, listProviderAllocations, { params }),
        );
        for (const consumer of Object.keys(held?.allocations ?? {})) await this.release(ctx, consumer);
        await orNull(this.#call(ctx, deleteResourceProvider, { params }));
      }
    });
  }

  async #setTraits(
    ctx: RequestContext,
    uuid: string,
    present: readonly string[],
    wanted: readonly string[],
    generation: number,
  ): Promise<void> {
    const added = wanted.filter((trait) => !present.includes(trait));
    if (added.length === 0 && wanted.length === present.length) return;
    for (const trait of added.filter((one) => one.startsWith('CUSTOM_')))
      await this.#call(ctx, ensureTrait, { params: { name: trait } });
    await this.#call(ctx, updateProviderTraits, {
      params: { uuid },
      body: { traits: wanted, resource_provider_generation: generation },
    });
  }

  /** Reads and changes anew when somebody else changed the provider in between. */
  async #again(change: () => Promise<void>): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await change();
        return;
      } catch (error) {
        const raced = error instanceof DomainError && error.code === 'placement.concurrent_update';
        if (!raced || attempt >= TRIES) throw error;
      }
    }
  }

  async #call<T>(
    ctx: RequestContext,
    operation: Operation,
    call: {
      readonly params?: Readonly<Record<string, string>>;
      readonly query?: Readonly<Record<string, string>>;
      readonly body?: unknown;
    },
  ): Promise<T> {
    return (await this.api.call(ctx, operation, { ...call, version: VERSION } as never, 'service')) as T;
  }
}

interface Traits {
  readonly traits: readonly string[];
  readonly resource_provider_generation: number;
}

type InventoryRecord = Readonly<Record<'total' | 'reserved' | 'allocation_ratio' | 'max_unit', number>>;

interface Inventories {
  readonly inventories: Readonly<Record<string, InventoryRecord>>;
}

/** As Placement takes them: nothing of which there is nothing, and no more reserved than there is. */
function inventoriesOf(inventory: Inventory): Record<string, InventoryRecord> {
  const wanted: Record<string, InventoryRecord> = {};
  for (const [name, { total, reserved, allocation_ratio, max_unit }] of Object.entries(inventory)) {
    if (total < 1) continue;
    wanted[name] = { total, reserved: Math.min(reserved, total), allocation_ratio, max_unit: Math.max(max_unit, 1) };
  }
  return wanted;
}

function sameInventories(present: Inventories['inventories'], wanted: Inventories['inventories']): boolean {
  const names = Object.keys(wanted);
  if (names.length !== Object.keys(present).length) return false;
  return names.every((name) => {
    const [a, b] = [present[name], wanted[name]];
    return (
      a !== undefined &&
      b !== undefined &&
      a.total === b.total &&
      a.reserved === b.reserved &&
      a.allocation_ratio === b.allocation_ratio &&
      a.max_unit === b.max_unit
    );
  });
}

/** The provider that is the host itself: the one that gives memory or processors. */
function mainProvider(allocations: AllocationRequest['allocations']): string {
  const entries = Object.entries(allocations);
  const main = entries.find(([, { resources }]) => ['MEMORY_MB', 'VCPU', 'PCPU'].some((name) => name in resources));
  return (main ?? entries[0])?.[0] ?? '';
}

function isKind(error: unknown, kind: DomainError['kind']): boolean {
  return error instanceof DomainError && error.kind === kind;
}
