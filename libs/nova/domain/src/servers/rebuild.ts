import type { Clock } from '@nestack/kernel/clock';
import type { RequestContext, TransactionRunner, Tx } from '@nestack/kernel/context';
import { NovaError, NovaSagas, isTrue, type RebuildFields } from '@nestack/nova/contract';
import type { ImageSnapshot, Instance, InstancePatch } from '../instance';
import type { BlockDevice } from '../instance';
import type { BlockDeviceRepository, ImagePort, InstanceListItem, KeyPairRepository, VolumePort } from '../ports';
import type { Quotas } from '../quotas/quotas';
import { begin, type BeginDeps } from './begin';
import { assertInUse } from './attachments';
import { assertBase64, resolveImage } from './boot-request';
import { visible } from './gate';

export interface RebuildDeps extends BeginDeps {
  readonly tx: TransactionRunner;
  readonly clock: Clock;
  readonly images: ImagePort;
  readonly devices: BlockDeviceRepository;
  readonly volumes: Pick<VolumePort, 'get'>;
  readonly keyPairs: KeyPairRepository;
  readonly quotas: Quotas;
}

/** Servers whose disks are made anew, with their addresses and volumes kept. upstream: nova/compute/api.py rebuild */
export class Rebuild {
  constructor(private readonly deps: RebuildDeps) {}

