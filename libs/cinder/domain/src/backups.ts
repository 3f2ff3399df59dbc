import type { RequestContext, Tx } from '@nestack/kernel/context';
import { isUuidLike, newUuid } from '@nestack/kernel/ids';
import { CinderError, type BackupStatus } from '@nestack/cinder/contract';
import { enforceOn, findBackup, findSnapshot, findVolume } from './access';
import type { CreateVolume, VolumeRequest } from './create-volume';
import { ownerOf } from './groups';
import type { Backup, Metadata, Volume } from './model';
import type { CinderParts, ListQuery } from './ports';
import type { Quotas } from './quotas';
import { listScope } from './volumes';

/** upstream: cinder/objects/fields.py BackupStatus */
const STATUSES: readonly string[] = ['available', 'error'];
/** The volume that imported backups are of. upstream: cinder/backup/api.py IMPORT_VOLUME_ID */
const IMPORT_VOLUME_ID = '00000000-0000-0000-0000-000000000000';
/** Clients know a driver by its name in Python. */
export const BACKUP_SERVICE = 'cinder.backup.drivers.posix.PosixBackupDriver';

export interface BackupRequest {
  readonly volume_id: string;
  readonly snapshot_id: string | null;
  readonly name: string | null;
  readonly description: string | null;
  readonly container: string | null;
  readonly metadata: Metadata;
  readonly incremental: boolean;
  readonly force: boolean;
  readonly availability_zone: string | null;
}

/** Copies of volumes that are kept apart from them. upstream: cinder/backup/api.py */
export class Backups {
  constructor(
    private readonly parts: CinderParts,
    private readonly quotas: Quotas,
    private readonly creation: CreateVolume,
  ) {}

  list(ctx: RequestContext, query: ListQuery, allProjects: boolean): Promise<readonly Backup[]> {
    return this.parts.db.read('backup.list', (tx) => this.parts.backups.list(tx, listScope(ctx, allProjects), query));
  }

  count(ctx: RequestContext, query: ListQuery, allProjects: boolean): Promise<number> {
    return this.parts.db.read('backup.count', (tx) => this.parts.backups.count(tx, listScope(ctx, allProjects), query));
  }

  show(ctx: RequestContext, id: string, rule = 'backup:get'): Promise<Backup> {
    return this.parts.db.read('backup.show', async (tx) => {
      const backup = await findBackup(this.parts, ctx, tx, id);
      enforceOn(this.parts.policy, ctx, rule, backup);
      return backup;
    });
  }

  async create(ctx: RequestContext, request: BackupRequest): Promise<Backup> {
    const owner = ownerOf(ctx);
    return this.parts.db.run('backup.create', async (tx) => {
      const volume = await findVolume(this.parts, ctx, tx, request.volume_id, { lock: true });
      enforceOn(this.parts.policy, ctx, 'backup:create', volume);
      const snapshot =
        request.snapshot_id === null
          ? null
          : await findSnapshot(this.parts, ctx, tx, request.snapshot_id, { lock: true });
      if (snapshot === null) assertVolume(volume, request.force);
      else if (snapshot.volume_id !== volume.id)
        throw CinderError.InvalidVolume({
          reason: `Volume ${volume.id} does not match with snapshot.volume_id ${snapshot.volume_id}.`,
        });
      else if (snapshot.status !== 'available')
        throw CinderError.InvalidSnapshot({
          reason: `Snapshot to be backed up must be available, but the current status is "${snapshot.status}".`,
        });
      await this.quotas.reserve(tx, owner.project_id, { backups: 1, backup_gigabytes: volume.size });
      const parent = request.incremental
        ? await this.parts.backups.latest(tx, volume.id, owner.project_id, snapshot?.created_at ?? null)
        : null;
      if (request.incremental && parent?.status !== 'available')
        throw CinderError.InvalidBackup({ reason: 'No backups available to do an incremental backup.' });
      const id = newUuid();
      await this.parts.backups.insert(tx, {
        ...owner,
        id,
        name: request.name,
        description: request.description,
        volume_id: volume.id,
        snapshot_id: snapshot?.id ?? null,
        parent_id: parent?.id ?? null,
        status: 'creating',
        size: volume.size,
        object_count: 0,
        availability_zone: request.availability_zone,
        container: request.container,
        host: null,
        service: null,
        service_metadata: null,
        fail_reason: null,
        data_timestamp: snapshot?.created_at ?? null,
        metadata: request.metadata,
        of_copy: snapshot === null && volume.status === 'in-use',
        restore_volume_id: null,
      });
      if (snapshot === null) await this.parts.volumes.setStatus(tx, volume.id, 'backing-up');
      else await this.parts.snapshots.update(tx, snapshot.id, { status: 'backing-up' });
      await this.parts.operations.start(ctx, tx, 'backup.create', {
        params: { backup_id: id },
        resourceId: id,
        action: 'create',
      });
      return findBackup(this.parts, ctx, tx, id);
    });
  }

