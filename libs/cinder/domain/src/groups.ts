import type { RequestContext, Tx } from '@nestack/kernel/context';
import { isUuidLike, newUuid } from '@nestack/kernel/ids';
import { CinderError, type GroupStatus } from '@nestack/cinder/contract';
import { enforceOn, findGroup, findGroupSnapshot, isPrivileged, scopeOf } from './access';
import type { CreateVolume } from './create-volume';
import { saysYes } from './group-types';
import type { Group, GroupType, Volume } from './model';
import type { CinderParts, ListQuery } from './ports';
import type { Quotas } from './quotas';
import { listScope } from './volumes';

/** States that administrators may set. upstream: cinder/api/validation/validators.py */
export const GROUP_STATUSES: readonly string[] = [
  'error',
  'available',
  'creating',
  'deleting',
  'deleted',
  'updating',
  'error_deleting',
];
const ADDABLE: readonly string[] = ['available', 'in-use'];
const REMOVABLE: readonly string[] = ['available', 'in-use', 'error', 'error_deleting'];

export interface GroupRequest {
  readonly name: string | null;
  readonly description: string | null;
  readonly group_type: string;
  readonly volume_types: readonly string[];
  readonly availability_zone: string | null;
}

/** Groups of volumes on one backend. upstream: cinder/group/api.py */
export class Groups {
  constructor(
    private readonly parts: CinderParts,
    private readonly quotas: Quotas,
    private readonly creation: CreateVolume,
  ) {}

  list(ctx: RequestContext, query: ListQuery, allProjects: boolean): Promise<readonly Group[]> {
    return this.parts.db.read('group.list', (tx) => this.parts.groups.list(tx, listScope(ctx, allProjects), query));
  }

  /** Ids of the volumes of each of the groups. */
  volumesOf(groups: readonly Group[]): Promise<ReadonlyMap<string, readonly string[]>> {
    return this.parts.db.read('group.volumes', (tx) =>
      this.parts.groups.volumes(
        tx,
        groups.map((one) => one.id),
      ),
    );
  }

  show(ctx: RequestContext, id: string): Promise<Group> {
    return this.parts.db.read('group.show', async (tx) => {
      const group = await findGroup(this.parts, ctx, tx, id);
      enforceOn(this.parts.policy, ctx, 'group:get', group);
      return group;
    });
  }

  async create(ctx: RequestContext, request: GroupRequest): Promise<Group> {
    const owner = ownerOf(ctx);
    const zone = request.availability_zone ?? this.parts.settings.availability_zone;
    return this.parts.db.run('group.create', async (tx) => {
      const type = await this.type(ctx, tx, request.group_type);
      const volume_types: string[] = [];
      for (const name of request.volume_types) {
        const found = await this.parts.types.find(tx, name, scopeOf(ctx));
        if (found === null) throw CinderError.VolumeTypeNotFound({ volume_type_id: name });
        volume_types.push(found.id);
      }
      if (!(await zonesOf(this.parts, tx)).has(zone))
        throw CinderError.InvalidInput({ reason: `Availability zone '${zone}' is invalid.` });
      await this.quotas.reserve(tx, owner.project_id, { groups: 1 });
      const id = await this.insert(tx, {
        ...owner,
        name: request.name,
        description: request.description,
        group_type_id: type.id,
        availability_zone: zone,
        volume_types,
      });
      await this.start(ctx, tx, 'group.create', id, 'create');
      return findGroup(this.parts, ctx, tx, id);
    });
  }

  /** Copies of the volumes of another group, or of a group snapshot, on the same backend. */
  async createFromSource(
    ctx: RequestContext,
    request: {
      readonly name: string | null;
      readonly description: string | null;
      readonly group_snapshot_id: string | null;
      readonly source_group_id: string | null;
    },
  ): Promise<Group> {
    const owner = ownerOf(ctx);
    return this.parts.db.run('group.create_from_src', async (tx) => {
      const { group, copies } = await this.source(ctx, tx, request);
      await this.quotas.reserve(tx, owner.project_id, { groups: 1 });
      const id = await this.insert(tx, {
        ...owner,
        name: request.name,
        description: request.description,
        group_type_id: group.group_type_id,
        availability_zone: group.availability_zone,
        volume_types: group.volume_types,
        host: group.host,
        group_snapshot_id: request.group_snapshot_id,
        source_group_id: request.source_group_id,
      });
      const made = await findGroup(this.parts, ctx, tx, id);
      for (const copy of copies) await this.creation.insert(ctx, tx, copy, null, made);
      await this.start(ctx, tx, 'group.create_from_src', id, 'create');
      return made;
    });
  }

