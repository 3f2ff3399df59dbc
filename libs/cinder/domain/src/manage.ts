import type { RequestContext, Tx } from '@nestack/kernel/context';
import { isUuidLike, newUuid } from '@nestack/kernel/ids';
import { CinderError } from '@nestack/cinder/contract';
import { enforceOn, findSnapshot, findVolume, scopeOf } from './access';
import { backendOf, ownerOf } from './groups';
import { saysYes } from './group-types';
import type { Metadata, Service, Snapshot, Volume, VolumeType } from './model';
import type { CinderParts, Resource } from './ports';
import { consumptionOf, type Quotas } from './quotas';
import { poolOf } from './services';

export interface ManageRequest {
  /** `host@backend` or `host@backend#pool` */
  readonly host: string;
  readonly ref: unknown;
  readonly name: string | null;
  readonly description: string | null;
  readonly volume_type: string | null;
  readonly metadata: Metadata;
  readonly availability_zone: string | null;
  readonly bootable: boolean;
}

/** Takes what is on a backend under management, and lets it go again. upstream: cinder/volume/api.py manage_existing */
export class Manage {
  constructor(
    private readonly parts: CinderParts,
    private readonly quotas: Quotas,
  ) {}

  /** What a backend has, by its name. */
  async list(ctx: RequestContext, host: string, kind: Resource) {
    const service = await this.parts.db.read('manage.service', (tx) => this.service(tx, host));
    return this.parts.backend.manageable(ctx, service.host, kind);
  }

  async volume(ctx: RequestContext, request: ManageRequest): Promise<Volume> {
    const owner = ownerOf(ctx);
    const name = nameIn(request.ref, 'volume');
    return this.parts.db.run('volume.manage', async (tx) => {
      if (isUuidLike(name) && (await this.parts.volumes.find(tx, name, null)) !== null)
        throw CinderError.InvalidVolume({
          reason: 'Unable to manage existing volume. The volume is already managed',
        });
      const type = await this.type(ctx, tx, request.volume_type);
      if ((await this.parts.types.encryption(tx, type.id)) !== null)
        throw CinderError.InvalidVolumeType({ reason: 'Managing to an encrypted volume type is not supported.' });
      const service = await this.service(tx, request.host);
      // Its size is counted once the backend has told it.
      await this.quotas.reserve(tx, owner.project_id, consumptionOf('volumes', 0, type.name));
      const volume = {
        ...owner,
        id: newUuid(),
        name: request.name,
        description: request.description,
        size: 0,
        status: 'managing' as const,
        availability_zone: request.availability_zone ?? service.availability_zone,
        host: poolOf(service),
        bootable: request.bootable,
        multiattach: saysYes(type.extra_specs['multiattach']),
        readonly: null,
        volume_type_id: type.id,
        snapshot_id: null,
        source_volid: null,
        group_id: null,
        image_id: null,
        metadata: request.metadata,
        image_metadata: null,
        connected: false,
        migration_status: null,
      };
      await this.parts.volumes.insert(tx, volume);
      await this.parts.operations.start(ctx, tx, 'volume.manage', {
        params: { volume_id: volume.id, name },
        resourceId: volume.id,
        action: 'manage',
      });
      return findVolume(this.parts, ctx, tx, volume.id);
    });
  }

  /** The data stay where they are. */
  async unmanageVolume(ctx: RequestContext, id: string): Promise<void> {
    await this.parts.db.run('volume.unmanage', async (tx) => {
      const volume = await findVolume(this.parts, ctx, tx, id, { lock: true });
      enforceOn(this.parts.policy, ctx, 'volume_extension:volume_unmanage', volume);
      const snapshots = await this.parts.snapshots.ofVolume(tx, id);
      const allowed = ['available', 'error', 'error_restoring', 'error_extending', 'error_managing'];
      if (
        !allowed.includes(volume.status) ||
        volume.attachments.length > 0 ||
        volume.group_id !== null ||
        snapshots.length > 0
      )
        throw CinderError.InvalidVolume({
          reason:
            'Volume status must be available or error or error_restoring or error_extending or error_managing and must not be migrating, attached, belong to a group, have snapshots, awaiting a transfer, or be disassociated from snapshots after volume transfer.',
        });
      if (volume.host !== null) await this.parts.volumes.provision(tx, volume.host, -volume.size);
      await this.quotas.release(tx, volume.project_id, consumptionOf('volumes', volume.size, volume.volume_type));
      await this.parts.volumes.remove(tx, id);
    });
  }

