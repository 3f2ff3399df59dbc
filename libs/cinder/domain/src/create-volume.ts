import type { RequestContext, Tx } from '@nestack/kernel/context';
import { isUuidLike, newUuid } from '@nestack/kernel/ids';
import { CinderError } from '@nestack/cinder/contract';
import { findGroup, findSnapshot, findVolume, scopeOf, targetOf } from './access';
import { DEFAULT_TYPE, type Group, type Metadata, type Volume, type VolumeType } from './model';
import type { CinderParts, ImageSummary, NewVolume } from './ports';
import { consumptionOf, type Quotas } from './quotas';
import { ownerOf, zonesOf } from './groups';
import type { SchedulerHints } from './scheduler';

const GIB = 1024 ** 3;
/** GiB that upstream's schema has room for. */
export const LARGEST = 0x7fff_ffff;

/** A create request, its nulls and spellings put right. */
export interface VolumeRequest {
  readonly name: string | null;
  readonly description: string | null;
  readonly size: number | null;
  readonly availability_zone: string | null;
  readonly volume_type: string | null;
  readonly metadata: Metadata;
  readonly image_id: string | null;
  readonly snapshot_id: string | null;
  readonly source_volid: string | null;
  readonly multiattach: boolean;
  readonly group_id: string | null;
  readonly hints?: SchedulerHints | undefined;
  /** A backup is restored to it before it is available. */
  readonly restoring?: boolean;
}

/** What a volume has from what it is made of. */
interface Source {
  readonly size: number | null;
  readonly typeId: string | null;
  readonly zone: string | null;
  readonly bootable: boolean;
  readonly image_metadata: Metadata | null;
}

/** The create use case: everything that can be refused is refused here, the rest is the saga `volume.create`. */
export class CreateVolume {
  constructor(
    private readonly parts: CinderParts,
    private readonly quotas: Quotas,
  ) {}

  async execute(ctx: RequestContext, request: VolumeRequest): Promise<Volume> {
    this.parts.policy.enforce(ctx, 'volume:create', targetOf(ownerOf(ctx)));
    const sources = [request.image_id, request.snapshot_id, request.source_volid].filter((one) => one !== null);
    if (sources.length > 1)
      throw CinderError.InvalidInput({ reason: 'May specify only one of snapshot, imageRef or source volume' });
    const image = request.image_id === null ? null : await this.image(ctx, request.image_id, request.size);
    return this.parts.db.run('volume.create', async (tx) => {
      if (request.availability_zone !== null && !(await zonesOf(this.parts, tx)).has(request.availability_zone))
        throw CinderError.InvalidAvailabilityZone({ az: request.availability_zone });
      const group = request.group_id === null ? null : await this.group(ctx, tx, request);
      return this.insert(ctx, tx, request, image, group);
    });
  }

  /** Writes the volume's row and starts its saga, in a transaction that may do more. */
  async insert(
    ctx: RequestContext,
    tx: Tx,
    request: Omit<VolumeRequest, 'group_id'>,
    image: ImageSummary | null,
    group: Group | null,
  ): Promise<Volume> {
    const owner = ownerOf(ctx);
    const source = await this.source(ctx, tx, request);
    const size = request.size ?? source.size;
    if (size === null || !Number.isInteger(size) || size <= 0 || size > LARGEST) {
      throw CinderError.InvalidInput({
        reason: `Volume size '${String(request.size ?? '')}' must be an integer and greater than 0`,
      });
    }
    if (source.size !== null && size < source.size) {
      throw CinderError.InvalidInput({
        reason: `Volume size '${String(size)}'GB cannot be smaller than the ${request.snapshot_id === null ? 'original volume' : 'snapshot'} size ${String(source.size)}GB. They must be >= the original size.`,
      });
    }
    // A copy is where its source is. upstream: cloned_volume_same_az
    if (request.availability_zone !== null && source.zone !== null && request.availability_zone !== source.zone)
      throw CinderError.InvalidInput({
        reason: `Volume must be in the same availability zone as the ${request.snapshot_id === null ? 'source volume' : 'snapshot'}`,
      });
    const type = await this.type(ctx, tx, request.volume_type, source.typeId);
    if (group !== null && !group.volume_types.includes(type.id))
      throw CinderError.InvalidInput({
        reason: `Invalid volume_type provided: ${type.name} (requested type must be supported by this group).`,
      });
    if ((await this.parts.types.encryption(tx, type.id)) !== null) throw CinderError.KeyManagerError();
    const multiattach = request.multiattach || /^<is>\s*true$/i.test(type.extra_specs['multiattach'] ?? '');
    await this.quotas.reserve(tx, owner.project_id, consumptionOf('volumes', size, type.name), size);
    const volume: NewVolume = {
      ...owner,
      id: newUuid(),
      name: request.name,
      description: request.description,
      size,
      status: 'creating',
      availability_zone:
        group?.availability_zone ?? request.availability_zone ?? source.zone ?? this.parts.settings.availability_zone,
      host: null,
      bootable: source.bootable,
      multiattach,
      readonly: null,
      volume_type_id: type.id,
      snapshot_id: request.snapshot_id,
      source_volid: request.source_volid,
      group_id: group?.id ?? null,
      image_id: image?.id ?? null,
      metadata: request.metadata,
      image_metadata: source.image_metadata,
      connected: false,
      migration_status: null,
    };
    const created_at = await this.parts.volumes.insert(tx, volume);
    await this.parts.operations.start(ctx, tx, 'volume.create', {
      params: {
        volume_id: volume.id,
        ...(request.hints === undefined ? {} : { hints: request.hints }),
        ...(request.restoring === true ? { restoring: true } : {}),
      },
      resourceId: volume.id,
      action: 'create',
    });
    return { ...volume, volume_type: type.name, attachments: [], created_at, updated_at: null };
  }

