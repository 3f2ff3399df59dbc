import type { RequestContext, Tx } from '@nestack/kernel/context';
import { isUuidLike, newUuid } from '@nestack/kernel/ids';
import { CinderError } from '@nestack/cinder/contract';
import { scopeOf } from './access';
import { DEFAULT_TYPE, type Metadata, type TypeEncryption, type VolumeType } from './model';
import type { CinderParts, Scope, TypeQuery } from './ports';

export type EncryptionFields = Pick<TypeEncryption, 'provider' | 'control_location' | 'cipher' | 'key_size'>;

/** Volume types, their extra specs and who may use private ones. */
export class VolumeTypes {
  constructor(private readonly parts: Pick<CinderParts, 'db' | 'types' | 'quotas'>) {}

  list(ctx: RequestContext, query: Omit<TypeQuery, 'scope' | 'accessible_to'>): Promise<readonly VolumeType[]> {
    return this.parts.db.read('type.list', (tx) =>
      this.parts.types.list(tx, { ...query, scope: scopeOf(ctx), accessible_to: ctx.actor?.projectId ?? null }),
    );
  }

  /** By id; `default` is the default type. */
  show(ctx: RequestContext, id: string): Promise<VolumeType> {
    return this.parts.db.read('type.show', async (tx) => {
      if (id === 'default') return this.found(tx, DEFAULT_TYPE, null, id);
      if (!isUuidLike(id)) throw CinderError.VolumeTypeNotFound({ volume_type_id: id });
      return this.found(tx, id, scopeOf(ctx), id);
    });
  }

  create(type: Pick<VolumeType, 'name' | 'description' | 'is_public' | 'extra_specs'>): Promise<VolumeType> {
    return this.parts.db.run('type.create', async (tx) => {
      const made = { ...type, id: newUuid(), qos_specs_id: null };
      if (!(await this.parts.types.insert(tx, made))) throw CinderError.VolumeTypeExists({ id: type.name });
      return this.found(tx, made.id, null, made.id);
    });
  }

  update(id: string, changes: Partial<Omit<VolumeType, 'id' | 'created_at'>>): Promise<VolumeType> {
    return this.change(id, () => changes);
  }

  /** Changes are worked out from the type as no other request can change it meanwhile. */
  private change(
    id: string,
    changesOf: (type: VolumeType) => Partial<Omit<VolumeType, 'id' | 'created_at'>>,
  ): Promise<VolumeType> {
    return this.parts.db.run('type.update', async (tx) => {
      if (isUuidLike(id)) await this.parts.types.lock(tx, id);
      const type = await this.byId(tx, id);
      const changes = changesOf(type);
      if (changes.name !== undefined && changes.name !== type.name) {
        if (type.name === DEFAULT_TYPE)
          throw CinderError.InvalidInput({ reason: 'The default volume type cannot be renamed.' });
        if ((await this.parts.types.find(tx, changes.name, null)) !== null)
          throw CinderError.VolumeTypeExists({ id: changes.name });
        for (const resource of ['volumes', 'gigabytes', 'snapshots'])
          await this.parts.quotas.rename(tx, `${resource}_${type.name}`, `${resource}_${changes.name}`);
      }
      const next = { ...type, ...changes };
      await this.parts.types.update(tx, next);
      return next;
    });
  }

  async remove(id: string): Promise<void> {
    await this.parts.db.run('type.delete', async (tx) => {
      const type = await this.byId(tx, id);
      if (type.name === DEFAULT_TYPE) throw CinderError.VolumeTypeDefault({ volume_type_id: id });
      if (await this.parts.types.inUse(tx, id)) throw CinderError.VolumeTypeInUse({ volume_type_id: id });
      await this.parts.types.remove(tx, id);
    });
  }

  extraSpecs(id: string): Promise<Metadata> {
    return this.parts.db.read('type.show', async (tx) => (await this.byId(tx, id)).extra_specs);
  }

  async setExtraSpecs(id: string, specs: Metadata): Promise<Metadata> {
    await this.change(id, (type) => ({ extra_specs: { ...type.extra_specs, ...specs } }));
    return specs;
  }

  async removeExtraSpec(id: string, key: string): Promise<void> {
    await this.change(id, (type) => {
      const { [key]: removed, ...rest } = type.extra_specs;
      if (removed === undefined) throw CinderError.ExtraSpecsNotFound({ volume_type_id: id, extra_specs_key: key });
      return { extra_specs: rest };
    });
  }

