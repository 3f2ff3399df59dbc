import { defineSaga } from '@nestack/kernel/saga';
import { CinderError } from '@nestack/cinder/contract';
import { queueHost } from '@nestack/cinder/domain';
import Type from 'typebox';
import type { SagaDeps } from './deps';

const GroupParams = Type.Object({ group_id: Type.String() });
const SnapshotParams = Type.Object({ group_snapshot_id: Type.String() });
/** Volumes of a group are made and deleted by runs of their own, which end by themselves. */
const VOLUMES_MS = 24 * 3_600_000;

/** `group.create`: a backend is chosen; there is nothing to make on it. */
export function createGroupSaga(deps: SagaDeps) {
  return defineSaga({
    kind: 'group.create',
    version: 1,
    params: GroupParams,
    steps: [
      {
        type: 'effect',
        name: 'schedule',
        do: (ctx, run) => deps.scheduler.create_group(ctx, { group_id: run.params.group_id }),
      },
      {
        type: 'tx',
        name: 'available',
        do: async (_ctx, tx, run) => {
          const group = await deps.groups.find(tx, run.params.group_id, null, { lock: true });
          if (group?.status !== 'creating') return;
          await deps.groups.update(tx, group.id, {
            status: 'available',
            host: run.out<{ host: string }>('schedule').host,
          });
        },
      },
    ],
    onUnwound: async (_ctx, tx, run) => {
      const group = await deps.groups.find(tx, run.params.group_id, null, { lock: true });
      if (group?.status === 'creating') await deps.groups.update(tx, group.id, { status: 'error' });
    },
  });
}

/** `group.create_from_src`: available with the last of its volumes. */
export function createGroupFromSourceSaga(deps: SagaDeps) {
  return defineSaga({
    kind: 'group.create_from_src',
    version: 1,
    params: GroupParams,
    steps: [
      {
        type: 'wait',
        name: 'volumes',
        timeoutMs: VOLUMES_MS,
        check: async (_ctx, tx, run) => {
          const volumes = await deps.volumes.ofGroup(tx, run.params.group_id);
          if (volumes.some((one) => one.status === 'error'))
            throw CinderError.InvalidGroup({ reason: 'a volume could not be created' });
          return volumes.some((one) => one.status === 'creating') ? undefined : true;
        },
      },
      {
        type: 'tx',
        name: 'available',
        do: async (_ctx, tx, run) => {
          const group = await deps.groups.find(tx, run.params.group_id, null, { lock: true });
          if (group?.status === 'creating') await deps.groups.update(tx, group.id, { status: 'available' });
        },
      },
    ],
    onUnwound: async (_ctx, tx, run) => {
      const group = await deps.groups.find(tx, run.params.group_id, null, { lock: true });
      if (group?.status === 'creating') await deps.groups.update(tx, group.id, { status: 'error' });
    },
  });
}

/** `group.delete`: gone after the last of its volumes. */
export function deleteGroupSaga(deps: SagaDeps) {
  return defineSaga({
    kind: 'group.delete',
    version: 1,
    params: GroupParams,
    steps: [
      {
        type: 'wait',
        name: 'volumes',
        timeoutMs: VOLUMES_MS,
        check: async (_ctx, tx, run) => {
          const volumes = await deps.volumes.ofGroup(tx, run.params.group_id);
          if (volumes.some((one) => one.status === 'error_deleting'))
            throw CinderError.InvalidGroup({ reason: 'a volume could not be deleted' });
          return volumes.length === 0 ? true : undefined;
        },
      },
      {
        type: 'tx',
        name: 'gone',
        do: async (_ctx, tx, run) => {
          const group = await deps.groups.find(tx, run.params.group_id, null, { lock: true });
          if (group === null) return;
          await deps.groups.remove(tx, group.id);
          await deps.quotas.release(tx, group.project_id, { groups: 1 });
        },
      },
    ],
    onUnwound: async (_ctx, tx, run) => {
      const group = await deps.groups.find(tx, run.params.group_id, null, { lock: true });
      if (group?.status === 'deleting') await deps.groups.update(tx, group.id, { status: 'error' });
    },
  });
}