  /** Renames, and takes volumes in or lets them go: nothing moves on the backend. */
  async update(
    ctx: RequestContext,
    id: string,
    wanted: {
      readonly name: string | null;
      readonly description: string | null;
      readonly add: readonly string[];
      readonly remove: readonly string[];
    },
  ): Promise<void> {
    const both = wanted.add.filter((one) => wanted.remove.includes(one));
    if (both.length > 0)
      throw CinderError.InvalidVolume({
        reason: `UUIDs [${both.map((one) => `'${one}'`).join(', ')}] are in both add and remove volume list.`,
      });
    await this.parts.db.run('group.update', async (tx) => {
      const group = await findGroup(this.parts, ctx, tx, id, { lock: true });
      enforceOn(this.parts.policy, ctx, 'group:update', group);
      const members = await this.parts.volumes.ofGroup(tx, id);
      const added = await this.addable(ctx, tx, group, members, wanted.add);
      const removed = removable(group, members, wanted.remove);
      const name = wanted.name === group.name ? null : wanted.name;
      const description = wanted.description === group.description ? null : wanted.description;
      if (name === null && description === null && added.length === 0 && removed.length === 0)
        throw CinderError.InvalidGroup({
          reason: `Cannot update group ${id} because no valid name, description, add_volumes, or remove_volumes were provided.`,
        });
      if (added.length + removed.length > 0 && group.status !== 'available')
        throw CinderError.InvalidGroup({ reason: 'Group status must be available.' });
      for (const one of added) await this.parts.volumes.update(tx, one.id, { group_id: id });
      for (const one of removed) await this.parts.volumes.update(tx, one.id, { group_id: null });
      await this.parts.groups.update(tx, id, {
        ...(name === null ? {} : { name }),
        ...(description === null ? {} : { description }),
        status: 'available',
      });
    });
  }

  /** Deletes a group; with `deleteVolumes` in whatever state, and its volumes too. */
  async remove(ctx: RequestContext, id: string, deleteVolumes: boolean): Promise<void> {
    await this.parts.db.run('group.delete', async (tx) => {
      const group = await findGroup(this.parts, ctx, tx, id, { lock: true });
      enforceOn(this.parts.policy, ctx, 'group:delete', group);
      if (!deleteVolumes && group.host !== null && group.status !== 'available' && group.status !== 'error')
        throw CinderError.InvalidGroup({
          reason: `Group status must be available or error, but current status is: ${group.status}`,
        });
      if (await this.parts.groupSnapshots.ofGroup(tx, id))
        throw CinderError.InvalidGroup({ reason: 'Group has existing snapshots.' });
      if (await this.parts.groups.isSource(tx, id))
        throw CinderError.InvalidGroup({
          reason: `Cannot delete group ${id}. It cannot be the source for an ongoing group or group snapshot creation.`,
        });
      const volumes = await this.parts.volumes.ofGroup(tx, id, { lock: true });
      if (volumes.length > 0 && !deleteVolumes)
        throw CinderError.InvalidGroup({
          reason: `Group ${id} still contains volumes. The delete-volumes flag is required to delete it.`,
        });
      for (const volume of volumes) await this.removeVolume(ctx, tx, id, volume);
      await this.parts.groups.update(tx, id, { status: 'deleting' });
      await this.start(ctx, tx, 'group.delete', id, 'delete');
    });
  }

  async resetStatus(ctx: RequestContext, id: string, status: string): Promise<void> {
    assertStatus(status, 'Group status', (reason) => CinderError.InvalidGroupStatus({ reason }));
    await this.parts.db.run('group.reset', async (tx) => {
      const group = await findGroup(this.parts, ctx, tx, id, { lock: true });
      enforceOn(this.parts.policy, ctx, 'group:reset_status', group);
      await this.parts.groups.update(tx, id, { status: status.toLowerCase() as GroupStatus });
    });
  }