  /**
   * Answers the server as it will be. What is not given stays, but for a description before 2.19, which is the name. A server
   * whose root is a volume keeps it, made from the same image; with `reimage` (since 2.93) the image is put on it anew.
   */
  async rebuild(ctx: RequestContext, id: string, fields: RebuildFields, reimage: boolean): Promise<InstanceListItem> {
    const { deps } = this;
    if (fields.user_data !== undefined && fields.user_data !== null) assertBase64(fields.user_data);
    const { now, devices } = await deps.tx.read('server.rebuild.get', async (tx) => {
      const found = visible(ctx, await deps.instances.find(tx, id), id);
      return { now: found, devices: await deps.devices.ofInstance(tx, found.uuid) };
    });
    const imageId = fields.imageRef.replace(/^.*\//, '');
    const image = await resolveImage(ctx, deps.images, imageId, now.flavor, now.image !== null);
    if (now.image === null && (fields.trusted_image_certificates ?? []).length > 0)
      throw NovaError.CertificatesOfVolume();
    const root = now.image === null ? await this.rootFor(ctx, image, devices, reimage) : null;
    const other = root?.other ?? now.image?.id !== image.id;
    return deps.tx.run('server.rebuild', async (tx) => {
      await this.assertLimits(tx, ctx, fields);
      const key = await this.keyOf(ctx, tx, fields.key_name);
      const instance = await begin(ctx, tx, deps, id, {
        gate: { action: 'rebuild', vm_states: ['active', 'stopped', 'error'] },
        saga: NovaSagas.serverRebuild,
        prepare: (before) => {
          if (before.launched_at === null)
            throw NovaError.InstanceInvalidState({
              action: 'rebuild',
              instance_uuid: before.uuid,
              attr: 'launched_at',
              state: 'None',
            });
          return Promise.resolve({
            patch: { ...patchOf(before, fields, other ? image : null), ...key },
            params: {
              stopped: before.vm_state === 'stopped',
              preserve_ephemeral: isTrue(fields.preserve_ephemeral ?? false),
              ...(root === null || !reimage
                ? {}
                : { reimage: { bdm_id: root.device.id, volume_id: root.device.volume_id, image_id: imageId } }),
              ...(other ? { former: formerOf(before) } : {}),
            },
          });
        },
      });
      const item = await deps.instances.findItem(tx, instance.uuid);
      if (item === null) throw NovaError.InstanceNotFound({ instance_id: id });
      return item;
    });
  }

  /** The root volume of a server, if it may have this image, and whether it is another than it was made of. Throws ImageUnacceptable, InvalidVolume, VolumeSmallerThanImage. */
  private async rootFor(
    ctx: RequestContext,
    image: ImageSnapshot,
    devices: readonly BlockDevice[],
    reimage: boolean,
  ): Promise<{ readonly device: BlockDevice; readonly other: boolean }> {
    const volumes = await Promise.all(
      devices.map(async ({ volume_id: id }) => (id === null ? null : this.deps.volumes.get(ctx, id, 'service'))),
    );
    const at = devices.findIndex((device) => device.boot_index === 0);
    const root = devices[at];
    const volume = volumes[at] ?? null;
    if (root === undefined || volume === null) throw NovaError.InvalidBDMVolume({ id: root?.volume_id ?? '' });
    const other = volume.image_metadata['image_id'] !== image.id;
    if (!reimage && other)
      throw NovaError.ImageUnacceptable({
        image_id: image.id,
        reason: 'Unable to rebuild with a different image for a volume-backed server.',
      });
    const needed = Math.max(image.min_disk, Math.ceil(image.size / 1024 ** 3));
    if (volume.size < needed) throw NovaError.VolumeSmallerThanImage({ volume_size: volume.size, needed });
    for (const one of volumes) if (one !== null) assertInUse(one);
    return { device: root, other };
  }

  private async assertLimits(tx: Tx, ctx: RequestContext, fields: RebuildFields): Promise<void> {
    const { metadata, personality = [] } = fields;
    await this.deps.quotas.assertInjectedFiles(ctx, tx, personality);
    if (metadata === undefined) return;
    const allowed = (await this.deps.quotas.allowed(ctx, tx))['metadata_items'] ?? -1;
    if (allowed >= 0 && Object.keys(metadata).length > allowed) throw NovaError.MetadataLimitExceeded({ allowed });
  }

  private async keyOf(
    ctx: RequestContext,
    tx: Tx,
    name: string | null | undefined,
  ): Promise<Pick<InstancePatch, 'key_name' | 'key_data'>> {
    if (name === undefined) return {};
    if (name === null) return { key_name: null, key_data: null };
    const found = await this.deps.keyPairs.find(tx, ctx.actor?.userId ?? '', name);
    if (found === null) throw NovaError.KeypairUnknown();
    return { key_name: name, key_data: found.public_key };
  }
}

/** What the server is made of, for when it cannot be made of the other. */
function formerOf({ image, request: { root_image_properties: properties } }: Instance) {
  return { image, ...(properties === undefined ? {} : { root_image_properties: properties }) };
}

function patchOf(before: Instance, fields: RebuildFields, other: ImageSnapshot | null): InstancePatch {
  const disk = fields['OS-DCF:diskConfig'];
  const { personality, trusted_image_certificates: certificates } = fields;
  const { trusted_image_certificates: trustedBefore, ...asked } = before.request;
  // Null takes the certificates away.
  const trusted = certificates === undefined ? trustedBefore : (certificates ?? undefined);
  const request = {
    ...asked,
    ...(personality === undefined ? {} : { personality: personality.map((file) => ({ ...file })) }),
    ...(trusted === undefined ? {} : { trusted_image_certificates: [...trusted] }),
    ...(before.image === null && other !== null ? { root_image_properties: other.properties } : {}),
  };
  return {
    task_state: 'rebuilding',
    progress: 0,
    ...(fields.name === undefined ? {} : { display_name: fields.name.trim() }),
    ...(fields.metadata === undefined ? {} : { metadata: { ...fields.metadata } }),
    ...(fields.description === undefined ? {} : { display_description: fields.description }),
    ...(fields.accessIPv4 === undefined ? {} : { access_ip_v4: fields.accessIPv4 }),
    ...(fields.accessIPv6 === undefined ? {} : { access_ip_v6: fields.accessIPv6 }),
    ...(fields.hostname === undefined ? {} : { hostname: fields.hostname }),
    ...(fields.user_data === undefined ? {} : { user_data: fields.user_data }),
    ...(disk === undefined ? {} : { disk_config: disk }),
    ...(before.image === null || other === null ? {} : { image: other }),
    request,
  };
}
