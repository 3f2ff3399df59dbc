import type { RequestContext, TransactionRunner, Tx } from '@nestack/kernel/context';
import { newUuid } from '@nestack/kernel/ids';
import { PlacementError } from '@nestack/placement/contract';
import type { Provider, Trait } from './model';
import type { NameRepository, ProviderFilter, ProviderRepository } from './ports';

export interface ProvidersParts {
  readonly db: TransactionRunner;
  readonly providers: ProviderRepository;
  readonly names: NameRepository;
}

/** Finds a provider. Throws 404; `tail` is what upstream adds to its text in this operation. */
export async function providerOf(
  tx: Tx,
  providers: ProviderRepository,
  uuid: string,
  options: { readonly lock?: boolean; readonly tail?: string } = {},
): Promise<Provider> {
  const provider = await providers.find(tx, uuid, options);
  if (provider === null) throw PlacementError.ProviderNotFound({ uuid, tail: options.tail ?? '' });
  return provider;
}

/** What upstream appends where it wraps its own error once more. */
export function nestedTail(uuid: string, separator = ': '): string {
  return `${separator}No resource provider with uuid ${uuid} found`;
}

/** Resource providers: their names and trees, aggregates and traits. */
export class Providers {
  constructor(private readonly parts: ProvidersParts) {}

  async list(_ctx: RequestContext, filter: ProviderFilter): Promise<readonly Provider[]> {
    return this.parts.db.read('provider.list', async (tx) => {
      const [unknown] = await this.parts.names.unknownClasses(tx, Object.keys(filter.resources));
      if (unknown !== undefined) {
        throw PlacementError.BadQuery({
          reason: `Invalid resource class in resources parameter: No such resource class ${unknown}.`,
        });
      }
      const missing = await this.parts.names.unknownTraits(tx, [...filter.required.flat(), ...filter.forbidden]);
      if (missing.length > 0) {
        throw PlacementError.BadQuery({
          reason: `Invalid trait(s) in "required" parameter: No such trait(s): ${missing.join(', ')}.`,
        });
      }
      return this.parts.providers.list(tx, filter);
    });
  }

  async show(_ctx: RequestContext, uuid: string): Promise<Provider> {
    return this.parts.db.read('provider.show', (tx) => providerOf(tx, this.parts.providers, uuid));
  }

  /** Throws 409 for a name or UUID that is taken, 400 for a parent that cannot be. */
  async create(
    _ctx: RequestContext,
    asked: { readonly name: string; readonly uuid?: string | undefined; readonly parent_uuid: string | null },
  ): Promise<Provider> {
    const uuid = dashed(asked.uuid ?? newUuid());
    const refuse = (reason: string): never => {
      throw PlacementError.ProviderNotCreated({ name: asked.name, uuid, reason });
    };
    if (asked.name === '') refuse('name is required');
    return this.parts.db.run('provider.create', async (tx) => {
      let parent: Provider | null = null;
      if (asked.parent_uuid !== null) {
        if (dashed(asked.parent_uuid) === uuid) {
          refuse(
            'parent provider UUID cannot be same as UUID. Please set parent provider UUID to None if there is no parent.',
          );
        }
        parent = await this.parts.providers.find(tx, asked.parent_uuid, { lock: true });
        if (parent === null) refuse('parent provider UUID does not exist.');
      }
      return this.parts.providers.insert(tx, { uuid, name: asked.name, parent });
    });
  }

