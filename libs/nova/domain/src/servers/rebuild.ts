import type { Clock } from '@nestack/kernel/clock';
import type { RequestContext, TransactionRunner, Tx } from '@nestack/kernel/context';
import { NovaError, NovaSagas, isTrue, type RebuildFields } from '@nestack/nova/contract';
import type { Instance, InstancePatch } from '../instance';
import type { ImagePort, InstanceListItem, KeyPairRepository } from '../ports';
import type { Quotas } from '../quotas/quotas';
import { begin, type BeginDeps } from './begin';
import { assertBase64, resolveImage } from './boot-request';
import { visible } from './gate';

export interface RebuildDeps extends BeginDeps {
  readonly tx: TransactionRunner;
  readonly clock: Clock;
  readonly images: ImagePort;
  readonly keyPairs: KeyPairRepository;
  readonly quotas: Quotas;
}

/** Servers whose disks are made anew, with their addresses and volumes kept. upstream: nova/compute/api.py rebuild */
export class Rebuild {
  constructor(private readonly deps: RebuildDeps) {}

  /** Answers the server as it will be. What is not given stays, but for a description before 2.19, which is the name. */
  async rebuild(ctx: RequestContext, id: string, fields: RebuildFields): Promise<InstanceListItem> {
    const { deps } = this;
    if (fields.user_data !== undefined && fields.user_data !== null) assertBase64(fields.user_data);
    const now = await deps.tx.read('server.rebuild.get', async (tx) =>
      visible(ctx, await deps.instances.find(tx, id), id),
    );
    const imageId = fields.imageRef.replace(/^.*\//, '');
    const image = now.image === null ? null : await resolveImage(ctx, deps.images, imageId, now.flavor, true);
    return deps.tx.run('server.rebuild', async (tx) => {
      await this.assertMetadata(tx, ctx, fields);
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
          // The root of such a server is its volume, which was made from no image that nova knows of.
          if (before.image === null && imageId !== '')
            throw NovaError.BadRequest({
              reason: 'Unable to rebuild with a different image for a volume-backed server.',
            });
          return Promise.resolve({
            patch: { ...patchOf(before, fields), ...key, ...(image === null ? {} : { image }) },
            params: {
              stopped: before.vm_state === 'stopped',
              preserve_ephemeral: isTrue(fields.preserve_ephemeral ?? false),
            },
          });
        },
      });
      const item = await deps.instances.findItem(tx, instance.uuid);
      if (item === null) throw NovaError.InstanceNotFound({ instance_id: id });
      return item;
    });
  }

  private async assertMetadata(tx: Tx, ctx: RequestContext, { metadata }: RebuildFields): Promise<void> {
    if (metadata === undefined) return;
    const allowed = (await this.deps.quotas.limits(tx, ctx.actor?.projectId ?? ''))['metadata_items'] ?? -1;
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

function patchOf(before: Instance, fields: RebuildFields): InstancePatch {
  const disk = fields['OS-DCF:diskConfig'];
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
    ...(fields.personality === undefined
      ? {}
      : { request: { ...before.request, personality: fields.personality.map((file) => ({ ...file })) } }),
  };
}
