import type { RequestContext, Tx } from '@nestack/kernel/context';
import { isUuidLike } from '@nestack/kernel/ids';
import { CinderError, truthy } from '@nestack/cinder/contract';
import { backendOf } from './groups';
import { queueHost, type Service, type Volume, type VolumeType } from './model';
import type { CinderParts } from './ports';
import { poolOf } from './services';

interface Candidate {
  readonly pool: string;
  readonly service: Service;
  /** GiB that may still be promised, and that are promised already. */
  readonly free: number;
  readonly promised: number;
}

/** What a volume is placed by. */
interface Request {
  readonly size: number;
  readonly zone: string;
  readonly type: Pick<VolumeType, 'extra_specs'> | null;
  /** Where it must be, because what it is made from is there, or the rest of its group. */
  readonly near: string | null;
  /** Backends of volumes that it shall be with, or apart from. */
  readonly same: readonly string[] | null;
  readonly different: readonly string[];
}

interface Filter {
  readonly name: string;
  readonly passes: (one: Candidate, request: Request) => boolean;
}

/** upstream: scheduler_default_filters, and those by hints. */
const FILTERS: readonly Filter[] = [
  { name: 'AvailabilityZoneFilter', passes: (one, { zone }) => one.service.availability_zone === zone },
  { name: 'CapacityFilter', passes: (one, { size }) => one.free >= size },
  { name: 'CapabilitiesFilter', passes: (one, { type }) => fits(one.service, type) },
  // What is copied must be where its source is, whichever the pool.
  { name: 'SourceBackend', passes: (one, { near }) => near === null || backendOf(near) === one.service.host },
  {
    name: 'SameBackendFilter',
    passes: (one, { same }) => same === null || same.includes(one.service.host),
  },
  { name: 'DifferentBackendFilter', passes: (one, { different }) => !different.includes(one.service.host) },
];

/** The order of what is left: greatest first. upstream: scheduler_default_weighers */
const WEIGHERS = {
  CapacityWeigher: (one: Candidate) => one.free,
  AllocatedCapacityWeigher: (one: Candidate) => -one.promised,
  ChanceWeigher: () => Math.random(),
} as const;
export type WeigherName = keyof typeof WEIGHERS;

/** Tells how a choice came about. */
export type Decisions = (ctx: RequestContext, event: string, fields: Readonly<Record<string, unknown>>) => void;

/** Chooses backends: those that are up and enabled pass the filters, a weigher orders what is left. */
export class Scheduler {
  constructor(
    private readonly parts: Pick<
      CinderParts,
      'db' | 'volumes' | 'backups' | 'services' | 'types' | 'snapshots' | 'groups' | 'groupTypes' | 'settings'
    >,
    private readonly decided: Decisions = () => undefined,
  ) {}

  /** The pool for a volume; one that has its pool keeps it. */
  async createVolume(ctx: RequestContext, volumeId: string, hints: SchedulerHints = {}): Promise<string> {
    return this.parts.db.read('scheduler.create_volume', async (tx) => {
      const volume = await this.parts.volumes.find(tx, volumeId, null);
      if (volume === null) throw CinderError.VolumeNotFound({ volume_id: volumeId });
      if (volume.host !== null) return volume.host;
      const best = await this.choose(ctx, tx, volumeId, {
        size: volume.size,
        zone: volume.availability_zone,
        type: await this.parts.types.find(tx, volume.volume_type_id, null),
        near: await this.sourceHost(tx, volume),
        same: hints.same_host === undefined ? null : await this.backendsOf(tx, hints.same_host),
        different: await this.backendsOf(tx, hints.different_host ?? []),
      });
      return best.pool;
    });
  }

  /** Where a volume goes: to a named pool that has room, or to one that suits another type. */
  async migrateVolume(
    ctx: RequestContext,
    volumeId: string,
    host: string | null,
    volumeTypeId: string | null,
  ): Promise<string> {
    return this.parts.db.read('scheduler.migrate_volume', async (tx) => {
      const volume = await this.parts.volumes.find(tx, volumeId, null);
      if (volume === null) throw CinderError.VolumeNotFound({ volume_id: volumeId });
      const type = await this.parts.types.find(tx, volumeTypeId ?? volume.volume_type_id, null);
      const best = await this.choose(
        ctx,
        tx,
        volumeId,
        {
          size: volume.size,
          zone: volume.availability_zone,
          type,
          near: host,
          same: null,
          different: [backendOf(volume.host) ?? ''],
        },
        // There is no way between hosts.
        (one) => queueHost(one.service.host) === queueHost(volume.host ?? ''),
      );
      return best.pool;
    });
  }

