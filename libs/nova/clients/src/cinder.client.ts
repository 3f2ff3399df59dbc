import type { RequestContext } from '@nestack/kernel/context';
import { DomainError } from '@nestack/kernel/errors';
import { orNull, type ApiClient, type ApiClients } from '@nestack/kernel/http';
import {
  beginDetaching,
  cinderApi,
  completeAttachment,
  connectionInfoOf,
  createAttachment,
  createSnapshot,
  createVolume,
  deleteAttachment,
  deleteSnapshot,
  deleteVolume,
  listAttachmentsDetail,
  listSnapshotsDetail,
  reimageVolume,
  rollDetaching,
  showSnapshot,
  showVolume,
  updateAttachment,
} from '@nestack/cinder/contract';
import { NovaError, type ConnectionInfo } from '@nestack/nova/contract';
import type { As, VolumePort, VolumeSnapshot, VolumeSummary } from '@nestack/nova/domain';

/** The microversion of the attachments API that nova speaks. upstream: nova/volume/cinder.py */
const VERSION = '3.44';
const REIMAGE_VERSION = '3.68';

/** Metadata by which a snapshot is found again that an image of a server was made with. */
const SNAPSHOT_KEY = 'nova_image';

interface Attachment {
  readonly id: string;
  readonly volume_id: string;
  readonly instance: string | null;
  readonly connection_info?: Readonly<Record<string, unknown>> | null;
}

/** Cinder as nova's volumes. */
export class CinderClient implements VolumePort {
  private readonly api: ApiClient;

  constructor(clients: ApiClients) {
    this.api = clients.client(cinderApi);
  }

  async get(ctx: RequestContext, volumeId: string, as: As): Promise<VolumeSummary | null> {
    const answer = await orNull(
      this.api.call(ctx, showVolume, { params: { volume_id: volumeId }, version: VERSION }, as),
    );
    if (answer === null) return null;
    const { volume } = answer as { volume: Readonly<Record<string, unknown>> };
    const attachments = (volume['attachments'] ?? []) as readonly { server_id: string }[];
    return {
      id: volumeId,
      status: String(volume['status']),
      size: Number(volume['size']),
      bootable: String(volume['bootable']) === 'true',
      multiattach: volume['multiattach'] === true,
      readonly: (volume['metadata'] as { readonly?: string } | undefined)?.readonly === 'True',
      availability_zone: String(volume['availability_zone'] ?? 'nova'),
      attached_to: attachments.map((one) => one.server_id),
      image_metadata: (volume['volume_image_metadata'] ?? {}) as Readonly<Record<string, string>>,
    };
  }

  async snapshot(ctx: RequestContext, snapshotId: string): Promise<VolumeSnapshot | null> {
    const call = { params: { snapshot_id: snapshotId }, version: VERSION };
    const answer = await orNull(this.api.call(ctx, showSnapshot, call, 'user'));
    return answer === null ? null : snapshotOf((answer as { snapshot: VolumeSnapshot }).snapshot);
  }

  async createVolume(
    ctx: RequestContext,
    about: {
      readonly size: number;
      readonly image_id: string | null;
      readonly snapshot_id: string | null;
      readonly volume_type: string | null;
      readonly availability_zone: string | null;
    },
  ): Promise<{ id: string }> {
    const body = {
      volume: {
        size: about.size,
        name: '',
        ...(about.image_id === null ? {} : { imageRef: about.image_id }),
        ...(about.snapshot_id === null ? {} : { snapshot_id: about.snapshot_id }),
        ...(about.volume_type === null ? {} : { volume_type: about.volume_type }),
        ...(about.availability_zone === null ? {} : { availability_zone: about.availability_zone }),
      },
    };
    try {
      const call = { body: body as never, version: VERSION };
      const answer = (await this.api.call(ctx, createVolume, call, 'user')) as unknown as { volume: { id: string } };
      return { id: answer.volume.id };
    } catch (error) {
      if (error instanceof DomainError && error.kind === 'notFound')
        throw NovaError.BadRequest({ reason: error.message }, { cause: error });
      throw error;
    }
  }

  async ensureAttachment(ctx: RequestContext, volumeId: string, instanceUuid: string, as: As): Promise<{ id: string }> {
    const known = await this.findAttachment(ctx, volumeId, instanceUuid);
    if (known !== null) return { id: known };
    try {
      const answer = (await this.api.call(
        ctx,
        createAttachment,
        { body: { attachment: { volume_uuid: volumeId, instance_uuid: instanceUuid } } as never, version: VERSION },
        as,
      )) as unknown as { attachment: Attachment };
      return { id: answer.attachment.id };
    } catch (error) {
      if (error instanceof DomainError && (error.kind === 'badRequest' || error.kind === 'conflict'))
        throw NovaError.InvalidVolume({ reason: error.message });
      throw error;
    }
  }

  async ensureFurtherAttachment(
    ctx: RequestContext,
    volumeId: string,
    instanceUuid: string,
    besides: string,
  ): Promise<{ id: string }> {
    const known = (await this.attachmentsOf(ctx, volumeId, instanceUuid)).find(({ id }) => id !== besides);
    if (known !== undefined) return { id: known.id };
    const attachment = { volume_uuid: volumeId, instance_uuid: instanceUuid };
    const call = { body: { attachment } as never, version: VERSION };
    const answer = (await this.api.call(ctx, createAttachment, call, 'service')) as unknown as {
      attachment: Attachment;
    };
    return { id: answer.attachment.id };
  }

