import { newUuid } from '@nestack/kernel/ids';
import type { Clock } from '@nestack/kernel/clock';
import type { RequestContext, TransactionRunner } from '@nestack/kernel/context';
import { NovaError, NovaSagas, type TaskState } from '@nestack/nova/contract';
import type { Instance } from '../instance';
import type { ExternalEventRepository, ImagePort } from '../ports';
import type { Quotas } from '../quotas/quotas';
import { begin, type BeginDeps } from './begin';

export interface ServerImagesDeps extends BeginDeps {
  readonly tx: TransactionRunner;
  readonly clock: Clock;
  readonly images: ImagePort;
  readonly events: ExternalEventRepository;
  readonly quotas: Quotas;
}

/** Under this name a request tells the operation that it started whether glance has taken the image; its tag is the image's id. */
export const IMAGE_CREATED = 'image-created';
export const IMAGE_REFUSED = 'refused';

/** Properties of an image that its snapshots do not take over. upstream: CONF.non_inheritable_image_properties */
const NOT_INHERITED: ReadonlySet<string> = new Set([
  'cache_in_nova',
  'bittorrent',
  'img_signature_hash_method',
  'img_signature',
  'img_signature_key_type',
  'img_signature_certificate_uuid',
]);

/** Members of an image that are not the user's to set by metadata. */
const NOT_PROPERTIES: ReadonlySet<string> = new Set([
  'checksum',
  'created_at',
  'direct_url',
  'file',
  'id',
  'locations',
  'min_ram',
  'os_hash_algo',
  'os_hash_value',
  'os_hidden',
  'owner',
  'protected',
  'schema',
  'self',
  'size',
  'status',
  'stores',
  'tags',
  'updated_at',
  'virtual_size',
]);

/** An image as the user asks for it. */
export interface WantedImage {
  readonly name: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** Whether the quota of metadata items counts for it: below 2.39. */
  readonly limited: boolean;
}

interface Begun {
  readonly kind: string;
  readonly action: string;
}

/** Images made of servers' disks. upstream: nova/compute/api.py snapshot */
export class ServerImages {
  constructor(private readonly deps: ServerImagesDeps) {}

  /**
   * Starts the snapshot, then creates the image in the caller's name, so that he hears at once what glance refuses and
   * finds the image when he has the answer: its id. The operation goes on from there, and creates the image itself when
   * this process dies before.
   */
  async create(ctx: RequestContext, id: string, wanted: WantedImage): Promise<string> {
    return this.begin(ctx, id, wanted, {
      action: 'createImage',
      saga: NovaSagas.createImage,
      task_state: 'image_snapshot_pending',
      properties: {},
      prepare: (before) => ({
        params: {},
        ...(before.image === null ? { saga: NovaSagas.createVolumeImage } : {}),
      }),
    });
  }

  /** The same as one of the server's backups of a type, of which the newest `rotation` are kept. Not of volume-backed servers. */
  async backup(
    ctx: RequestContext,
    id: string,
    wanted: WantedImage,
    { backup_type, rotation }: { readonly backup_type: string; readonly rotation: number },
  ): Promise<string> {
    return this.begin(ctx, id, wanted, {
      action: 'createBackup',
      saga: NovaSagas.createBackup,
      task_state: 'image_backup',
      properties: { image_type: 'backup', backup_type },
      prepare: (before) => {
        if (before.image === null)
          throw NovaError.BadRequest({ reason: 'Backup is not supported for volume-backed instances.' });
        return { params: { backup_type, rotation } };
      },
    });
  }

  private async begin(
    ctx: RequestContext,
    id: string,
    { name, metadata, limited }: WantedImage,
    about: {
      readonly action: string;
      readonly saga: Begun;
      readonly task_state: TaskState;
      readonly properties: Readonly<Record<string, string>>;
      readonly prepare: (before: Instance) => {
        readonly params: Readonly<Record<string, unknown>>;
        readonly saga?: Begun;
      };
    },
  ): Promise<string> {
    const { deps } = this;
    const imageId = newUuid();
    let image: Readonly<Record<string, unknown>> & { readonly id: string } = { id: imageId };
    const instance = await deps.tx.run(about.saga.kind, async (tx) => {
      const allowed = limited ? ((await deps.quotas.allowed(ctx, tx))['metadata_items'] ?? -1) : -1;
      if (allowed >= 0 && Object.keys(metadata).length > allowed) throw NovaError.MetadataLimitExceeded({ allowed });
      return begin(ctx, tx, deps, id, {
        // A lock is there against changes of the server, and this is none.
        gate: { action: about.action, vm_states: ['active', 'stopped', 'paused', 'suspended'], respectLock: false },
        saga: about.saga,
        prepare: async (before) => {
          const { params, saga } = about.prepare(before);
          image = { ...imageOf(ctx, before, name, { ...metadata, ...about.properties }), id: imageId };
          return Promise.resolve({
            patch: { task_state: about.task_state },
            params: { image_id: imageId, image, ...params },
            ...(saga === undefined ? {} : { saga }),
          });
        },
      });
    });
    const tell = (status: string): Promise<void> =>
      deps.tx.run('server.create_image.created', async (tx) => {
        await deps.operations.signal(ctx, tx, instance.uuid);
        const event = { name: IMAGE_CREATED, tag: imageId, status, at: deps.clock.now() };
        await deps.events.record(tx, instance.uuid, event);
      });
    try {
      await deps.images.ensure(ctx, image, 'user');
    } catch (error) {
      await tell(IMAGE_REFUSED);
      throw error;
    }
    await tell('created');
    return imageId;
  }
}

/** The image as glance is told of it: properties of the server's own image, what is known of the server, the user's. */
export function imageOf(
  ctx: RequestContext,
  { uuid, project_id, image, flavor }: Instance,
  name: string,
  metadata: Readonly<Record<string, string>>,
): Readonly<Record<string, unknown>> {
  const inherited = Object.entries(image?.properties ?? {}).flatMap(([key, value]) =>
    NOT_INHERITED.has(key) || typeof value !== 'string' ? [] : [[key, value]],
  );
  return {
    ...Object.fromEntries(inherited),
    boot_roles: (ctx.actor?.roles ?? []).join(','),
    owner_user_name: ctx.actor?.userName ?? '',
    owner_project_name: ctx.actor?.projectName ?? '',
    // The user may say otherwise. upstream: nova/compute/api.py _create_image
    image_type: 'snapshot',
    ...Object.fromEntries(Object.entries(metadata).filter(([key]) => !NOT_PROPERTIES.has(key))),
    name,
    visibility: 'private',
    // That of volumes is empty: they are named in a property.
    disk_format: image === null ? 'raw' : 'qcow2',
    container_format: 'bare',
    min_disk: image === null ? 0 : Math.max(flavor.root_gb, image.min_disk),
    min_ram: image?.min_ram ?? 0,
    image_location: 'snapshot',
    image_state: 'available',
    instance_uuid: uuid,
    user_id: ctx.actor?.userId ?? '',
    owner_id: project_id,
    base_image_ref: image?.id ?? '',
  };
}