  /**
   * Renames, and gives another parent when `parent_uuid` is not undefined. `reparenting` allows what only newer versions do:
   * to change a parent, or to take it away.
   */
  async update(
    _ctx: RequestContext,
    uuid: string,
    asked: { readonly name: string; readonly parent_uuid: string | null | undefined; readonly reparenting: boolean },
  ): Promise<Provider> {
    const refuse = (action: string, reason: string): never => {
      throw PlacementError.ProviderNotSaved({ uuid, action, reason });
    };
    return this.parts.db.run('provider.update', async (tx) => {
      const { providers } = this.parts;
      const provider = await providerOf(tx, providers, uuid, { lock: true });
      const change = { name: asked.name, parent_id: provider.parent_id, root_id: provider.root_id };
      if (asked.parent_uuid === undefined) return providers.update(tx, provider, change, []);
      if (asked.parent_uuid === null) {
        if (provider.parent_id === null) return providers.update(tx, provider, change, []);
        if (!asked.reparenting) refuse('update', 'un-parenting a provider is not currently allowed.');
        const moved = await providers.subtree(tx, provider);
        return providers.update(tx, provider, { ...change, parent_id: null, root_id: provider.id }, moved);
      }
      const parent = await providers.find(tx, asked.parent_uuid, { lock: true });
      if (parent === null) return refuse('create', 'parent provider UUID does not exist.');
      if (provider.parent_id !== null && provider.parent_id !== parent.id && !asked.reparenting)
        refuse('update', 're-parenting a provider is not currently allowed.');
      const moved = await providers.subtree(tx, provider);
      if (moved.includes(parent.id)) refuse('update', 'creating loop in the provider tree is not allowed.');
      return providers.update(tx, provider, { ...change, parent_id: parent.id, root_id: parent.root_id }, moved);
    });
  }

  /** Throws 409 while it has children or allocations. */
  async remove(_ctx: RequestContext, uuid: string): Promise<void> {
    await this.parts.db.run('provider.delete', async (tx) => {
      const provider = await providerOf(tx, this.parts.providers, uuid, { lock: true, tail: ' for delete' });
      if (await this.parts.providers.hasChildren(tx, provider.id)) throw PlacementError.ProviderHasChildren({ uuid });
      if (!(await this.parts.providers.remove(tx, provider.id))) throw PlacementError.ProviderInUse({ uuid });
    });
  }

  async aggregates(
    _ctx: RequestContext,
    uuid: string,
  ): Promise<{ readonly provider: Provider; readonly aggregates: readonly string[] }> {
    return this.parts.db.read('provider.aggregates', async (tx) => {
      const provider = await providerOf(tx, this.parts.providers, uuid);
      return { provider, aggregates: await this.parts.providers.aggregates(tx, provider.id) };
    });
  }

  /**
   * Aggregates are kept as they are spelled. `generation` undefined is for versions that know none for aggregates: nothing is
   * compared, nothing rises. upstream: placement/objects/resource_provider.py _set_aggregates
   */
  async setAggregates(
    _ctx: RequestContext,
    uuid: string,
    aggregates: readonly string[],
    generation: number | undefined,
  ): Promise<number> {
    return this.parts.db.run('provider.aggregates.set', async (tx) => {
      const provider = await providerOf(tx, this.parts.providers, uuid, { lock: true });
      if (generation !== undefined && generation !== provider.generation) throw PlacementError.GenerationConflict();
      await this.parts.providers.setAggregates(tx, provider.id, aggregates);
      return generation === undefined ? provider.generation : this.parts.providers.touch(tx, provider.id);
    });
  }

  async traits(
    _ctx: RequestContext,
    uuid: string,
  ): Promise<{ readonly provider: Provider; readonly traits: readonly Trait[] }> {
    return this.parts.db.read('provider.traits', async (tx) => {
      const provider = await providerOf(tx, this.parts.providers, uuid, { tail: nestedTail(uuid) });
      return { provider, traits: await this.parts.providers.traits(tx, provider.id) };
    });
  }

  /** Sets the traits; `generation` undefined compares nothing. Answers them with the generation afterwards. */
  async setTraits(
    _ctx: RequestContext,
    uuid: string,
    traits: readonly string[],
    generation: number | undefined,
  ): Promise<{ readonly traits: readonly Trait[]; readonly generation: number }> {
    return this.parts.db.run('provider.traits.set', async (tx) => {
      const { providers } = this.parts;
      const provider = await providerOf(tx, providers, uuid, { lock: true });
      if (generation !== undefined && generation !== provider.generation) throw PlacementError.GenerationConflict();
      const missing = await this.parts.names.unknownTraits(tx, traits);
      if (missing.length > 0) throw PlacementError.TraitsUnknown({ names: missing.join(', ') });
      const changed = await providers.setTraits(tx, provider.id, [...new Set(traits)]);
      return {
        generation: changed ? await providers.touch(tx, provider.id) : provider.generation,
        traits: await providers.traits(tx, provider.id),
      };
    });
  }
}

/** A UUID in its usual form: lower case, with dashes. */
export function dashed(uuid: string): string {
  const hex = uuid.replaceAll('-', '').toLowerCase();
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