  async update(
    ctx: RequestContext,
    id: string,
    changes: { name?: string | null; description?: string | null; metadata?: Metadata },
  ): Promise<Backup> {
    return this.parts.db.run('backup.update', async (tx) => {
      const backup = await findBackup(this.parts, ctx, tx, id, { lock: true });
      enforceOn(this.parts.policy, ctx, 'backup:update', backup);
      await this.parts.backups.update(tx, id, changes);
      return findBackup(this.parts, ctx, tx, id);
    });
  }

  async remove(ctx: RequestContext, id: string, force: boolean): Promise<void> {
    await this.parts.db.run('backup.delete', async (tx) => {
      const backup = await findBackup(this.parts, ctx, tx, id, { lock: true });
      const rule = force ? 'volume_extension:backup_admin_actions:force_delete' : 'backup:delete';
      enforceOn(this.parts.policy, ctx, rule, backup);
      if (!force && backup.status !== 'available' && backup.status !== 'error')
        throw CinderError.InvalidBackup({ reason: 'Backup status must be available or error' });
      if (backup.has_dependent_backups)
        throw CinderError.InvalidBackup({ reason: 'Incremental backups exist for this backup.' });
      await this.parts.backups.update(tx, id, { status: 'deleting' });
      await this.parts.operations.start(ctx, tx, 'backup.delete', {
        params: { backup_id: id },
        resourceId: id,
        mode: force ? 'preempt' : 'queue',
        action: 'delete',
      });
    });
  }

  /** To a volume that is there, or to a new one of the backup's size. */
  async restore(
    ctx: RequestContext,
    id: string,
    target: { readonly volume_id: string | null; readonly name: string | null },
  ): Promise<{ readonly backup: Backup; readonly volume: Volume }> {
    return this.parts.db.run('backup.restore', async (tx) => {
      const backup = await this.restorable(ctx, tx, id);
      if (target.volume_id === null) {
        const volume = await this.newVolume(ctx, tx, backup, {
          ...EMPTY,
          name: target.name ?? `restore_backup_${id}`,
          description: 'auto-created_from_restore_from_backup',
          size: backup.size,
        });
        return { backup, volume };
      }
      const volume = await findVolume(this.parts, ctx, tx, target.volume_id, { lock: true });
      enforceOn(this.parts.policy, ctx, 'volume:update', volume);
      if (volume.status !== 'available')
        throw CinderError.InvalidVolume({ reason: 'Volume to be restored to must be available' });
      if (backup.size > volume.size)
        throw CinderError.InvalidVolume({
          reason: `volume size ${String(volume.size)} is too small to restore backup of size ${String(backup.size)}.`,
        });
      await this.parts.volumes.setStatus(tx, volume.id, 'restoring-backup');
      await this.startRestore(ctx, tx, backup, volume.id, false);
      return { backup, volume };
    });
  }