  /** Replication needs a backend that has it, and none of ours does. upstream: cinder/group/api.py _check_type */
  async assertReplicated(ctx: RequestContext, id: string, rule: string): Promise<void> {
    await this.parts.db.read('group.replication', async (tx) => {
      const group = await findGroup(this.parts, ctx, tx, id);
      enforceOn(this.parts.policy, ctx, rule, group);
      const specs = (await this.parts.groupTypes.find(tx, group.group_type_id))?.group_specs ?? {};
      const replicated = ['group_replication_enabled', 'consistent_group_replication_enabled'].some((key) =>
        saysYes(specs[key]),
      );
      if (!replicated) throw CinderError.InvalidGroupType({ reason: `Group ${id} is not a replication group type.` });
      throw CinderError.InvalidGroup({ reason: `The backend of group ${id} does not support replication.` });
    });
  }

  private async removeVolume(ctx: RequestContext, tx: Tx, groupId: string, volume: Volume): Promise<void> {
    if (volume.attachments.some((one) => one.attach_status === 'attached'))
      throw CinderError.InvalidGroup({ reason: `Volume in group ${groupId} is attached. Need to detach first.` });
    if ((await this.parts.snapshots.ofVolume(tx, volume.id)).length > 0)
      throw CinderError.InvalidGroup({ reason: 'Volume in group still has dependent snapshots.' });
    await this.parts.volumes.setStatus(tx, volume.id, 'deleting');
    await this.start(ctx, tx, 'volume.delete', volume.id, 'delete', { volume_id: volume.id });
  }

  private async addable(
    ctx: RequestContext,
    tx: Tx,
    group: Group,
    members: readonly Volume[],
    ids: readonly string[],
  ): Promise<readonly Volume[]> {
    const refused = (id: string, why: string): Error =>
      CinderError.InvalidVolume({ reason: `Cannot add volume ${id} to group ${group.id} ${why}` });
    const found: Volume[] = [];
    for (const id of ids.filter((one) => !members.some((member) => member.id === one))) {
      const volume = isUuidLike(id) ? await this.parts.volumes.find(tx, id, scopeOf(ctx), { lock: true }) : null;
      if (volume === null) throw refused(id, 'because volume cannot be found.');
      if (volume.group_id !== null) throw refused(id, `because it is already in group ${volume.group_id}.`);
      if (volume.project_id !== group.project_id) throw refused(id, 'as they belong to different projects.');
      if (!group.volume_types.includes(volume.volume_type_id))
        throw refused(id, `because volume type ${volume.volume_type_id} is not supported by the group.`);
      if (!ADDABLE.includes(volume.status))
        throw refused(
          id,
          `because volume is in an invalid state: ${volume.status}. Valid states are: ${list(ADDABLE)}.`,
        );
      if (backendOf(volume.host) !== backendOf(group.host))
        throw CinderError.InvalidVolume({ reason: 'Volume is not local to this node.' });
      found.push(volume);
    }
    return found;
  }

  private async source(
    ctx: RequestContext,
    tx: Tx,
    request: { readonly group_snapshot_id: string | null; readonly source_group_id: string | null },
  ) {
    const common = {
      name: null,
      description: null,
      availability_zone: null,
      image_id: null,
      metadata: {},
      multiattach: false,
    };
    if (request.group_snapshot_id !== null) {
      const snapshot = await findGroupSnapshot(this.parts, ctx, tx, request.group_snapshot_id, { lock: true });
      if (snapshot.status !== 'available')
        throw CinderError.InvalidGroupSnapshot({ reason: 'Originating group snapshot status must be available.' });
      const group = await findGroup(this.parts, ctx, tx, snapshot.group_id);
      const parts = await this.parts.snapshots.ofGroupSnapshot(tx, snapshot.id);
      if (parts.length === 0)
        throw CinderError.InvalidGroup({ reason: 'Group snapshot is empty. No group will be created.' });
      const copies = parts.map((one) => ({
        ...common,
        size: one.volume_size,
        volume_type: null,
        snapshot_id: one.id,
        source_volid: null,
      }));
      return { group, copies };
    }
    const group = await findGroup(this.parts, ctx, tx, request.source_group_id ?? '', { lock: true });
    if (group.status !== 'available')
      throw CinderError.InvalidGroup({ reason: 'Originating group status must be available.' });
    const volumes = await this.parts.volumes.ofGroup(tx, group.id, { lock: true });
    if (volumes.length === 0)
      throw CinderError.InvalidGroup({ reason: 'Source Group is empty. No group will be created.' });
    const copies = volumes.map((one) => ({
      ...common,
      size: one.size,
      volume_type: null,
      snapshot_id: null,
      source_volid: one.id,
    }));
    return { group, copies };
  }