  /** The backend for a group: one that has what the group's type and each of its volume types ask for. */
  async createGroup(ctx: RequestContext, groupId: string): Promise<string> {
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
      const request = {
        size: 0,
        zone: group.availability_zone,
        type: { extra_specs: Object.fromEntries(specs) },
        near: null,
        same: null,
        different: [],
      };
      const best = await this.choose(ctx, tx, groupId, request, (one) =>
        types.every((type) => fits(one.service, type)),
      );
      return best.pool;
    });
  }

  /** The cinder-backup on the host that has what is backed up. upstream: cinder/scheduler/host_manager.py get_backup_host */
  async createBackup(_ctx: RequestContext, backupId: string): Promise<string> {
    return this.parts.db.read('scheduler.create_backup', async (tx) => {
      const backup = await this.parts.backups.find(tx, backupId, null);
      if (backup === null) throw CinderError.BackupNotFound({ backup_id: backupId });
      const volume = await this.parts.volumes.find(tx, backup.volume_id, null);
      const services = await this.parts.services.list(tx, { binary: 'cinder-backup' });
      const found = services
        .filter((one) => one.up && !one.disabled)
        .filter((one) => backup.availability_zone === null || one.availability_zone === backup.availability_zone)
        .find((one) => one.host === queueHost(volume?.host ?? ''));
      if (found === undefined) throw CinderError.InvalidBackup({ reason: 'Service not found for creating backup.' });
      return found.host;
    });
  }

  private async choose(
    ctx: RequestContext,
    tx: Tx,
    id: string,
    request: Request,
    also: (one: Candidate) => boolean = () => true,
  ): Promise<Candidate> {
    const provisioned = await this.parts.volumes.provisioned(tx);
    const services = await this.parts.services.list(tx, { binary: 'cinder-volume' });
    let left = services
      .filter((one) => one.up && !one.disabled && one.capabilities !== null)
      .map((service) => this.candidate(service, provisioned))
      .filter(also);
    const start = left.length;
    for (const { name, passes } of FILTERS) {
      left = left.filter((one) => passes(one, request));
      this.decided(ctx, 'scheduler.filter', { id, filter: name, start, end: left.length });
      if (left.length === 0) break;
    }
    const weigh = WEIGHERS[this.parts.settings.scheduler_weigher];
    const weighed = left.map((one) => ({ one, weight: weigh(one) })).sort((a, b) => b.weight - a.weight);
    const best = weighed[0]?.one;
    if (best === undefined) throw CinderError.NoValidBackend({ reason: 'No weighed backends available' });
    this.decided(ctx, 'scheduler.chosen', { id, host: best.pool, of: weighed.map(({ one }) => one.pool) });
    return best;
  }

  private candidate(service: Service, provisioned: ReadonlyMap<string, number>): Candidate {
    const pool = poolOf(service);
    const total = service.capabilities?.total_capacity_gb ?? 0;
    const promised = provisioned.get(pool) ?? 0;
    return { pool, service, promised, free: total * this.parts.settings.max_over_subscription_ratio - promised };
  }

  /** `host@backend` of each of the volumes that has one. */
  private async backendsOf(tx: Tx, ids: readonly string[]): Promise<readonly string[]> {
    const hosts = await Promise.all(
      ids.map(async (id) => (isUuidLike(id) ? (await this.parts.volumes.find(tx, id, null))?.host : null)),
    );
    return hosts.flatMap((host) => backendOf(host ?? null) ?? []);
  }

  private async sourceHost(tx: Tx, volume: Volume): Promise<string | null> {
    if (volume.group_id !== null && volume.source_volid === null && volume.snapshot_id === null)
      return (await this.parts.groups.find(tx, volume.group_id, null))?.host ?? null;
    if (volume.source_volid !== null)
      return (await this.parts.volumes.find(tx, volume.source_volid, null))?.host ?? null;
    if (volume.snapshot_id === null) return null;
    const snapshot = await this.parts.snapshots.find(tx, volume.snapshot_id, null);
    return snapshot === null ? null : ((await this.parts.volumes.find(tx, snapshot.volume_id, null))?.host ?? null);
  }
}

/** Volumes that a new one shall share a backend with, or be apart from. */
export interface SchedulerHints {
  readonly same_host?: readonly string[] | undefined;
  readonly different_host?: readonly string[] | undefined;
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
