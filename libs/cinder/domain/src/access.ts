import type { RequestContext, Tx } from '@nestack/kernel/context';
import { isUuidLike } from '@nestack/kernel/ids';
import { CinderError } from '@nestack/cinder/contract';
import type { Attachment, Backup, Group, GroupSnapshot, Snapshot, Volume } from './model';
import type { CinderParts, Policy, Scope } from './ports';

/** Cinder's own work and other services act in all projects. */
export function isPrivileged(ctx: RequestContext): boolean {
  const roles = ctx.actor?.roles ?? [];
  return roles.includes('admin') || roles.includes('service');
}

/** Whose resources the caller can name: his project's, or all for administrators and services. */
export function scopeOf(ctx: RequestContext): Scope {
  return isPrivileged(ctx) ? null : (ctx.actor?.projectId ?? '');
}

export function targetOf(resource: {
  readonly project_id: string;
  readonly user_id?: string;
}): Record<string, unknown> {
  return { project_id: resource.project_id, user_id: resource.user_id ?? null };
}

/** Services may do to a volume what they do for a user. */
export function enforceOn(
  policy: Policy,
  ctx: RequestContext,
  rule: string,
  resource: { readonly project_id: string; readonly user_id?: string },
): void {
  if (ctx.actor?.roles.includes('service') === true) return;
  policy.enforce(ctx, rule, targetOf(resource));
}

/** A volume that the caller can see; a foreign one is as absent as none. */
export async function findVolume(
  parts: Pick<CinderParts, 'volumes'>,
  ctx: RequestContext,
  tx: Tx,
  id: string,
  options: { readonly lock?: boolean } = {},
): Promise<Volume> {
  const volume = isUuidLike(id) ? await parts.volumes.find(tx, id, scopeOf(ctx), options) : null;
  if (volume === null) throw CinderError.VolumeNotFound({ volume_id: id });
  return volume;
}

export async function findSnapshot(
  parts: Pick<CinderParts, 'snapshots'>,
  ctx: RequestContext,
  tx: Tx,
  id: string,
  options: { readonly lock?: boolean } = {},
): Promise<Snapshot> {
  const snapshot = isUuidLike(id) ? await parts.snapshots.find(tx, id, scopeOf(ctx), options) : null;
  if (snapshot === null) throw CinderError.SnapshotNotFound({ snapshot_id: id });
  return snapshot;
}

export async function findAttachment(
  parts: Pick<CinderParts, 'attachments'>,
  ctx: RequestContext,
  tx: Tx,
  id: string,
): Promise<Attachment> {
  const attachment = isUuidLike(id) ? await parts.attachments.find(tx, id, scopeOf(ctx)) : null;
  if (attachment === null) throw CinderError.VolumeAttachmentNotFound({ attachment_id: id });
  return attachment;
}

export async function findGroup(
  parts: Pick<CinderParts, 'groups'>,
  ctx: RequestContext,
  tx: Tx,
  id: string,
  options: { readonly lock?: boolean } = {},
): Promise<Group> {
  const group = isUuidLike(id) ? await parts.groups.find(tx, id, scopeOf(ctx), options) : null;
  if (group === null) throw CinderError.GroupNotFound({ group_id: id });
  return group;
}

export async function findGroupSnapshot(
  parts: Pick<CinderParts, 'groupSnapshots'>,
  ctx: RequestContext,
  tx: Tx,
  id: string,
  options: { readonly lock?: boolean } = {},
): Promise<GroupSnapshot> {
  const snapshot = isUuidLike(id) ? await parts.groupSnapshots.find(tx, id, scopeOf(ctx), options) : null;
  if (snapshot === null) throw CinderError.GroupSnapshotNotFound({ group_snapshot_id: id });
  return snapshot;
}

export async function findBackup(
  parts: Pick<CinderParts, 'backups'>,
  ctx: RequestContext,
  tx: Tx,
  id: string,
  options: { readonly lock?: boolean } = {},
): Promise<Backup> {
  const backup = isUuidLike(id) ? await parts.backups.find(tx, id, scopeOf(ctx), options) : null;
  if (backup === null) throw CinderError.BackupNotFound({ backup_id: id });
  return backup;
}
