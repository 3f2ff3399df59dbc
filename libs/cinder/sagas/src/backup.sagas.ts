import { defineSaga } from '@nestack/kernel/saga';
import type { Tx } from '@nestack/kernel/context';
import { CinderError } from '@nestack/cinder/contract';
import { BACKUP_SERVICE, queueHost, type Backup, type Metadata } from '@nestack/cinder/domain';
import Type from 'typebox';
import { findVolume, hostOf, moveStatus, tellOwner, type SagaDeps } from './deps';

const Params = Type.Object({ backup_id: Type.String() });

/** `backup.create`: what is backed up is held still and readable while cinder-backup copies it. */
export function createBackupSaga(deps: SagaDeps) {
  return defineSaga({
    kind: 'backup.create',
    version: 1,
    params: Params,
    steps: [
      {
        type: 'effect',
        name: 'schedule',
        do: (ctx, run) => deps.scheduler.create_backup(ctx, run.params),
      },
      {
        type: 'tx',
        name: 'place',
        do: async (_ctx, tx, run) =>
          deps.backups.update(tx, run.params.backup_id, {
            host: run.out<{ host: string }>('schedule').host,
            service: BACKUP_SERVICE,
          }),
      },
      {
        type: 'effect',
        name: 'open',
        do: async (ctx, run) => deps.volume.get_backup_device(ctx, run.params, { host: await volumeHost(deps, run) }),
        undo: (ctx, run) => close(deps, ctx, run),
      },
      {
        type: 'effect',
        name: 'create',
        do: (ctx, run) =>
          deps.backup.create_backup(
            ctx,
            { backup_id: run.params.backup_id, path: run.out<{ path: string }>('open').path },
            { host: run.out<{ host: string }>('schedule').host, messageId: run.messageId },
          ),
        undo: async (ctx, run) => {
          const place = run.maybe<{ host: string }>('schedule');
          if (place !== undefined) await deps.backup.delete_backup(ctx, run.params, { host: place.host });
        },
      },
      {
        type: 'tx',
        name: 'available',
        pivot: true,
        do: async (_ctx, tx, run) => {
          const { backup_id: id } = run.params;
          const backup = await deps.backups.find(tx, id, null, { lock: true });
          if (backup === null) return;
          const place = run.out<{ container: string; service_metadata: string; object_count: number }>('create');
          await deps.backups.update(tx, id, {
            ...place,
            ...(backup.status === 'creating' ? { status: 'available' as const } : {}),
          });
        },
      },
      { type: 'effect', name: 'close', do: (ctx, run) => close(deps, ctx, run) },
      {
        type: 'tx',
        name: 'release',
        do: async (_ctx, tx, run) => release(deps, tx, await deps.backups.find(tx, run.params.backup_id, null)),
      },
    ],
    onUnwound: async (ctx, tx, run) => {
      const backup = await deps.backups.find(tx, run.params.backup_id, null, { lock: true });
      if (backup === null) return;
      await release(deps, tx, backup);
      if (backup.status === 'creating')
        await deps.backups.update(tx, backup.id, { status: 'error', fail_reason: run.failure?.message ?? null });
      await tellOwner(ctx, deps, tx, run, backup);
    },
  });
}

/** `backup.restore`: queued behind the volume's creation when it is new. A failure leaves the volume in `error_restoring`. */
export function restoreBackupSaga(deps: SagaDeps) {
  return defineSaga({
    kind: 'backup.restore',
    version: 1,
    params: Type.Object({ backup_id: Type.String(), volume_id: Type.String(), volume_is_new: Type.Boolean() }),
    steps: [
      {
        type: 'tx',
        name: 'begin',
        do: async (_ctx, tx, run) => {
          const volume = await moveStatus(deps, tx, run.params.volume_id, ['available'], 'restoring-backup');
          if (volume === null || (volume.status !== 'available' && volume.status !== 'restoring-backup'))
            throw CinderError.InvalidVolume({
              reason: `Error while creating volume ${run.params.volume_id} for restoring backup ${run.params.backup_id}.`,
            });
        },
      },
      {
        type: 'effect',
        name: 'open',
        do: async (ctx, run) =>
          deps.volume.get_restore_device(
            ctx,
            { volume_id: run.params.volume_id },
            { host: await hostOf(deps, run.params.volume_id) },
          ),
        undo: (ctx, run) => closeVolume(deps, ctx, run.params.volume_id),
      },
      {
        type: 'effect',
        name: 'restore',
        do: async (ctx, run) => {
          const { backup_id, volume_is_new } = run.params;
          const { path } = run.out<{ path: string }>('open');
          return deps.backup.restore_backup(
            ctx,
            { backup_id, path, volume_is_new },
            // The path is on the volume's host; the repository is the same for all.
            { host: await hostOf(deps, run.params.volume_id), messageId: run.messageId },
          );
        },
      },
      {
        type: 'effect',
        name: 'close',
        pivot: true,
        do: (ctx, run) => closeVolume(deps, ctx, run.params.volume_id),
      },
      {
        type: 'tx',
        name: 'available',
        do: async (_ctx, tx, run) => {
          const { backup_id, volume_id } = run.params;
          const { volume_meta } = run.out<{ volume_meta: string | null }>('restore');
          await moveStatus(deps, tx, volume_id, ['restoring-backup'], 'available');
          await describe(deps, tx, volume_id, volume_meta);
          const backup = await deps.backups.find(tx, backup_id, null, { lock: true });
          if (backup?.status === 'restoring') await deps.backups.update(tx, backup_id, { status: 'available' });
        },
      },
    ],
    onUnwound: async (ctx, tx, run) => {
      const { backup_id, volume_id } = run.params;
      await moveStatus(deps, tx, volume_id, ['restoring-backup'], 'error_restoring');
      const backup = await deps.backups.find(tx, backup_id, null, { lock: true });
      if (backup?.status === 'restoring') await deps.backups.update(tx, backup_id, { status: 'available' });
      await tellOwner(ctx, deps, tx, { ...run, resourceId: backup_id }, backup);
    },
  });
}

