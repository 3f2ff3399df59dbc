import type { RequestContext, TransactionRunner, Tx } from '@nestack/kernel/context';
import { PlacementError } from '@nestack/placement/contract';
import { capacityOf } from './capacity';
import type { Inventory, Provider } from './model';
import type { InventoryRepository, NameRepository, NewInventory, ProviderRepository } from './ports';
import { nestedTail, providerOf } from './providers';

export interface InventoriesParts {
  readonly db: TransactionRunner;
  readonly providers: ProviderRepository;
  readonly inventories: InventoryRepository;
  readonly names: NameRepository;
}

/** Inventories of providers. Whatever changes one raises its provider's generation. */
export class Inventories {
  constructor(private readonly parts: InventoriesParts) {}

  async list(
    _ctx: RequestContext,
    uuid: string,
  ): Promise<{ readonly provider: Provider; readonly inventories: readonly Inventory[] }> {
    return this.parts.db.read('inventory.list', async (tx) => {
      const provider = await providerOf(tx, this.parts.providers, uuid, { tail: nestedTail(uuid, ' : ') });
      return { provider, inventories: await this.parts.inventories.of(tx, provider.id) };
    });
  }

  async show(
    _ctx: RequestContext,
    uuid: string,
    resourceClass: string,
  ): Promise<{ readonly provider: Provider; readonly inventory: Inventory }> {
    return this.parts.db.read('inventory.show', async (tx) => {
      const provider = await providerOf(tx, this.parts.providers, uuid, { tail: nestedTail(uuid, ' : ') });
      const inventory = await this.parts.inventories.find(tx, provider.id, resourceClass);
      if (inventory === null) throw PlacementError.InventoryNotFound({ resource_class: resourceClass, uuid });
      return { provider, inventory };
    });
  }

  /** Adds an inventory. Answers the provider's generation afterwards. */
  async create(_ctx: RequestContext, uuid: string, inventory: NewInventory, allReserved: boolean): Promise<number> {
    return this.parts.db.run('inventory.create', async (tx) => {
      const { resource_class } = inventory;
      const provider = await providerOf(tx, this.parts.providers, uuid, { lock: true });
      const refuse = (reason: string): never => {
        throw PlacementError.InventoryNotCreated({ uuid: provider.uuid, reason });
      };
      checkReserved(provider.uuid, [inventory], allReserved, refuse);
      const [unknown] = await this.parts.names.unknownClasses(tx, [resource_class]);
      if (unknown !== undefined) refuse(`No such resource class ${unknown}.`);
      if ((await this.parts.inventories.find(tx, provider.id, resource_class)) !== null)
        throw PlacementError.InventoryExists({ uuid: provider.uuid, resource_class });
      await this.parts.inventories.put(tx, provider.id, [inventory]);
      return this.parts.providers.touch(tx, provider.id);
    });
  }

  /** Changes one inventory that is there. */
  async update(
    _ctx: RequestContext,
    uuid: string,
    inventory: NewInventory,
    generation: number,
    allReserved: boolean,
  ): Promise<number> {
    return this.parts.db.run('inventory.update', async (tx) => {
      const { resource_class } = inventory;
      const provider = await providerOf(tx, this.parts.providers, uuid, { lock: true });
      if (generation !== provider.generation) throw PlacementError.InventoryGenerationConflict();
      checkReserved(provider.uuid, [inventory], allReserved, (reason) => {
        throw PlacementError.InventoryNotUpdated({ uuid: provider.uuid, reason });
      });
      const [unknown] = await this.parts.names.unknownClasses(tx, [resource_class]);
      if (unknown !== undefined) throw PlacementError.ResourceClassNotFound({ name: unknown });
      if ((await this.parts.inventories.find(tx, provider.id, resource_class)) === null)
        throw PlacementError.InventoryMissing({ uuid: provider.uuid, resource_class });
      await this.parts.inventories.put(tx, provider.id, [inventory]);
      return this.parts.providers.touch(tx, provider.id);
    });
  }