/** `group_snapshot.create`: of all volumes at one moment. */
export function createGroupSnapshotSaga(deps: SagaDeps) {
  return defineSaga({
    kind: 'group_snapshot.create',
    version: 1,
    params: SnapshotParams,
    steps: [
      {
        type: 'effect',
        name: 'create',
        do: async (ctx, run) => {
          const host = await hostOf(deps, run.params.group_snapshot_id);
          if (host !== null)
            await deps.volume.create_group_snapshot(ctx, run.params, { host, messageId: run.messageId });
        },
      },
      {
        type: 'tx',
        name: 'available',
        do: async (_ctx, tx, run) => {
          const { group_snapshot_id: id } = run.params;
          const snapshot = await deps.groupSnapshots.find(tx, id, null, { lock: true });
          if (snapshot?.status === 'creating') await deps.groupSnapshots.update(tx, id, 'available');
          for (const part of await deps.snapshots.ofGroupSnapshot(tx, id))
            if (part.status === 'creating') await deps.snapshots.update(tx, part.id, { status: 'available' });
        },
      },
    ],
    onUnwound: async (_ctx, tx, run) => {
      const { group_snapshot_id: id } = run.params;
      const snapshot = await deps.groupSnapshots.find(tx, id, null, { lock: true });
      if (snapshot?.status === 'creating') await deps.groupSnapshots.update(tx, id, 'error');
      for (const part of await deps.snapshots.ofGroupSnapshot(tx, id))
        if (part.status === 'creating') await deps.snapshots.update(tx, part.id, { status: 'error' });
    },
  });
}

/** `group_snapshot.delete`: data first, rows and quota last. */
export function deleteGroupSnapshotSaga(deps: SagaDeps) {
  return defineSaga({
    kind: 'group_snapshot.delete',
    version: 1,
    params: SnapshotParams,
    steps: [
      {
        type: 'effect',
        name: 'delete',
        retryForMs: Number.MAX_SAFE_INTEGER,
        do: async (ctx, run) => {
          const { group_snapshot_id: id } = run.params;
          const host = await hostOf(deps, id);
          if (host === null) return;
          const parts = await deps.tx.read('saga.group_snapshot', (tx) => deps.snapshots.ofGroupSnapshot(tx, id));
          for (const part of parts) await deps.volume.delete_snapshot(ctx, { snapshot_id: part.id }, { host });
        },
      },
      {
        type: 'tx',
        name: 'gone',
        do: async (_ctx, tx, run) => {
          const { group_snapshot_id: id } = run.params;
          for (const part of await deps.snapshots.ofGroupSnapshot(tx, id)) {
            const volume = await deps.volumes.find(tx, part.volume_id, null);
            const type = volume?.volume_type ?? '';
            await deps.snapshots.remove(tx, part.id);
            await deps.quotas.release(tx, part.project_id, {
              snapshots: 1,
              gigabytes: part.volume_size,
              [`snapshots_${type}`]: 1,
              [`gigabytes_${type}`]: part.volume_size,
            });
          }
          await deps.groupSnapshots.remove(tx, id);
        },
      },
    ],
    onUnwound: async (_ctx, tx, run) => {
      const { group_snapshot_id: id } = run.params;
      const snapshot = await deps.groupSnapshots.find(tx, id, null, { lock: true });
      if (snapshot?.status === 'deleting') await deps.groupSnapshots.update(tx, id, 'error');
      for (const part of await deps.snapshots.ofGroupSnapshot(tx, id))
        if (part.status === 'deleting') await deps.snapshots.update(tx, part.id, { status: 'error_deleting' });
    },
  });
}

/** The queue of the group's backend; null when a group without volumes never got one, or the snapshot is gone. */
function hostOf(deps: SagaDeps, groupSnapshotId: string): Promise<string | null> {
  return deps.tx.read('saga.group', async (tx) => {
    const snapshot = await deps.groupSnapshots.find(tx, groupSnapshotId, null);
    const group = snapshot === null ? null : await deps.groups.find(tx, snapshot.group_id, null);
    return group === null || group.host === null ? null : queueHost(group.host);
  });
}
