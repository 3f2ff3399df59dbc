import type { RequestContext, TransactionRunner } from '@nestack/kernel/context';
import { isUuidLike } from '@nestack/kernel/ids';
import { PlacementError } from '@nestack/placement/contract';
import type { Allocations } from './allocations';
import { replaceInventories } from './inventories';
import type { ConsumerRequest, Provider } from './model';
import type { InventoryRepository, NameRepository, NewInventory, ProviderRepository } from './ports';
import { dashed } from './providers';

export interface ReshaperParts {
  readonly db: TransactionRunner;
  readonly providers: ProviderRepository;
  readonly inventories: InventoryRepository;
  readonly names: NameRepository;
}

export interface ReshapedInventories {
  readonly provider_uuid: string;
  readonly generation: number;
  readonly inventories: readonly NewInventory[];
}

/** Moves inventories together with what is allocated of them, in one transaction. */
export class Reshaper {
  constructor(
    private readonly parts: ReshaperParts,
    private readonly allocations: Allocations,
  ) {}

  async reshape(
    _ctx: RequestContext,
    reshaped: readonly ReshapedInventories[],
    requests: readonly ConsumerRequest[],
  ): Promise<void> {
    await this.parts.db.run('reshape', async (tx) => {
      const { providers, inventories } = this.parts;
      const known: { readonly provider: Provider; readonly asked: ReshapedInventories }[] = [];
      for (const asked of reshaped) {
        const uuid = asked.provider_uuid;
        const provider = isUuidLike(uuid) ? await providers.find(tx, dashed(uuid), { lock: true }) : null;
        if (provider === null) throw PlacementError.ReshapeProviderNotFound({ uuid });
        if (provider.generation !== asked.generation) {
          throw PlacementError.ReshapeGenerationConflict({
            uuid,
            actual: String(provider.generation),
            given: String(asked.generation),
          });
        }
        known.push({ provider, asked });
      }
      const classes = reshaped.flatMap((one) => one.inventories.map((inventory) => inventory.resource_class));
      const [unknown] = await this.parts.names.unknownClasses(tx, classes);
      if (unknown !== undefined)
        throw PlacementError.ReshapeMalformed({ reason: `No such resource class ${unknown}.` });
      // What comes is there before what is allocated of it; what goes stays until nothing is allocated of it any more.
      for (const { provider, asked } of known) {
        if (asked.inventories.length > 0) await inventories.put(tx, provider.id, asked.inventories);
      }
      if (requests.length > 0) await this.allocations.replace(tx, requests);
      for (const { provider, asked } of known) {
        await replaceInventories(tx, inventories, provider, asked.inventories, PlacementError.InventoryInUse);
        await providers.touch(tx, provider.id);
      }
    });
  }
}