  /** Makes these all inventories that the provider has. */
  async set(
    _ctx: RequestContext,
    uuid: string,
    inventories: readonly NewInventory[],
    generation: number,
    allReserved: boolean,
  ): Promise<number> {
    return this.parts.db.run('inventory.set', async (tx) => {
      const provider = await providerOf(tx, this.parts.providers, uuid, { lock: true });
      if (generation !== provider.generation) throw PlacementError.InventoryGenerationConflict();
      checkReserved(provider.uuid, inventories, allReserved, (reason) => {
        throw PlacementError.InventoryNotUpdated({ uuid: provider.uuid, reason });
      });
      const [unknown] = await this.parts.names.unknownClasses(
        tx,
        inventories.map((one) => one.resource_class),
      );
      if (unknown !== undefined) throw PlacementError.InventoryClassUnknown({ uuid: provider.uuid, name: unknown });
      await replaceInventories(tx, this.parts.inventories, provider, inventories, PlacementError.InventoryInUse);
      return this.parts.providers.touch(tx, provider.id);
    });
  }

  async removeAll(_ctx: RequestContext, uuid: string): Promise<void> {
    await this.parts.db.run('inventory.delete_all', async (tx) => {
      const provider = await providerOf(tx, this.parts.providers, uuid, { lock: true });
      await replaceInventories(tx, this.parts.inventories, provider, [], PlacementError.InventoriesInUse);
      await this.parts.providers.touch(tx, provider.id);
    });
  }

  async remove(_ctx: RequestContext, uuid: string, resourceClass: string): Promise<void> {
    await this.parts.db.run('inventory.delete', async (tx) => {
      const provider = await providerOf(tx, this.parts.providers, uuid, { lock: true });
      const inventory = await this.parts.inventories.find(tx, provider.id, resourceClass);
      if (inventory === null) {
        const [unknown] = await this.parts.names.unknownClasses(tx, [resourceClass]);
        const reason =
          unknown === undefined
            ? `No inventory of class ${resourceClass} found for delete`
            : `No such resource class ${unknown}.`;
        throw PlacementError.InventoryNotFoundForDelete({ resource_class: resourceClass, reason });
      }
      if (inventory.used > 0)
        throw PlacementError.InventoryInUseForDelete({ classes: resourceClass, uuid: provider.uuid });
      await this.parts.inventories.remove(tx, provider.id, [resourceClass]);
      await this.parts.providers.touch(tx, provider.id);
    });
  }

  /** What is used of each inventory. */
  async usage(
    _ctx: RequestContext,
    uuid: string,
  ): Promise<{ readonly provider: Provider; readonly inventories: readonly Inventory[] }> {
    return this.parts.db.read('inventory.usage', async (tx) => {
      const provider = await providerOf(tx, this.parts.providers, uuid, { tail: nestedTail(uuid) });
      return { provider, inventories: await this.parts.inventories.of(tx, provider.id) };
    });
  }
}

/** Replaces a locked provider's inventories. What is in use cannot go: `inUse` says so. */
export async function replaceInventories(
  tx: Tx,
  repository: InventoryRepository,
  provider: Pick<Provider, 'id' | 'uuid'>,
  inventories: readonly NewInventory[],
  inUse: (args: { readonly classes: string; readonly uuid: string }) => Error,
): Promise<void> {
  const kept = new Set(inventories.map((one) => one.resource_class));
  const leaving = (await repository.of(tx, provider.id)).filter((one) => !kept.has(one.resource_class));
  const used = leaving.filter((one) => one.used > 0).map((one) => one.resource_class);
  if (used.length > 0) throw inUse({ classes: used.join(', '), uuid: provider.uuid });
  if (leaving.length > 0)
    await repository.remove(
      tx,
      provider.id,
      leaving.map((one) => one.resource_class),
    );
  if (inventories.length > 0) await repository.put(tx, provider.id, inventories);
}

/** Before 1.26 some capacity had to be left; since then all of it may be reserved. */
function checkReserved(
  uuid: string,
  inventories: readonly NewInventory[],
  allReserved: boolean,
  refuse: (reason: string) => void,
): void {
  for (const inventory of inventories) {
    const capacity = capacityOf(inventory);
    if (allReserved ? capacity >= 0 : capacity > 0) continue;
    refuse(
      `Invalid inventory for '${inventory.resource_class}' on resource provider '${uuid}'. The reserved value is greater than ${allReserved ? '' : 'or equal to '}total.`,
    );
  }
}
