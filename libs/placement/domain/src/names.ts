import type { RequestContext, TransactionRunner } from '@nestack/kernel/context';
import { isCustomName, PlacementError } from '@nestack/placement/contract';
import type { ResourceClass, Trait } from './model';
import type { NameRepository, TraitFilter } from './ports';

export interface NamesParts {
  readonly db: TransactionRunner;
  readonly names: NameRepository;
}

/** Resource classes and traits: the standard ones are given, custom ones come and go. */
export class Names {
  constructor(private readonly parts: NamesParts) {}

  async classes(_ctx: RequestContext): Promise<readonly ResourceClass[]> {
    return this.parts.db.read('class.list', (tx) => this.parts.names.classes(tx));
  }

  async showClass(_ctx: RequestContext, name: string): Promise<ResourceClass> {
    const found = await this.parts.db.read('class.show', (tx) => this.parts.names.findClass(tx, name));
    if (found === null) throw PlacementError.ResourceClassNotFound({ name });
    return found;
  }

  /** Throws 409 when it is there. */
  async createClass(_ctx: RequestContext, name: string): Promise<void> {
    const created = await this.parts.db.run('class.create', (tx) => this.parts.names.insertClass(tx, name));
    if (!created) throw PlacementError.ResourceClassExists({ name });
  }

  /** Whether it had to be created. Throws 400 for names that are not custom. */
  async ensureClass(_ctx: RequestContext, name: string): Promise<boolean> {
    if (!isCustomName(name)) throw PlacementError.ResourceClassInvalid({ name });
    return this.parts.db.run('class.ensure', (tx) => this.parts.names.insertClass(tx, name));
  }

  async renameClass(_ctx: RequestContext, name: string, to: string): Promise<ResourceClass> {
    return this.parts.db.run('class.rename', async (tx) => {
      if ((await this.parts.names.findClass(tx, name)) === null) throw PlacementError.ResourceClassNotFound({ name });
      if (!isCustomName(name)) throw PlacementError.ResourceClassNotRenamable({ name });
      if (!(await this.parts.names.renameClass(tx, name, to))) throw PlacementError.ResourceClassTaken({ name: to });
      return { name: to, created_at: null, updated_at: null };
    });
  }

  async removeClass(_ctx: RequestContext, name: string): Promise<void> {
    await this.parts.db.run('class.delete', async (tx) => {
      if ((await this.parts.names.findClass(tx, name)) === null) throw PlacementError.ResourceClassNotFound({ name });
      if (!isCustomName(name)) throw PlacementError.ResourceClassStandard({ name });
      if (await this.parts.names.removeClass(tx, name)) return;
      // Another request may have removed it in between.
      throw (await this.parts.names.findClass(tx, name)) === null
        ? PlacementError.ResourceClassNotFound({ name })
        : PlacementError.ResourceClassInUse({ name });
    });
  }

  async traits(_ctx: RequestContext, filter: TraitFilter): Promise<readonly Trait[]> {
    return this.parts.db.read('trait.list', (tx) => this.parts.names.traits(tx, filter));
  }

  async showTrait(_ctx: RequestContext, name: string): Promise<Trait> {
    const found = await this.parts.db.read('trait.show', (tx) => this.parts.names.findTrait(tx, name));
    if (found === null) throw PlacementError.TraitNotFound({ name });
    return found;
  }

  /** Whether it had to be created. Throws 400 for names that are not custom. */
  async ensureTrait(_ctx: RequestContext, name: string): Promise<boolean> {
    if (!isCustomName(name)) throw PlacementError.TraitInvalid();
    return this.parts.db.run('trait.ensure', (tx) => this.parts.names.insertTrait(tx, name));
  }

  async removeTrait(_ctx: RequestContext, name: string): Promise<void> {
    await this.parts.db.run('trait.delete', async (tx) => {
      if ((await this.parts.names.findTrait(tx, name)) === null) throw PlacementError.TraitNotFound({ name });
      if (!name.startsWith('CUSTOM_')) throw PlacementError.TraitStandard({ name });
      if (await this.parts.names.removeTrait(tx, name)) return;
      throw (await this.parts.names.findTrait(tx, name)) === null
        ? PlacementError.TraitNotFound({ name })
        : PlacementError.TraitInUse({ name });
    });
  }
}