  /** A volume whose content a backup is; since 3.47. upstream: cinder/volume/flows/api/create_volume.py */
  async createVolume(ctx: RequestContext, request: VolumeRequest, backupId: string): Promise<Volume> {
    return this.parts.db.run('volume.create', async (tx) => {
      const backup = await this.restorable(ctx, tx, backupId);
      if (request.image_id !== null || request.snapshot_id !== null || request.source_volid !== null)
        throw CinderError.InvalidInput({
          reason: 'May specify only one of snapshot, imageRef, source volume or backup',
        });
      const size = request.size ?? backup.size;
      if (size < backup.size)
        throw CinderError.InvalidInput({
          reason: `Volume size ${String(size)}GB cannot be smaller than the backup size ${String(backup.size)}GB. It must be >= the original backup size.`,
        });
      return this.newVolume(ctx, tx, backup, { ...request, size });
    });
  }

  async resetStatus(ctx: RequestContext, id: string, status: string): Promise<void> {
    await this.parts.db.run('backup.reset', async (tx) => {
      const backup = await findBackup(this.parts, ctx, tx, id, { lock: true });
      enforceOn(this.parts.policy, ctx, 'volume_extension:backup_admin_actions:reset_status', backup);
      const wanted = status.toLowerCase();
      if (!STATUSES.includes(wanted))
        throw CinderError.InvalidInput({ reason: `Must specify a valid status: ${status}` });
      if (wanted === 'available' && backup.service_metadata === null)
        throw CinderError.InvalidBackup({ reason: `Backup ${id} has no data: it cannot become available.` });
      await this.parts.backups.update(tx, id, { status: wanted as BackupStatus });
    });
  }

  /** What `importRecord` needs elsewhere. upstream: cinder/objects/backup.py encode_record */
  async exportRecord(ctx: RequestContext, id: string): Promise<{ backup_service: string; backup_url: string }> {
    const backup = await this.show(ctx, id, 'backup:export-import');
    if (backup.status !== 'available')
      throw CinderError.InvalidBackup({ reason: `Backup status must be available and not ${backup.status}.` });
    const { name, description, of_copy: _, is_incremental: __, has_dependent_backups, ...rest } = backup;
    const record = {
      ...rest,
      display_name: name,
      display_description: description,
      num_dependent_backups: has_dependent_backups ? 1 : 0,
      driver_info: {},
    };
    return {
      backup_service: backup.service ?? BACKUP_SERVICE,
      backup_url: Buffer.from(JSON.stringify(record)).toString('base64'),
    };
  }

  async importRecord(ctx: RequestContext, service: string, url: string): Promise<Backup> {
    const owner = ownerOf(ctx);
    const record = decoded(url);
    return this.parts.db.run('backup.import', async (tx) => {
      const services = await this.parts.services.list(tx, { binary: 'cinder-backup' });
      const up = services.find((one) => one.up && !one.disabled);
      if (up === undefined || service !== BACKUP_SERVICE)
        throw CinderError.ServiceUnavailable({ reason: `Service ${service} could not be found.` });
      if ((await this.parts.backups.find(tx, record.id, null)) !== null)
        throw CinderError.InvalidBackup({ reason: 'Backup already exists in database.' });
      await this.quotas.reserve(tx, owner.project_id, { backups: 1, backup_gigabytes: record.size });
      await this.parts.backups.insert(tx, {
        ...owner,
        ...record,
        volume_id: record.volume_id ?? IMPORT_VOLUME_ID,
        snapshot_id: null,
        status: 'available',
        availability_zone: up.availability_zone,
        host: up.host,
        service,
        fail_reason: null,
        of_copy: false,
        restore_volume_id: null,
      });
      return findBackup(this.parts, ctx, tx, record.id);
    });
  }

  private async restorable(ctx: RequestContext, tx: Tx, id: string): Promise<Backup> {
    const backup = await findBackup(this.parts, ctx, tx, id, { lock: true });
    enforceOn(this.parts.policy, ctx, 'backup:restore', backup);
    if (backup.status !== 'available') throw CinderError.InvalidBackup({ reason: 'Backup status must be available' });
    return backup;
  }

  private async newVolume(
    ctx: RequestContext,
    tx: Tx,
    backup: Backup,
    request: Omit<VolumeRequest, 'group_id'>,
  ): Promise<Volume> {
    const volume = await this.creation.insert(ctx, tx, { ...request, restoring: true }, null, null);
    await this.startRestore(ctx, tx, backup, volume.id, true);
    return volume;
  }

