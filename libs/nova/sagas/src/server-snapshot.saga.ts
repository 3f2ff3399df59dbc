import { defineSaga, type SagaStep } from '@nestack/kernel/saga';
import { NovaSagas } from '@nestack/nova/contract';
import type { Instance } from '@nestack/nova/domain';
import { isHostDown, isRefusal, load, onHost, reachable, type SagaDeps } from './deps';
import { unlessRefused } from './attachment.sagas';
import { endImage, imageSteps, setTask, type ImageParams } from './server-image.steps';
import { faultOf } from './server-power.sagas';

/**
 * The image in glance (made by the request itself, in its caller's name), a copy of the disk on the host, its upload. Undone,
 * there is neither image nor copy.
 */
function copySteps(deps: SagaDeps): readonly SagaStep<ImageParams>[] {
  type Run = { readonly params: { readonly instance_uuid: string; readonly image_id: string }; messageId: string };
  const running = (instance: Instance): boolean => instance.vm_state === 'active';

  async function removeCopy(ctx: Parameters<typeof deps.compute.remove_snapshot>[0], run: Run): Promise<void> {
    const { instance } = await load(deps, run.params.instance_uuid);
    const { host } = instance;
    if (host === null || !(await reachable(deps, host))) return;
    const { instance_uuid, image_id } = run.params;
    const command = { instance_uuid, image_id, running: running(instance) };
    try {
      const to = { host, messageId: `${run.messageId}:remove` };
      await onHost(deps, host, deps.compute.remove_snapshot(ctx, command, to));
    } catch (error) {
      // A copy that stays goes with its guest.
      if (!isRefusal(error) && !isHostDown(error)) throw error;
    }
  }

  return [
    ...imageSteps(deps),
    {
      type: 'tx',
      name: 'copying',
      do: (_ctx, tx, run) => setTask(deps, tx, run.params.instance_uuid, 'image_pending_upload'),
    },
    {
      type: 'effect',
      name: 'snapshot',
      do: async (ctx, run) => {
        const { instance } = await load(deps, run.params.instance_uuid);
        const host = instance.host ?? '';
        const { instance_uuid, image_id } = run.params;
        const command = { instance_uuid, image_id, running: running(instance) };
        await onHost(deps, host, deps.compute.snapshot_instance(ctx, command, { host, messageId: run.messageId }));
      },
      undo: removeCopy,
    },
    {
      type: 'tx',
      name: 'uploading',
      do: (_ctx, tx, run) => setTask(deps, tx, run.params.instance_uuid, 'image_uploading'),
    },
    {
      type: 'effect',
      name: 'upload',
      pivot: true,
      retryForMs: 600_000,
      do: async (ctx, run) => {
        const { instance } = await load(deps, run.params.instance_uuid);
        const host = instance.host ?? '';
        const { instance_uuid, image_id } = run.params;
        const to = { host, messageId: run.messageId };
        await onHost(deps, host, deps.compute.upload_snapshot(ctx, { instance_uuid, image_id }, to));
      },
    },
    { type: 'effect', name: 'remove_copy', do: removeCopy },
  ];
}

/** `server.create_image`: undone, there is neither image nor copy and the server is as it was. */
export function createImageSaga(deps: SagaDeps) {
  return defineSaga({
    kind: NovaSagas.createImage.kind,
    version: 1,
    params: NovaSagas.createImage.params,
    steps: [
      ...copySteps(deps),
      {
        type: 'tx',
        name: 'states',
        do: (_ctx, tx, run) => endImage(deps, tx, run.params, {}),
      },
    ],
    onUnwound: (_ctx, tx, run) => endImage(deps, tx, run.params, { fault: faultOf(deps, run) }),
  });
}

/**
 * `server.create_backup`: an image, and the oldest backups of its type beyond those that are to be kept go; what glance does
 * not delete, since it is protected, stays. upstream: nova/compute/manager.py _rotate_backups
 */
export function createBackupSaga(deps: SagaDeps) {
  return defineSaga({
    kind: NovaSagas.createBackup.kind,
    version: 1,
    params: NovaSagas.createBackup.params,
    steps: [
      ...copySteps(deps),
      {
        type: 'effect',
        name: 'rotate',
        do: async (ctx, run) => {
          const { instance } = await load(deps, run.params.instance_uuid);
          const { instance_uuid, backup_type, rotation } = run.params;
          const about = { instance_uuid, backup_type, project_id: instance.project_id };
          const backups = await deps.images.backups(ctx, about);
          for (const id of backups.slice(rotation).reverse()) await unlessRefused(deps.images.remove(ctx, id));
        },
      },
      {
        type: 'tx',
        name: 'states',
        do: (_ctx, tx, run) => endImage(deps, tx, run.params, {}),
      },
    ],
    onUnwound: (_ctx, tx, run) => endImage(deps, tx, run.params, { fault: faultOf(deps, run) }),
  });
}