  private async group(ctx: RequestContext, tx: Tx, request: VolumeRequest): Promise<Group> {
    const group = await findGroup(this.parts, ctx, tx, request.group_id ?? '', { lock: true });
    if (request.volume_type === null)
      throw CinderError.InvalidInput({ reason: 'volume_type must be provided when creating a volume in a group.' });
    if (group.status !== 'available' && group.status !== 'creating')
      throw CinderError.InvalidGroup({
        reason: `Originating group status must be one of 'available, creating' values`,
      });
    return group;
  }

  private async image(ctx: RequestContext, id: string, size: number | null): Promise<ImageSummary> {
    const image = isUuidLike(id) ? await this.parts.images.get(ctx, id, 'user') : null;
    if (image === null) throw CinderError.InvalidImageRef();
    if (image.status !== 'active') throw CinderError.InvalidInput({ reason: `Image ${id} is not active.` });
    if (size !== null) assertImageFits(image, size);
    return image;
  }

  /** What is inherited from a snapshot or another volume. */
  private async source(
    ctx: RequestContext,
    tx: Tx,
    request: Pick<VolumeRequest, 'snapshot_id' | 'source_volid'>,
  ): Promise<Source> {
    if (request.snapshot_id !== null) {
      const snapshot = await findSnapshot(this.parts, ctx, tx, request.snapshot_id, { lock: true });
      if (snapshot.status !== 'available') {
        throw CinderError.InvalidSnapshot({
          reason: `Originating snapshot status must be one of ['available'] values`,
        });
      }
      const origin = await this.parts.volumes.find(tx, snapshot.volume_id, null);
      return {
        size: snapshot.volume_size,
        typeId: origin?.volume_type_id ?? null,
        zone: origin?.availability_zone ?? null,
        bootable: origin?.bootable ?? false,
        image_metadata: origin?.image_metadata ?? null,
      };
    }
    if (request.source_volid !== null) {
      const origin = await findVolume(this.parts, ctx, tx, request.source_volid, { lock: true });
      if (origin.status !== 'available' && origin.status !== 'in-use') {
        throw CinderError.InvalidVolume({
          reason: `Unable to create a volume from an originating volume: status must be one of available, in-use, but current status is: ${origin.status}.`,
        });
      }
      return {
        size: origin.size,
        typeId: origin.volume_type_id,
        zone: origin.availability_zone,
        bootable: origin.bootable,
        image_metadata: origin.image_metadata,
      };
    }
    return { size: null, typeId: null, zone: null, bootable: false, image_metadata: null };
  }

  private async type(ctx: RequestContext, tx: Tx, name: string | null, inherited: string | null): Promise<VolumeType> {
    const wanted = name ?? inherited ?? DEFAULT_TYPE;
    const type =
      name === null && inherited === null
        ? await this.parts.types.defaultFor(tx, ctx.actor?.projectId ?? '')
        : await this.parts.types.find(tx, wanted, name === null ? null : scopeOf(ctx));
    if (type !== null) return type;
    throw isUuidLike(wanted)
      ? CinderError.VolumeTypeNotFound({ volume_type_id: wanted })
      : CinderError.VolumeTypeNotFoundByName({ volume_type_name: wanted });
  }
}

/** Throws InvalidInput for an image that a volume of so many GiB cannot hold. upstream: cinder/volume/volume_utils.py check_image_metadata */
export function assertImageFits(image: ImageSummary, size: number): void {
  const needed = Math.ceil(Math.max(image.size ?? 0, image.virtual_size ?? 0) / GIB);
  if (size < needed) {
    throw CinderError.InvalidInput({
      reason: `Size of specified image ${String(needed)}GB is larger than volume size ${String(size)}GB.`,
    });
  }
  if (size < image.min_disk) {
    throw CinderError.InvalidInput({
      reason: `Volume size ${String(size)}GB cannot be smaller than the image minDisk size ${String(image.min_disk)}GB.`,
    });
  }
}