  private async insert(
    tx: Tx,
    about: Pick<
      Group,
      'project_id' | 'user_id' | 'name' | 'description' | 'group_type_id' | 'availability_zone' | 'volume_types'
    > &
      Partial<Pick<Group, 'host' | 'group_snapshot_id' | 'source_group_id'>>,
  ): Promise<string> {
    const id = newUuid();
    await this.parts.groups.insert(tx, {
      host: null,
      group_snapshot_id: null,
      source_group_id: null,
      ...about,
      id,
      status: 'creating',
    });
    return id;
  }

  /** Private ones are the administrators'. */
  private async type(ctx: RequestContext, tx: Tx, idOrName: string): Promise<GroupType> {
    const type = await this.parts.groupTypes.find(tx, idOrName);
    if (type !== null && (type.is_public || isPrivileged(ctx))) return type;
    throw isUuidLike(idOrName)
      ? CinderError.GroupTypeNotFound({ group_type_id: idOrName })
      : CinderError.GroupTypeNotFoundByName({ group_type_name: idOrName });
  }

  private async start(
    ctx: RequestContext,
    tx: Tx,
    kind: string,
    id: string,
    action: string,
    params: unknown = { group_id: id },
  ): Promise<void> {
    await this.parts.operations.start(ctx, tx, kind, { params, resourceId: id, mode: 'queue', action });
  }
}

function removable(group: Group, members: readonly Volume[], ids: readonly string[]): readonly Volume[] {
  return ids.map((id) => {
    const volume = members.find((one) => one.id === id);
    const refused = (why: string): Error =>
      CinderError.InvalidVolume({ reason: `Cannot remove volume ${id} from group ${group.id} because ${why}` });
    if (volume === undefined) throw refused('it is not in the group.');
    if (!REMOVABLE.includes(volume.status))
      throw refused(`volume is in an invalid state: ${volume.status}. Valid states are: ${list(REMOVABLE)}.`);
    return volume;
  });
}

/** Refuses what is no status of groups and their snapshots, or empty. */
export function assertStatus(status: string, what: string, refused: (reason: string) => Error): void {
  if (status.trim() === '') throw refused("The 'status' can not be empty.");
  if (!GROUP_STATUSES.includes(status.toLowerCase()))
    throw refused(`${what}: ${status} is invalid, valid statuses are: ${list(GROUP_STATUSES)}.`);
}

function list(values: readonly string[]): string {
  return `(${values.map((one) => `'${one}'`).join(', ')})`;
}

/** `host@backend` of `host@backend#pool`. */
export function backendOf(host: string | null): string | null {
  return host?.split('#', 1)[0] ?? null;
}

/** Zones that backends are in, and the general one. */
export async function zonesOf(parts: Pick<CinderParts, 'services' | 'settings'>, tx: Tx): Promise<ReadonlySet<string>> {
  const services = await parts.services.list(tx, { binary: 'cinder-volume' });
  return new Set([parts.settings.availability_zone, ...services.map((one) => one.availability_zone)]);
}

/** Who makes a resource; throws for tokens without a project. */
export function ownerOf(ctx: RequestContext): { readonly project_id: string; readonly user_id: string } {
  const { actor } = ctx;
  if (actor === null || actor.projectId === null)
    throw CinderError.InvalidInput({ reason: 'A project-scoped token is needed.' });
  return { project_id: actor.projectId, user_id: actor.userId };
}
