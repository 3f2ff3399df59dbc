import type { RequestContext, TransactionRunner, Tx } from '@nestack/kernel/context';
import type { RpcClient } from '@nestack/kernel/rpc';
import type { SagaRun, Sagas } from '@nestack/kernel/saga';
import { CinderError, type BackupRpc, type SchedulerRpc, type VolumeRpc } from '@nestack/cinder/contract';
import {
  failureMessage,
  queueHost,
  resourceType,
  type BackupRepository,
  type GroupRepository,
  type GroupSnapshotRepository,
  type MessageRepository,
  type ImagePort,
  type ImageRequestRepository,
  type Quotas,
  type ServerEvents,
  type Snapshot,
  type SnapshotRepository,
  type TypeRepository,
  type Volume,
  type VolumeRepository,
} from '@nestack/cinder/domain';

/** What cinder's sagas work with. */
export interface SagaDeps {
  readonly tx: TransactionRunner;
  readonly volumes: VolumeRepository;
  readonly snapshots: SnapshotRepository;
  readonly types: TypeRepository;
  readonly backups: BackupRepository;
  readonly groups: GroupRepository;
  readonly groupSnapshots: GroupSnapshotRepository;
  readonly messages: MessageRepository;
  readonly quotas: Quotas;
  readonly operations: Sagas;
  readonly images: ImagePort;
  readonly imageRequests: ImageRequestRepository;
  readonly servers: ServerEvents;
  readonly scheduler: RpcClient<typeof SchedulerRpc>;
  readonly volume: RpcClient<typeof VolumeRpc>;
  readonly backup: RpcClient<typeof BackupRpc>;
}

/** Tells the owner why an accepted operation failed. */
export async function tellOwner(
  ctx: RequestContext,
  deps: SagaDeps,
  tx: Tx,
  run: Pick<SagaRun<unknown>, 'kind' | 'resourceId' | 'failure'>,
  owner: { readonly project_id: string } | null,
): Promise<void> {
  if (run.failure === null || owner === null) return;
  const { event, text } = failureMessage(run.kind, run.failure);
  await deps.messages.insert(tx, {
    project_id: owner.project_id,
    request_id: ctx.requestId,
    resource_type: resourceType(run.kind),
    resource_uuid: run.resourceId,
    event_id: event,
    message_level: 'ERROR',
    user_message: text,
  });
}

/** The volume as it is now, or null when it is gone: a repeated run meets its own end. */
export function findVolume(deps: SagaDeps, id: string): Promise<Volume | null> {
  return deps.tx.read('saga.volume', (tx) => deps.volumes.find(tx, id, null));
}

/** The queue of cinder-volume that has the volume. */
export async function hostOf(deps: SagaDeps, id: string): Promise<string> {
  const volume = await findVolume(deps, id);
  if (volume === null) throw CinderError.VolumeNotFound({ volume_id: id });
  if (volume.host === null) throw CinderError.InvalidVolume({ reason: `Volume ${id} has no backend.` });
  return queueHost(volume.host);
}

/** Sets a status where the volume still has the one that this run gave it: others may have changed it meanwhile. */
export async function moveStatus(
  deps: SagaDeps,
  tx: Tx,
  id: string,
  from: readonly Volume['status'][],
  to: Volume['status'],
): Promise<Volume | null> {
  const volume = await deps.volumes.find(tx, id, null, { lock: true });
  if (volume !== null && from.includes(volume.status)) await deps.volumes.setStatus(tx, id, to);
  return volume;
}

/** The same for snapshots. */
export async function moveSnapshot(
  deps: SagaDeps,
  tx: Tx,
  id: string,
  from: Snapshot['status'],
  to: Snapshot['status'],
): Promise<Snapshot | null> {
  const snapshot = await deps.snapshots.find(tx, id, null, { lock: true });
  if (snapshot?.status === from) await deps.snapshots.update(tx, id, { status: to });
  return snapshot;
}

/** Tells the runs of a volume's group that the volume has come to its end, good or bad. */
export async function tellGroup(
  ctx: RequestContext,
  deps: SagaDeps,
  tx: Tx,
  volume: Pick<Volume, 'group_id'> | null,
): Promise<void> {
  if (volume !== null && volume.group_id !== null) await deps.operations.signal(ctx, tx, volume.group_id);
}
