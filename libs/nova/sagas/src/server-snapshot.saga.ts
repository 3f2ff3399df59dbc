import type { Tx } from '@nestack/kernel/context';
import { defineSaga } from '@nestack/kernel/saga';
import { NovaError, NovaSagas, type TaskState } from '@nestack/nova/contract';
import { IMAGE_CREATED, IMAGE_REFUSED, type Instance } from '@nestack/nova/domain';
import { isHostDown, isRefusal, load, onHost, reachable, type SagaDeps } from './deps';
import { endTask, faultOf } from './server-power.sagas';

/** How long a snapshot waits for the request that started it to create the image. */
const CREATION_MS = 20_000;

/**
 * `server.create_image`: the image in glance (made by the request itself, in its caller's name), a copy of the disk on the
 * host, its upload. Undone, there is neither image nor copy and the server is as it was.
 */
export function createImageSaga(deps: SagaDeps) {
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

  async function setTask(tx: Tx, uuid: string, task: TaskState): Promise<void> {
    const instance = await deps.instances.find(tx, uuid, { lock: true });
    if (instance !== null && instance.task_state !== 'deleting')
      await deps.instances.update(tx, uuid, { task_state: task });
  }

  async function end(tx: Tx, uuid: string, imageId: string, patch: Parameters<typeof deps.instances.update>[2]) {
    const instance = await deps.instances.find(tx, uuid, { lock: true });
    await deps.events.forget(tx, uuid, IMAGE_CREATED, imageId);
    if (instance !== null) await deps.instances.update(tx, uuid, { ...endTask(instance), ...patch });
  }

  return defineSaga({
    kind: NovaSagas.createImage.kind,
    version: 1,
    params: NovaSagas.createImage.params,
    steps: [
      {
        type: 'effect',
        name: 'hold',
        do: () => Promise.resolve(null),
        undo: (ctx, run) => deps.images.remove(ctx, run.params.image_id),
      },
      {
        type: 'wait',
        name: 'created',
        timeoutMs: CREATION_MS,
        onTimeout: 'continue',
        check: async (_ctx, tx, run) => {
          const told = (await deps.events.of(tx, run.params.instance_uuid, IMAGE_CREATED)).get(run.params.image_id);
          if (told === IMAGE_REFUSED) throw NovaError.Conflict({ reason: 'The image could not be created.' });
          return told === undefined ? undefined : { created: true };
        },
      },
      {
        type: 'effect',
        name: 'create',
        when: (run) => (run.maybe<{ created: boolean } | null>('created') ?? null) === null,
        do: async (ctx, run) => {
          const { instance } = await load(deps, run.params.instance_uuid);
          const image = { ...run.params.image, id: run.params.image_id, owner: instance.project_id };
          await deps.images.ensure(ctx, image, 'service');
        },
      },
      {
        type: 'tx',
        name: 'copying',
        do: (_ctx, tx, run) => setTask(tx, run.params.instance_uuid, 'image_pending_upload'),
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
        do: (_ctx, tx, run) => setTask(tx, run.params.instance_uuid, 'image_uploading'),
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
      {
        type: 'tx',
        name: 'states',
        do: (_ctx, tx, run) => end(tx, run.params.instance_uuid, run.params.image_id, {}),
      },
    ],
    onUnwound: (_ctx, tx, run) => end(tx, run.params.instance_uuid, run.params.image_id, { fault: faultOf(deps, run) }),
  });
}
