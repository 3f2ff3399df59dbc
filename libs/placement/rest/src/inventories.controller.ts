import { Inject, Injectable } from '@nestjs/common';
import { Handles, type ApiReply, type ApiRequest, type RequestOf } from '@nestack/kernel/http';
import {
  createInventory,
  deleteInventories,
  deleteInventory,
  listInventories,
  listProviderUsages,
  PlacementError,
  showInventory,
  updateInventories,
  updateInventory,
} from '@nestack/placement/contract';
import { Inventories, type InventoryFields, type NewInventory } from '@nestack/placement/domain';
import { inventoryOf } from './inventory-records';
import { lastModified, replyWith } from './replies';

@Injectable()
export class InventoriesController {
  constructor(@Inject(Inventories) private readonly inventories: Inventories) {}

  @Handles(listInventories)
  async list(request: ApiRequest): Promise<ApiReply> {
    const { provider, inventories } = await this.inventories.list(request.ctx, uuidOf(request));
    return replyWith(request, inventoriesView(inventories, provider.generation), {
      modified: lastModified(inventories),
    });
  }

  @Handles(createInventory)
  async create(request: RequestOf<typeof createInventory>): Promise<ApiReply> {
    const { resource_class } = request.body;
    const inventory = inventoryOf(resource_class, request.body);
    const uuid = uuidOf(request);
    const generation = await this.inventories.create(request.ctx, uuid, inventory, mayReserveAll(request));
    return replyWith(request, inventoryView(inventory, generation), {
      status: 201,
      location: `/resource_providers/${uuid}/inventories/${resource_class}`,
    });
  }

  @Handles(updateInventories)
  async set(request: RequestOf<typeof updateInventories>): Promise<ApiReply> {
    const { resource_provider_generation, inventories } = request.body;
    const wanted = Object.entries(inventories).map(([name, record]) => inventoryOf(name, record));
    const generation = await this.inventories.set(
      request.ctx,
      uuidOf(request),
      wanted,
      resource_provider_generation,
      mayReserveAll(request),
    );
    return replyWith(request, inventoriesView(wanted, generation));
  }

  @Handles(deleteInventories)
  async removeAll(request: ApiRequest): Promise<null> {
    if (!request.version.atLeast('1.5')) throw PlacementError.MethodNotAllowed();
    await this.inventories.removeAll(request.ctx, uuidOf(request));
    return null;
  }

  @Handles(showInventory)
  async show(request: ApiRequest): Promise<ApiReply> {
    const { provider, inventory } = await this.inventories.show(request.ctx, uuidOf(request), classOf(request));
    return replyWith(request, inventoryView(inventory, provider.generation), { modified: lastModified([inventory]) });
  }

  @Handles(updateInventory)
  async update(request: RequestOf<typeof updateInventory>): Promise<ApiReply> {
    const inventory = inventoryOf(classOf(request), request.body);
    const generation = await this.inventories.update(
      request.ctx,
      uuidOf(request),
      inventory,
      request.body.resource_provider_generation,
      mayReserveAll(request),
    );
    return replyWith(request, inventoryView(inventory, generation));
  }

  @Handles(deleteInventory)
  async remove(request: ApiRequest): Promise<null> {
    await this.inventories.remove(request.ctx, uuidOf(request), classOf(request));
    return null;
  }

  @Handles(listProviderUsages)
  async usages(request: ApiRequest): Promise<ApiReply> {
    const { provider, inventories } = await this.inventories.usage(request.ctx, uuidOf(request));
    return replyWith(request, {
      resource_provider_generation: provider.generation,
      usages: Object.fromEntries(inventories.map((one) => [one.resource_class, one.used])),
    });
  }
}

function uuidOf(request: Pick<ApiRequest, 'params'>): string {
  return request.params['uuid'] ?? '';
}

function classOf(request: Pick<ApiRequest, 'params'>): string {
  return request.params['resource_class'] ?? '';
}

function mayReserveAll(request: Pick<ApiRequest, 'version'>): boolean {
  return request.version.atLeast('1.26');
}

function fieldsView(inventory: InventoryFields): object {
  return {
    total: inventory.total,
    reserved: inventory.reserved,
    min_unit: inventory.min_unit,
    max_unit: inventory.max_unit,
    step_size: inventory.step_size,
    allocation_ratio: inventory.allocation_ratio,
  };
}

function inventoryView(inventory: InventoryFields, generation: number): object {
  return { ...fieldsView(inventory), resource_provider_generation: generation };
}

function inventoriesView(inventories: readonly NewInventory[], generation: number): object {
  return {
    resource_provider_generation: generation,
    inventories: Object.fromEntries(inventories.map((one) => [one.resource_class, fieldsView(one)])),
  };
}