  /** Null for an unencrypted type. */
  encryption(id: string): Promise<TypeEncryption | null> {
    return this.parts.db.read('type.encryption', async (tx) => {
      await this.byId(tx, id);
      return this.parts.types.encryption(tx, id);
    });
  }

  /** Makes a type encrypted that is not, or changes how; only while no volume has it. */
  async setEncryption(id: string, wanted: Partial<EncryptionFields>, how: 'create' | 'update'): Promise<void> {
    await this.parts.db.run('type.encryption', async (tx) => {
      await this.byId(tx, id);
      if (await this.parts.types.hasVolumes(tx, id)) throw CinderError.EncryptedTypeInUse({ verb: how });
      const known = await this.parts.types.encryption(tx, id);
      if (how === 'create' && known !== null) throw CinderError.VolumeTypeEncryptionExists({ type_id: id });
      if (how === 'update' && known === null) throw CinderError.VolumeTypeEncryptionNotFound({ type_id: id });
      const before = known ?? { provider: '', control_location: 'front-end', cipher: null, key_size: null };
      await this.parts.types.setEncryption(tx, id, { ...before, ...wanted });
    });
  }

  async removeEncryption(id: string): Promise<void> {
    await this.parts.db.run('type.encryption', async (tx) => {
      await this.byId(tx, id);
      if (await this.parts.types.hasVolumes(tx, id)) throw CinderError.EncryptedTypeInUse({ verb: 'delete' });
      if ((await this.parts.types.encryption(tx, id)) === null)
        throw CinderError.VolumeTypeEncryptionNotFound({ type_id: id });
      await this.parts.types.setEncryption(tx, id, null);
    });
  }

  /** Projects with access; asked of a public type it is absent, as upstream has it. */
  access(id: string): Promise<readonly string[]> {
    return this.parts.db.read('type.access', async (tx) => {
      const type = await this.byId(tx, id);
      if (type.is_public) throw CinderError.VolumeTypeAccessPublic();
      return this.parts.types.access(tx, id);
    });
  }

  async addAccess(id: string, projectId: string): Promise<void> {
    await this.parts.db.run('type.access', async (tx) => {
      const type = await this.byId(tx, id);
      if (type.is_public)
        throw CinderError.InvalidVolumeType({
          reason: 'Type access modification is not applicable to public volume type.',
        });
      if (!(await this.parts.types.addAccess(tx, id, projectId)))
        throw CinderError.VolumeTypeAccessExists({ volume_type_id: id, project_id: projectId });
    });
  }

  async removeAccess(id: string, projectId: string): Promise<void> {
    await this.parts.db.run('type.access', async (tx) => {
      const type = await this.byId(tx, id);
      if (type.is_public)
        throw CinderError.InvalidVolumeType({
          reason: 'Type access modification is not applicable to public volume type.',
        });
      if (!(await this.parts.types.removeAccess(tx, id, projectId)))
        throw CinderError.VolumeTypeAccessNotFound({ volume_type_id: id, project_id: projectId });
    });
  }

  defaults(): Promise<ReadonlyMap<string, string>> {
    return this.parts.db.read('type.defaults', (tx) => this.parts.types.defaults(tx));
  }

  /** A project's own default type. */
  defaultOf(projectId: string): Promise<VolumeType> {
    return this.parts.db.read('type.default', async (tx) => {
      const type = await this.parts.types.defaultOf(tx, projectId);
      if (type === null) throw CinderError.VolumeTypeProjectDefaultNotFound({ project_id: projectId });
      return type;
    });
  }

  /** Null makes the general default the project's again. */
  setDefault(projectId: string, idOrName: string | null): Promise<string | null> {
    return this.parts.db.run('type.set_default', async (tx) => {
      const type = idOrName === null ? null : await this.found(tx, idOrName, null, idOrName);
      await this.parts.types.setDefault(tx, projectId, type?.id ?? null);
      return type?.id ?? null;
    });
  }

  private byId(tx: Tx, id: string): Promise<VolumeType> {
    if (!isUuidLike(id)) throw CinderError.VolumeTypeNotFound({ volume_type_id: id });
    return this.found(tx, id, null, id);
  }

  private async found(tx: Tx, idOrName: string, seenBy: Scope, shown: string): Promise<VolumeType> {
    const type = await this.parts.types.find(tx, idOrName, seenBy);
    if (type === null) throw CinderError.VolumeTypeNotFound({ volume_type_id: shown });
    return type;
  }
}
