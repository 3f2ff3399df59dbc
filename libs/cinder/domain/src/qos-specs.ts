import type { Tx } from '@nestack/kernel/context';
import { isUuidLike, newUuid } from '@nestack/kernel/ids';
import { CinderError } from '@nestack/cinder/contract';
import type { Metadata, QosSpec, VolumeType } from './model';
import type { CinderParts } from './ports';

const CONSUMERS: readonly string[] = ['front-end', 'back-end', 'both'];

/** QoS specifications and the volume types that have them. */
export class QosSpecs {
  constructor(private readonly parts: Pick<CinderParts, 'db' | 'qos' | 'types'>) {}

  list(page: {
    readonly limit: number;
    readonly offset: number;
    readonly marker: string | null;
  }): Promise<readonly QosSpec[]> {
    return this.parts.db.read('qos.list', (tx) => this.parts.qos.list(tx, page));
  }

  show(id: string): Promise<QosSpec> {
    return this.parts.db.read('qos.show', (tx) => this.found(tx, id));
  }

  create(name: string, specs: Metadata): Promise<QosSpec> {
    const { consumer = 'back-end', ...rest } = specs;
    assertConsumer(consumer);
    return this.parts.db.run('qos.create', async (tx) => {
      const made = { id: newUuid(), name, consumer, specs: rest };
      if (!(await this.parts.qos.insert(tx, made))) throw CinderError.QoSSpecsExists({ specs_id: name });
      return this.found(tx, made.id);
    });
  }

  async update(id: string, specs: Metadata): Promise<void> {
    const { consumer, ...rest } = specs;
    if (consumer !== undefined) assertConsumer(consumer);
    await this.parts.db.run('qos.update', async (tx) => {
      const qos = await this.found(tx, id);
      await this.parts.qos.update(tx, {
        ...qos,
        consumer: consumer ?? qos.consumer,
        specs: { ...qos.specs, ...rest },
      });
    });
  }

  async deleteKeys(id: string, keys: readonly string[]): Promise<void> {
    await this.parts.db.run('qos.update', async (tx) => {
      const qos = await this.found(tx, id);
      const missing = keys.find((key) => qos.specs[key] === undefined);
      if (missing !== undefined) throw CinderError.QoSSpecsKeyNotFound({ specs_key: missing, specs_id: id });
      const specs = Object.fromEntries(Object.entries(qos.specs).filter(([key]) => !keys.includes(key)));
      await this.parts.qos.update(tx, { ...qos, specs });
    });
  }

  async remove(id: string, force: boolean): Promise<void> {
    await this.parts.db.run('qos.delete', async (tx) => {
      await this.found(tx, id);
      const types = await this.parts.types.ofQos(tx, id);
      if (types.length > 0 && !force) throw CinderError.QoSSpecsInUse({ specs_id: id });
      for (const type of types) await this.parts.types.update(tx, { ...type, qos_specs_id: null });
      await this.parts.qos.remove(tx, id);
    });
  }

  associations(id: string): Promise<readonly VolumeType[]> {
    return this.parts.db.read('qos.associations', async (tx) => {
      await this.found(tx, id);
      return this.parts.types.ofQos(tx, id);
    });
  }

  async associate(id: string, typeId: string): Promise<void> {
    await this.parts.db.run('qos.associate', async (tx) => {
      await this.found(tx, id);
      const type = await this.type(tx, typeId);
      if (type.qos_specs_id !== null && type.qos_specs_id !== id)
        throw CinderError.InvalidVolumeType({
          reason: `Type ${typeId} is already associated with another qos specs: ${type.qos_specs_id}`,
        });
      await this.parts.types.update(tx, { ...type, qos_specs_id: id });
    });
  }

  async disassociate(id: string, typeId: string): Promise<void> {
    await this.parts.db.run('qos.disassociate', async (tx) => {
      await this.found(tx, id);
      const type = await this.type(tx, typeId);
      if (type.qos_specs_id === id) await this.parts.types.update(tx, { ...type, qos_specs_id: null });
    });
  }

  async disassociateAll(id: string): Promise<void> {
    await this.parts.db.run('qos.disassociate', async (tx) => {
      await this.found(tx, id);
      for (const type of await this.parts.types.ofQos(tx, id))
        await this.parts.types.update(tx, { ...type, qos_specs_id: null });
    });
  }

  private async found(tx: Tx, id: string): Promise<QosSpec> {
    const qos = isUuidLike(id) ? await this.parts.qos.find(tx, id) : null;
    if (qos === null) throw CinderError.QoSSpecsNotFound({ specs_id: id });
    return qos;
  }

  private async type(tx: Tx, id: string): Promise<VolumeType> {
    const type = isUuidLike(id) ? await this.parts.types.find(tx, id, null) : null;
    if (type === null) throw CinderError.VolumeTypeNotFound({ volume_type_id: id });
    return type;
  }
}

function assertConsumer(consumer: string): void {
  if (!CONSUMERS.includes(consumer))
    throw CinderError.InvalidQoSSpecs({ reason: `Valid consumer of QoS specs are: ${CONSUMERS.join(', ')}` });
}