/** `backup.delete`: data first, row and quota last. */
export function deleteBackupSaga(deps: SagaDeps) {
  return defineSaga({
    kind: 'backup.delete',
    version: 1,
    params: Params,
    steps: [
      {
        type: 'effect',
        name: 'delete',
        // A service that is away is waited for: the data must not stay behind.
        retryForMs: Number.MAX_SAFE_INTEGER,
        do: async (ctx, run) => {
          const backup = await find(deps, run.params.backup_id);
          if (backup === null || backup.host === null) return;
          await deps.backup.delete_backup(ctx, run.params, { host: backup.host, messageId: run.messageId });
        },
      },
      {
        type: 'tx',
        name: 'gone',
        do: async (_ctx, tx, run) => {
          const backup = await deps.backups.find(tx, run.params.backup_id, null, { lock: true });
          if (backup === null) return;
          await deps.backups.remove(tx, backup.id);
          await deps.quotas.release(tx, backup.project_id, { backups: 1, backup_gigabytes: backup.size });
        },
      },
    ],
    onUnwound: async (ctx, tx, run) => {
      const backup = await deps.backups.find(tx, run.params.backup_id, null, { lock: true });
      if (backup?.status === 'deleting')
        await deps.backups.update(tx, backup.id, {
          status: 'error_deleting',
          fail_reason: run.failure?.message ?? null,
        });
      await tellOwner(ctx, deps, tx, run, backup);
    },
  });
}

type Run = { readonly params: { readonly backup_id: string } };
type Context = Parameters<SagaDeps['volume']['remove_backup_device']>[0];

function find(deps: SagaDeps, id: string): Promise<Backup | null> {
  return deps.tx.read('saga.backup', (tx) => deps.backups.find(tx, id, null));
}

async function volumeHost(deps: SagaDeps, run: Run): Promise<string> {
  const backup = await find(deps, run.params.backup_id);
  if (backup === null) throw CinderError.BackupNotFound({ backup_id: run.params.backup_id });
  return hostOf(deps, backup.volume_id);
}

async function close(deps: SagaDeps, ctx: Context, run: Run): Promise<void> {
  const backup = await find(deps, run.params.backup_id);
  const volume = backup === null ? null : await findVolume(deps, backup.volume_id);
  if (volume === null || volume.host === null) return;
  await deps.volume.remove_backup_device(ctx, run.params, { host: queueHost(volume.host) });
}

async function closeVolume(deps: SagaDeps, ctx: Context, volumeId: string): Promise<void> {
  const volume = await findVolume(deps, volumeId);
  if (volume === null || volume.host === null) return;
  await deps.volume.remove_restore_device(ctx, { volume_id: volumeId }, { host: queueHost(volume.host) });
}

/** What was backed up is free again; a volume is in use if it still is attached. */
async function release(deps: SagaDeps, tx: Tx, backup: Backup | null): Promise<void> {
  if (backup === null) return;
  if (backup.snapshot_id !== null) {
    const snapshot = await deps.snapshots.find(tx, backup.snapshot_id, null, { lock: true });
    if (snapshot?.status === 'backing-up') await deps.snapshots.update(tx, snapshot.id, { status: 'available' });
    return;
  }
  const volume = await deps.volumes.find(tx, backup.volume_id, null, { lock: true });
  if (volume?.status !== 'backing-up') return;
  const attached = volume.attachments.some((one) => one.attach_status === 'attached');
  await deps.volumes.setStatus(tx, volume.id, attached ? 'in-use' : 'available');
}

/** What the backup knows of its volume goes to the restored one. upstream: cinder/backup/driver.py _v2_restore_factory */
async function describe(deps: SagaDeps, tx: Tx, volumeId: string, meta: string | null): Promise<void> {
  const volume = await deps.volumes.find(tx, volumeId, null);
  if (meta === null || volume === null) return;
  const known = JSON.parse(meta) as {
    'volume-base-metadata'?: { display_name?: string | null; display_description?: string | null };
    'volume-metadata'?: Metadata;
    'volume-glance-metadata'?: Metadata;
  };
  const base = known['volume-base-metadata'];
  // A name is only given to a volume that has none of its own.
  const named = typeof base?.display_name === 'string' && (volume.name ?? '').startsWith('restore_backup_');
  await deps.volumes.update(tx, volumeId, {
    ...(named ? { name: base.display_name, description: base.display_description ?? null } : {}),
    ...(known['volume-metadata'] === undefined ? {} : { metadata: known['volume-metadata'] }),
    ...(known['volume-glance-metadata'] === undefined
      ? {}
      : { image_metadata: known['volume-glance-metadata'], bootable: true }),
  });
}
