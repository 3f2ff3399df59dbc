import type { RequestContext } from '@nestack/kernel/context';
import { defineSaga } from '@nestack/kernel/saga';
import { CinderError, type VolumeStatus } from '@nestack/cinder/contract';
import Type from 'typebox';
import { findVolume, hostOf, moveStatus, tellOwner, type SagaDeps } from './deps';

/** How long an upload waits for the image; the request that makes it gives up before. */
const IMAGE_REQUEST_MS = 20_000;

/** `volume.extend`: grows the data, then the row; a server that has it is told. */
export function extendVolumeSaga(deps: SagaDeps) {
  return defineSaga({
    kind: 'volume.extend',
    version: 1,
    params: Type.Object({
      volume_id: Type.String(),
      old_size: Type.Integer(),
      new_size: Type.Integer(),
      status: Type.String(),
    }),
    steps: [
      {
        type: 'effect',
        name: 'extend',
        do: async (ctx, run) =>
          deps.volume.extend_volume(
            ctx,
            { volume_id: run.params.volume_id, new_size: run.params.new_size },
            { host: await hostOf(deps, run.params.volume_id), messageId: run.messageId },
          ),
      },
      {
        type: 'tx',
        name: 'extended',
        pivot: true,
        do: async (_ctx, tx, run) => {
          const { volume_id: id, new_size, old_size, status } = run.params;
          const volume = await moveStatus(deps, tx, id, ['extending'], status as VolumeStatus);
          if (volume === null) return;
          await deps.volumes.update(tx, id, { size: new_size });
          if (volume.host !== null) await deps.volumes.provision(tx, volume.host, new_size - old_size);
        },
      },
      {
        type: 'effect',
        name: 'tell_server',
        when: (run) => run.params.status === 'in-use',
        do: async (ctx, run) => {
          const volume = await deps.tx.read('saga.volume', (tx) => deps.volumes.find(tx, run.params.volume_id, null));
          for (const attachment of volume?.attachments ?? []) {
            if (attachment.instance_uuid !== null)
              await deps.servers.volumeExtended(ctx, attachment.instance_uuid, run.params.volume_id);
          }
        },
      },
    ],
    onUnwound: async (ctx, tx, run) => {
      const { volume_id: id, new_size, old_size } = run.params;
      const volume = await moveStatus(deps, tx, id, ['extending'], 'error_extending');
      await tellOwner(ctx, deps, tx, run, volume);
      if (volume === null) return;
      const more = new_size - old_size;
      await deps.quotas.release(tx, volume.project_id, {
        gigabytes: more,
        [`gigabytes_${volume.volume_type}`]: more,
      });
    },
  });
}

/**
 * `volume.upload_image`: waits for the image that the request makes, and writes the content into it. A failure takes the image
 * away again, and so does a request that never tells of it.
 */
export function uploadImageSaga(deps: SagaDeps) {
  return defineSaga({
    kind: 'volume.upload_image',
    version: 2,
    continues: [1],
    params: Type.Object({
      volume_id: Type.String(),
      image_id: Type.String(),
      disk_format: Type.String(),
      status: Type.String(),
      /** Version 1 began with the image made. */
      requested: Type.Optional(Type.Boolean()),
    }),
    steps: [
      {
        type: 'effect',
        name: 'hold',
        when: (run) => run.params.requested === true,
        do: () => Promise.resolve(null),
        undo: (ctx, run) => deps.images.remove(ctx, run.params.image_id),
      },
      {
        type: 'wait',
        name: 'created',
        when: (run) => run.params.requested === true,
        timeoutMs: IMAGE_REQUEST_MS,
        check: async (_ctx, tx, run) => {
          const state = await deps.imageRequests.state(tx, run.params.image_id);
          if (state === 'refused') throw CinderError.ImageCopyFailure({ reason: 'the image could not be made' });
          return state === 'created' ? { state } : undefined;
        },
      },
      {
        type: 'effect',
        name: 'upload',
        do: async (ctx, run) => {
          const { volume_id, image_id, disk_format } = run.params;
          await deps.volume.copy_volume_to_image(
            ctx,
            { volume_id, image_id, disk_format },
            { host: await hostOf(deps, volume_id), messageId: run.messageId },
          );
        },
        undo: (ctx, run) => deps.images.remove(ctx, run.params.image_id),
      },
      {
        type: 'tx',
        name: 'uploaded',
        do: async (_ctx, tx, run) => {
          await deps.imageRequests.end(tx, run.params.image_id);
          await moveStatus(deps, tx, run.params.volume_id, ['uploading'], run.params.status as VolumeStatus);
        },
      },
    ],
    onUnwound: async (ctx, tx, run) => {
      const { volume_id: id, status } = run.params;
      await deps.imageRequests.end(tx, run.params.image_id);
      await tellOwner(ctx, deps, tx, run, await moveStatus(deps, tx, id, ['uploading'], status as VolumeStatus));
    },
  });
}

/**
 * `volume.reimage`: the content is replaced by an image's; a server that the volume is kept for hears how it went. A failure
 * leaves the volume in `error`, with the content that it had.
 */
export function reimageVolumeSaga(deps: SagaDeps) {
  interface Params {
    readonly volume_id: string;
    readonly status: string;
  }
  const tell = async (ctx: RequestContext, params: Params, how: 'completed' | 'failed'): Promise<void> => {
    if (params.status !== 'reserved') return;
    const volume = await findVolume(deps, params.volume_id);
    for (const { instance_uuid: server } of volume?.attachments ?? [])
      if (server !== null) await deps.servers.volumeReimaged(ctx, server, params.volume_id, how);
  };
  return defineSaga({
    kind: 'volume.reimage',
    version: 1,
    params: Type.Object({ volume_id: Type.String(), image_id: Type.String(), status: Type.String() }),
    steps: [
      {
        type: 'effect',
        name: 'reimage',
        do: async (ctx, run) => {
          const { volume_id, image_id } = run.params;
          const host = await hostOf(deps, volume_id);
          return deps.volume.reimage(ctx, { volume_id, image_id }, { host, messageId: run.messageId });
        },
        undo: (ctx, run) => tell(ctx, run.params, 'failed'),
      },
      {
        type: 'tx',
        name: 'reimaged',
        pivot: true,
        do: async (_ctx, tx, run) => {
          const { volume_id: id, status } = run.params;
          const { image_metadata } = run.out<{ image_metadata: Record<string, string> }>('reimage');
          await deps.volumes.transition(tx, id, ['downloading'], {
            status: status === 'error' ? 'available' : (status as VolumeStatus),
            bootable: true,
            image_metadata,
          });
        },
      },
      { type: 'effect', name: 'tell_server', do: (ctx, run) => tell(ctx, run.params, 'completed') },
    ],
    onUnwound: async (ctx, tx, run) =>
      tellOwner(ctx, deps, tx, run, await moveStatus(deps, tx, run.params.volume_id, ['downloading'], 'error')),
  });
}
