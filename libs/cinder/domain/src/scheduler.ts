import type { RequestContext } from '@nestack/kernel/context';
import { CinderError, truthy } from '@nestack/cinder/contract';
import type { Service, Volume, VolumeType } from './model';
import type { CinderParts } from './ports';
import { poolOf } from './services';

interface Candidate {
  readonly pool: string;
  readonly service: Service;
  /** GiB that may still be promised. */
  readonly free: number;
}

/** Chooses backends: filters (service up and enabled, zone, capacity, capabilities), then the most room. */
export class Scheduler {
  constructor(
    private readonly parts: Pick<
      CinderParts,
      'db' | 'volumes' | 'services' | 'types' | 'snapshots' | 'groups' | 'groupTypes' | 'settings'
    >,
  ) {}

  /** The pool for a volume; one that has its pool keeps it. */
  async createVolume(_ctx: RequestContext, volumeId: string): Promise<string> {
    return this.parts.db.read('scheduler.create_volume', async (tx) => {
      const volume = await this.parts.volumes.find(tx, volumeId, null);
      if (volume === null) throw CinderError.VolumeNotFound({ volume_id: volumeId });
      if (volume.host !== null) return volume.host;
      const type = await this.parts.types.find(tx, volume.volume_type_id, null);
      const provisioned = await this.parts.volumes.provisioned(tx);
      const services = await this.parts.services.list(tx, { binary: 'cinder-volume' });
      const near = await this.sourceHost(tx, volume);
      const candidates = services
        .filter((one) => one.up && !one.disabled && one.capabilities !== null)
        .filter((one) => one.availability_zone === volume.availability_zone)
        .map((service) => this.candidate(service, provisioned))
        // What is copied must be where its source is.
        .filter((one) => near === null || one.pool === near)
        .filter((one) => one.free >= volume.size && fits(one.service, type));
      const [best] = candidates.sort((a, b) => b.free - a.free);
      if (best === undefined) throw CinderError.NoValidBackend({ reason: 'No weighed backends available' });
      return best.pool;
    });
  }

  /** The backend for a group: one that has what the group's type and each of its volume types ask for. */
  async createGroup(_ctx: RequestContext, groupId: string): Promise<string> {
    return this.parts.db.read('scheduler.create_group', async (tx) => {
      const group = await this.parts.groups.find(tx, groupId, null);
      if (group === null) throw CinderError.GroupNotFound({ group_id: groupId });
      if (group.host !== null) return group.host;
      const groupType = await this.parts.groupTypes.find(tx, group.group_type_id);
      const types = await Promise.all(group.volume_types.map((id) => this.parts.types.find(tx, id, null)));
      const specs = Object.entries(groupType?.group_specs ?? {}).flatMap(([key, value]) =>
        // What is not wanted need not be there.
        value === null || /^<is>\s*false$/i.test(value) ? [] : [[key, value] as const],
      );
      const provisioned = await this.parts.volumes.provisioned(tx);
      const services = await this.parts.services.list(tx, { binary: 'cinder-volume' });
      const candidates = services
        .filter((one) => one.up && !one.disabled && one.capabilities !== null)
        .filter((one) => one.availability_zone === group.availability_zone)
        .filter((one) => types.every((type) => fits(one, type)))
        .filter((one) => fits(one, { extra_specs: Object.fromEntries(specs) }))
        .map((service) => this.candidate(service, provisioned));
      const [best] = candidates.sort((a, b) => b.free - a.free);
      if (best === undefined) throw CinderError.NoValidBackend({ reason: 'No weighed backends available' });
      return best.pool;
    });
  }

  private candidate(service: Service, provisioned: ReadonlyMap<string, number>): Candidate {
    const pool = poolOf(service);
    const total = service.capabilities?.total_capacity_gb ?? 0;
    const promised = provisioned.get(pool) ?? 0;
    return { pool, service, free: total * this.parts.settings.max_over_subscription_ratio - promised };
  }

  private async sourceHost(tx: Parameters<CinderParts['volumes']['find']>[0], volume: Volume): Promise<string | null> {
    if (volume.group_id !== null && volume.source_volid === null && volume.snapshot_id === null)
      return (await this.parts.groups.find(tx, volume.group_id, null))?.host ?? null;
    if (volume.source_volid !== null)
      return (await this.parts.volumes.find(tx, volume.source_volid, null))?.host ?? null;
    if (volume.snapshot_id === null) return null;
    const snapshot = await this.parts.snapshots.find(tx, volume.snapshot_id, null);
    return snapshot === null ? null : ((await this.parts.volumes.find(tx, snapshot.volume_id, null))?.host ?? null);
  }
}

/**
 * Whether a backend has what the type's extra specs ask for: those without a scope, and those scoped `capabilities`.
 * upstream: CapabilitiesFilter, extra_specs_ops
 */
export function fits(service: Service, type: Pick<VolumeType, 'extra_specs'> | null): boolean {
  const capabilities = (service.capabilities ?? {}) as unknown as Readonly<Record<string, unknown>>;
  return Object.entries(type?.extra_specs ?? {}).every(([key, wanted]) => {
    const scoped = key.split(':');
    if (scoped.length > 1 && scoped[0] !== 'capabilities') return true;
    const name = scoped.at(-1) ?? key;
    const has = capabilities[name];
    return has !== undefined && meets(String(has), wanted);
  });
}

function meets(has: string, wanted: string): boolean {
  const is = /^<is>\s*(.*)$/i.exec(wanted);
  if (is !== null) return truthy(has) === truthy(is[1] ?? '');
  const inside = /^<in>\s*(.*)$/i.exec(wanted);
  if (inside !== null) return has.includes(inside[1] ?? '');
  const compared = /^(>=|<=|==|!=|=)\s*(\d+(?:\.\d+)?)$/.exec(wanted);
  if (compared === null) return has.toLowerCase() === wanted.toLowerCase();
  const [left, right] = [Number(has), Number(compared[2])];
  // A single equals sign means at least, as ever in extra specs.
  if (compared[1] === '=' || compared[1] === '>=') return left >= right;
  if (compared[1] === '<=') return left <= right;
  return (left === right) === (compared[1] === '==');
}