  /** After whatever holds the volume: its creation, if it is new. */
  private async startRestore(ctx: RequestContext, tx: Tx, backup: Backup, volumeId: string, isNew: boolean) {
    await this.parts.backups.update(tx, backup.id, { status: 'restoring', restore_volume_id: volumeId });
    await this.parts.operations.start(ctx, tx, 'backup.restore', {
      params: { backup_id: backup.id, volume_id: volumeId, volume_is_new: isNew },
      resourceId: volumeId,
      mode: 'queue',
      action: 'restore',
    });
  }
}

const EMPTY = {
  availability_zone: null,
  volume_type: null,
  metadata: {},
  image_id: null,
  snapshot_id: null,
  source_volid: null,
  multiattach: false,
};

function assertVolume(volume: Volume, force: boolean): void {
  if (volume.status !== 'available' && volume.status !== 'in-use')
    throw CinderError.InvalidVolume({
      reason: `Volume to be backed up must be available or in-use, but the current status is "${volume.status}".`,
    });
  if (volume.status === 'in-use' && !force)
    throw CinderError.InvalidVolume({ reason: 'Backing up an in-use volume must use the force flag.' });
}

interface ImportedRecord extends Pick<
  Backup,
  'id' | 'name' | 'description' | 'size' | 'object_count' | 'parent_id' | 'metadata'
> {
  readonly volume_id: string | null;
  readonly container: string;
  readonly service_metadata: string;
  readonly data_timestamp: Date | null;
}

/** Reads a record that anybody may have written. */
function decoded(url: string): ImportedRecord {
  let record: Record<string, unknown>;
  try {
    record = JSON.parse(Buffer.from(url, 'base64').toString('utf8')) as Record<string, unknown>;
  } catch {
    throw CinderError.InvalidInput({ reason: "Can't parse backup record." });
  }
  const text = (key: string): string | null => (typeof record[key] === 'string' ? record[key] : null);
  const id = text('id');
  const { size } = record;
  if (id === null || !isUuidLike(id))
    throw CinderError.InvalidInput({ reason: 'Provided backup record is missing an id' });
  if (typeof size !== 'number' || !Number.isInteger(size) || size < 1)
    throw CinderError.InvalidInput({ reason: 'Provided backup record is missing size attribute' });
  const container = text('container');
  const service_metadata = text('service_metadata');
  const missing = ['display_name', 'display_description', 'object_count', 'container', 'service_metadata'].filter(
    (key) => record[key] === undefined,
  );
  if (missing.length > 0 || container === null || service_metadata === null)
    throw CinderError.InvalidBackup({
      reason: `Driver successfully decoded imported backup data, but there are missing fields (${missing.join(', ')}).`,
    });
  // They become part of paths.
  if (!isSafePath(container) || !isSafePath(service_metadata) || service_metadata.includes('/'))
    throw CinderError.InvalidBackup({ reason: 'The container or the service metadata are not usable.' });
  const parent = text('parent_id');
  const volume = text('volume_id');
  const taken = new Date(text('data_timestamp') ?? Number.NaN);
  return {
    id,
    name: text('display_name'),
    description: text('display_description'),
    size,
    object_count: Number.isInteger(record['object_count']) ? Number(record['object_count']) : 0,
    parent_id: parent !== null && isUuidLike(parent) ? parent : null,
    volume_id: volume !== null && isUuidLike(volume) ? volume : null,
    container,
    service_metadata,
    data_timestamp: Number.isNaN(taken.getTime()) ? null : taken,
    metadata: isMetadata(record['metadata']) ? record['metadata'] : {},
  };
}

/** A relative path of plain names. */
export function isSafePath(path: string): boolean {
  return path.length <= 512 && path.split('/').every((one) => /^[A-Za-z0-9_][A-Za-z0-9_.: -]*$/.test(one));
}

function isMetadata(value: unknown): value is Metadata {
  return typeof value === 'object' && value !== null && Object.values(value).every((one) => typeof one === 'string');
}
