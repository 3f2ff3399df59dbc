import type { Tx } from '@nestack/kernel/context';
import type { AllocationPlan, LockedInventory } from './capacity';
import type { CandidateProvider, CandidatesQuery, RequestGroup } from './candidates/query';
import type {
  Allocation,
  Consumer,
  ConsumerRequest,
  Inventory,
  InventoryFields,
  Provider,
  ResourceClass,
  Trait,
  Usage,
} from './model';

/** What a list of providers is narrowed by. */
export interface ProviderFilter extends Omit<RequestGroup, 'suffix'> {
  readonly name: string | null;
  readonly uuid: string | null;
}

export interface ProviderRepository {
  /** Throws `ProviderExists`. */
  insert(
    tx: Tx,
    provider: { readonly uuid: string; readonly name: string; readonly parent: Provider | null },
  ): Promise<Provider>;
  /** `lock` holds the provider until the transaction ends: whatever changes a provider takes this lock first. */
  find(tx: Tx, uuid: string, options?: { readonly lock?: boolean }): Promise<Provider | null>;
  list(tx: Tx, filter: ProviderFilter): Promise<readonly Provider[]>;
  /** Ids of the provider and all below it. */
  subtree(tx: Tx, provider: Provider): Promise<readonly number[]>;
  /** Throws `ProviderExists`. `moved` get the new root. */
  update(
    tx: Tx,
    provider: Provider,
    change: { readonly name: string; readonly parent_id: number | null; readonly root_id: number },
    moved: readonly number[],
  ): Promise<Provider>;
  /** Raises the generation; answers the new one. */
  touch(tx: Tx, providerId: number): Promise<number>;
  hasChildren(tx: Tx, providerId: number): Promise<boolean>;
  /** False when there are allocations against it. */
  remove(tx: Tx, providerId: number): Promise<boolean>;
  aggregates(tx: Tx, providerId: number): Promise<readonly string[]>;
  setAggregates(tx: Tx, providerId: number, aggregates: readonly string[]): Promise<void>;
  traits(tx: Tx, providerId: number): Promise<readonly Trait[]>;
  /** Whether anything changed. */
  setTraits(tx: Tx, providerId: number, traits: readonly string[]): Promise<boolean>;
}

export type NewInventory = InventoryFields & { readonly resource_class: string };

export interface InventoryRepository {
  of(tx: Tx, providerId: number): Promise<readonly Inventory[]>;
  find(tx: Tx, providerId: number, resourceClass: string): Promise<Inventory | null>;
  /** Inserts or changes; what is used stays. */
  put(tx: Tx, providerId: number, inventories: readonly NewInventory[]): Promise<void>;
  remove(tx: Tx, providerId: number, resourceClasses: readonly string[]): Promise<void>;
}

/** Names of resource classes and traits. */
export interface NameRepository {
  classes(tx: Tx): Promise<readonly ResourceClass[]>;
  findClass(tx: Tx, name: string): Promise<ResourceClass | null>;
  /** False when it was there. */
  insertClass(tx: Tx, name: string): Promise<boolean>;
  /** False when the new name is taken. */
  renameClass(tx: Tx, name: string, to: string): Promise<boolean>;
  /** False when inventories use it. */
  removeClass(tx: Tx, name: string): Promise<boolean>;
  /** Of these names, those that no resource class has. */
  unknownClasses(tx: Tx, names: readonly string[]): Promise<readonly string[]>;
  traits(tx: Tx, filter: TraitFilter): Promise<readonly Trait[]>;
  findTrait(tx: Tx, name: string): Promise<Trait | null>;
  /** False when it was there. */
  insertTrait(tx: Tx, name: string): Promise<boolean>;
  /** False when providers have it. */
  removeTrait(tx: Tx, name: string): Promise<boolean>;
  unknownTraits(tx: Tx, names: readonly string[]): Promise<readonly string[]>;
}

export interface TraitFilter {
  readonly names?: readonly string[];
  readonly prefix?: string;
  readonly associated?: boolean;
}

/** A consumer with what it holds. */
export interface ConsumerAllocations {
  readonly consumer: Consumer;
  readonly allocations: readonly Allocation[];
}

export interface AllocationRepository {
  ofConsumer(tx: Tx, consumerUuid: string): Promise<ConsumerAllocations | null>;
  /** What consumers hold of one provider. */
  ofProvider(
    tx: Tx,
    providerId: number,
  ): Promise<
    readonly {
      readonly consumer_uuid: string;
      readonly consumer_generation: number;
      readonly resource_class: string;
      readonly used: number;
      readonly created_at: Date;
    }[]
  >;
  /** Makes the consumers that are missing and locks all of them, in the order of their UUIDs. */
  lockConsumers(
    tx: Tx,
    requests: readonly ConsumerRequest[],
  ): Promise<ReadonlyMap<string, { readonly generation: number; readonly created: boolean }>>;
  /** Locks a consumer; false when there is none. */
  lockConsumer(tx: Tx, consumerUuid: string): Promise<boolean>;
  /** Locks these providers and those of the consumers' present allocations, in the order of their ids. */
  lockProviders(
    tx: Tx,
    providerUuids: readonly string[],
    consumerUuids: readonly string[],
  ): Promise<readonly { readonly id: number; readonly uuid: string; readonly holds: boolean }[]>;
  /** Inventories of locked providers as they are now. */
  inventories(
    tx: Tx,
    providerIds: readonly number[],
    consumerUuids: readonly string[],
  ): Promise<readonly LockedInventory[]>;
  /** Carries out a plan; consumers that hold nothing afterwards are gone. */
  write(tx: Tx, requests: readonly ConsumerRequest[], plan: AllocationPlan): Promise<void>;
  /** Gives back all that a locked consumer holds, its providers being locked. */
  removeConsumer(tx: Tx, consumerUuid: string): Promise<void>;
  projectUsage(tx: Tx, projectId: string, userId: string | null): Promise<Readonly<Record<string, number>>>;
  /** By consumer type: all types, one, or those of no type (`unknown`); `all` makes one of them. */
  projectUsageByType(tx: Tx, projectId: string, userId: string | null, type: string | null): Promise<readonly Usage[]>;
}

/** What the search for candidates reads. */
export interface CandidateRepository {
  /**
   * Providers that are a tree of their own, share nothing, and satisfy the group alone; the emptiest of the group's first
   * class first. One indexed statement whatever the number of providers. Says also whether there are other providers.
   */
  flat(
    tx: Tx,
    query: CandidatesQuery,
    group: RequestGroup,
  ): Promise<{ readonly providers: readonly CandidateProvider[]; readonly others: boolean }>;
  /** Roots by provider; unknown providers are left out. */
  roots(tx: Tx, providerUuids: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** All providers of the trees that have sharing providers. */
  sharing(tx: Tx): Promise<readonly CandidateProvider[]>;
  /** A page of trees that may satisfy the request, whole; `flat` leaves out those that `flat()` finds. */
  trees(
    tx: Tx,
    query: CandidatesQuery,
    page: {
      readonly after: number;
      readonly limit: number;
      readonly withFlat: boolean;
      readonly shared: readonly string[];
    },
  ): Promise<readonly CandidateProvider[]>;
}