  async snapshot(
    ctx: RequestContext,
    request: {
      readonly volume_id: string;
      readonly ref: unknown;
      readonly name: string | null;
      readonly description: string | null;
      readonly metadata: Metadata;
    },
  ): Promise<Snapshot> {
    const name = nameIn(request.ref, 'snapshot');
    return this.parts.db.run('snapshot.manage', async (tx) => {
      const volume = await findVolume(this.parts, ctx, tx, request.volume_id, { lock: true });
      enforceOn(this.parts.policy, ctx, 'snapshot_extension:snapshot_manage', volume);
      await this.service(tx, volume.host ?? '');
      await this.quotas.reserve(tx, volume.project_id, consumptionOf('snapshots', volume.size, volume.volume_type));
      const id = newUuid();
      await this.parts.snapshots.insert(tx, {
        id,
        volume_id: volume.id,
        project_id: volume.project_id,
        user_id: ctx.actor?.userId ?? volume.user_id,
        name: request.name,
        description: request.description,
        volume_size: volume.size,
        status: 'creating',
        group_snapshot_id: null,
        metadata: request.metadata,
      });
      await this.parts.operations.start(ctx, tx, 'snapshot.manage', {
        params: { snapshot_id: id, volume_id: volume.id, name },
        resourceId: id,
        action: 'manage',
      });
      return findSnapshot(this.parts, ctx, tx, id);
    });
  }

  async unmanageSnapshot(ctx: RequestContext, id: string): Promise<void> {
    await this.parts.db.run('snapshot.unmanage', async (tx) => {
      const snapshot = await findSnapshot(this.parts, ctx, tx, id, { lock: true });
      enforceOn(this.parts.policy, ctx, 'snapshot_extension:snapshot_unmanage', snapshot);
      if (snapshot.group_snapshot_id !== null)
        throw CinderError.InvalidSnapshot({ reason: `Snapshot ${id} must not be part of a group.` });
      if (snapshot.status !== 'available' && snapshot.status !== 'error')
        throw CinderError.InvalidSnapshot({
          reason: `Snapshot status must be available or error to unmanage it, but it is ${snapshot.status}.`,
        });
      const volume = await this.parts.volumes.find(tx, snapshot.volume_id, null);
      await this.parts.snapshots.remove(tx, id);
      await this.quotas.release(
        tx,
        snapshot.project_id,
        consumptionOf('snapshots', snapshot.volume_size, volume?.volume_type ?? ''),
      );
    });
  }

  private async type(ctx: RequestContext, tx: Tx, name: string | null): Promise<VolumeType> {
    const type =
      name === null
        ? await this.parts.types.defaultFor(tx, ctx.actor?.projectId ?? '')
        : await this.parts.types.find(tx, name, scopeOf(ctx));
    if (type === null)
      throw CinderError.InvalidVolumeType({ reason: `Cannot find requested '${String(name)}' volume type` });
    return type;
  }

  /** The volume service of a host; it must be up and in use. */
  private async service(tx: Tx, host: string): Promise<Service> {
    const backend = backendOf(host) ?? '';
    const services = await this.parts.services.list(tx, { host: backend, binary: 'cinder-volume' });
    const service = services.find((one) => one.host === backend);
    if (service === undefined) throw CinderError.NamedHostUnavailable({ reason: `Host '${host}' not found` });
    if (!service.up || service.disabled)
      throw CinderError.NamedHostUnavailable({ reason: 'The service is unavailable at this time.' });
    return service;
  }
}

/** The name in a reference, without what a name has before an id on other backends. */
function nameIn(ref: unknown, kind: Resource): string {
  const name = typeof ref === 'object' && ref !== null ? (ref as Record<string, unknown>)['source-name'] : ref;
  if (typeof name !== 'string' || name === '')
    throw CinderError.ManageExistingInvalidReference({
      existing_ref: JSON.stringify(ref),
      reason: 'Reference must contain source-name element.',
    });
  return kind === 'volume' ? name.replace(/^volume-/, '') : name.replace(/^_?snapshot-/, '');
}
