import type { RequestContext, Tx } from '@nestack/kernel/context';
import { isUuidLike, newUuid } from '@nestack/kernel/ids';
import { CinderError } from '@nestack/cinder/contract';
import { isPrivileged } from './access';
import { DEFAULT_TYPE, type Metadata, type VolumeType } from './model';
import type { CinderParts, Scope } from './ports';

/** Volume types and their extra specs. */
export class VolumeTypes {
  constructor(private readonly parts: Pick<CinderParts, 'db' | 'types'>) {}

  list(ctx: RequestContext): Promise<readonly VolumeType[]> {
    return this.parts.db.read('type.list', (tx) => this.parts.types.list(tx, scope(ctx)));
  }

  /** By id; `default` is the default type. */
  show(ctx: RequestContext, id: string): Promise<VolumeType> {
    return this.parts.db.read('type.show', async (tx) => {
      if (id === 'default') return this.found(tx, DEFAULT_TYPE, null, id);
      if (!isUuidLike(id)) throw CinderError.VolumeTypeNotFound({ volume_type_id: id });
      return this.found(tx, id, scope(ctx), id);
    });
  }

  create(type: Omit<VolumeType, 'id'>): Promise<VolumeType> {
    return this.parts.db.run('type.create', async (tx) => {
      if ((await this.parts.types.find(tx, type.name, null)) !== null)
        throw CinderError.VolumeTypeExists({ id: type.name });
      const made = { ...type, id: newUuid() };
      await this.parts.types.insert(tx, made);
      return made;
    });
  }

  update(id: string, changes: Partial<Omit<VolumeType, 'id'>>): Promise<VolumeType> {
    return this.parts.db.run('type.update', async (tx) => {
      const type = await this.found(tx, id, null, id);
      if (changes.name !== undefined && changes.name !== type.name) {
        if ((await this.parts.types.find(tx, changes.name, null)) !== null)
          throw CinderError.VolumeTypeExists({ id: changes.name });
      }
      const next = { ...type, ...changes };
      await this.parts.types.update(tx, next);
      return next;
    });
  }

  async remove(id: string): Promise<void> {
    await this.parts.db.run('type.delete', async (tx) => {
      const type = await this.found(tx, id, null, id);
      if (type.name === DEFAULT_TYPE) throw CinderError.VolumeTypeDefault({ volume_type_id: id });
      if (await this.parts.types.inUse(tx, id)) throw CinderError.VolumeTypeInUse({ volume_type_id: id });
      await this.parts.types.remove(tx, id);
    });
  }

  async setExtraSpecs(id: string, specs: Metadata): Promise<Metadata> {
    const type = await this.parts.db.read('type.show', (tx) => this.found(tx, id, null, id));
    await this.update(id, { extra_specs: { ...type.extra_specs, ...specs } });
    return specs;
  }

  async removeExtraSpec(id: string, key: string): Promise<void> {
    const type = await this.parts.db.read('type.show', (tx) => this.found(tx, id, null, id));
    const { [key]: removed, ...rest } = type.extra_specs;
    if (removed === undefined) throw CinderError.ExtraSpecsNotFound({ volume_type_id: id, extra_specs_key: key });
    await this.update(id, { extra_specs: rest });
  }

  private async found(tx: Tx, idOrName: string, seenBy: Scope, shown: string): Promise<VolumeType> {
    const type = await this.parts.types.find(tx, idOrName, seenBy);
    if (type === null) throw CinderError.VolumeTypeNotFound({ volume_type_id: shown });
    return type;
  }
}

function scope(ctx: RequestContext): Scope {
  return isPrivileged(ctx) ? null : (ctx.actor?.projectId ?? '');
}