  async reimage(ctx: RequestContext, volumeId: string, imageId: string): Promise<void> {
    const body = { 'os-reimage': { image_id: imageId, reimage_reserved: true } } as never;
    const call = { params: { volume_id: volumeId }, body, version: REIMAGE_VERSION };
    await this.api.call(ctx, reimageVolume, call, 'service');
  }

  async findAttachment(ctx: RequestContext, volumeId: string, instanceUuid: string): Promise<string | null> {
    return (await this.attachmentsOf(ctx, volumeId, instanceUuid))[0]?.id ?? null;
  }

  private async attachmentsOf(
    ctx: RequestContext,
    volumeId: string,
    instanceUuid: string,
  ): Promise<readonly Attachment[]> {
    const listed = (await this.api.call(
      ctx,
      listAttachmentsDetail,
      { query: { volume_id: volumeId, instance_id: instanceUuid, all_tenants: 'True' } as never, version: VERSION },
      'service',
    )) as unknown as { attachments: readonly Attachment[] };
    return listed.attachments.filter((one) => one.volume_id === volumeId && one.instance === instanceUuid);
  }

  async connect(
    ctx: RequestContext,
    attachmentId: string,
    connector: Readonly<Record<string, unknown>>,
    device: string | null,
  ): Promise<ConnectionInfo> {
    const answer = (await this.api.call(
      ctx,
      updateAttachment,
      {
        params: { attachment_id: attachmentId },
        body: {
          attachment: { connector: { ...connector, ...(device === null ? {} : { mountpoint: device }) } },
        } as never,
        version: VERSION,
      },
      'service',
    )) as unknown as { attachment: Attachment };
    const info = connectionInfoOf(answer.attachment.connection_info);
    if (info === null) throw NovaError.InvalidVolume({ reason: `attachment ${attachmentId} has no connection` });
    return info;
  }

  async complete(ctx: RequestContext, attachmentId: string): Promise<void> {
    await this.api.call(
      ctx,
      completeAttachment,
      { params: { attachment_id: attachmentId }, body: { 'os-complete': attachmentId } as never, version: VERSION },
      'service',
    );
  }

  async deleteAttachment(ctx: RequestContext, attachmentId: string): Promise<void> {
    await orNull(
      this.api.call(ctx, deleteAttachment, { params: { attachment_id: attachmentId }, version: VERSION }, 'service'),
    );
  }

  async beginDetaching(ctx: RequestContext, volumeId: string, as: As): Promise<void> {
    await this.api.call(
      ctx,
      beginDetaching,
      { params: { volume_id: volumeId }, body: { 'os-begin_detaching': null } as never, version: VERSION },
      as,
    );
  }

  async rollDetaching(ctx: RequestContext, volumeId: string): Promise<void> {
    await this.api.call(
      ctx,
      rollDetaching,
      { params: { volume_id: volumeId }, body: { 'os-roll_detaching': null } as never, version: VERSION },
      'service',
    );
  }

  async deleteVolume(ctx: RequestContext, volumeId: string): Promise<void> {
    await orNull(this.api.call(ctx, deleteVolume, { params: { volume_id: volumeId }, version: VERSION }, 'service'));
  }

  async ensureSnapshot(
    ctx: RequestContext,
    about: { readonly volume_id: string; readonly name: string; readonly key: string },
  ): Promise<VolumeSnapshot> {
    const known = await this.findSnapshot(ctx, about.volume_id, about.key);
    if (known !== null) return known;
    const { volume_id, name } = about;
    const body = { snapshot: { volume_id, name, force: true, metadata: { [SNAPSHOT_KEY]: about.key } } };
    const call = { body: body as never, version: VERSION };
    const answer = (await this.api.call(ctx, createSnapshot, call, 'service')) as { snapshot: VolumeSnapshot };
    return snapshotOf(answer.snapshot);
  }

  async findSnapshot(ctx: RequestContext, volumeId: string, key: string): Promise<VolumeSnapshot | null> {
    const query = { volume_id: volumeId, all_tenants: 'True' } as never;
    const { snapshots } = (await this.api.call(ctx, listSnapshotsDetail, { query, version: VERSION }, 'service')) as {
      snapshots: readonly (VolumeSnapshot & { volume_id: string; metadata: Record<string, string> })[];
    };
    const found = snapshots.find((one) => one.volume_id === volumeId && one.metadata[SNAPSHOT_KEY] === key);
    return found === undefined ? null : snapshotOf(found);
  }

  async deleteSnapshot(ctx: RequestContext, snapshotId: string): Promise<void> {
    await orNull(
      this.api.call(ctx, deleteSnapshot, { params: { snapshot_id: snapshotId }, version: VERSION }, 'service'),
    );
  }
}

function snapshotOf({ id, status, size }: VolumeSnapshot): VolumeSnapshot {
  return { id, status, size };
}
