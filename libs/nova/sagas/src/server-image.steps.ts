import type { Tx } from '@nestack/kernel/context';
import type { SagaStep } from '@nestack/kernel/saga';
import { NovaError, type TaskState } from '@nestack/nova/contract';
import { IMAGE_CREATED, IMAGE_REFUSED, type InstancePatch } from '@nestack/nova/domain';
import { load, type SagaDeps } from './deps';
import { endTask } from './server-power.sagas';

/** How long a snapshot waits for the request that started it to create the image. */
const CREATION_MS = 20_000;

export interface ImageParams {
  readonly instance_uuid: string;
  readonly image_id: string;
  readonly image: Readonly<Record<string, unknown>>;
}

/** The image, as yet without data: made by the request itself, and by the run where the request could not. Undone, there is none. */
export function imageSteps(deps: SagaDeps): readonly SagaStep<ImageParams>[] {
  return [
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
  ];
}

/** A delete that waits for its turn keeps its task. */
export async function setTask(deps: SagaDeps, tx: Tx, uuid: string, task: TaskState): Promise<void> {
  const instance = await deps.instances.find(tx, uuid, { lock: true });
  if (instance !== null && instance.task_state !== 'deleting')
    await deps.instances.update(tx, uuid, { task_state: task });
}

/** The server is free again. */
export async function endImage(
  deps: SagaDeps,
  tx: Tx,
  { instance_uuid: uuid, image_id: image }: ImageParams,
  patch: InstancePatch,
): Promise<void> {
  const instance = await deps.instances.find(tx, uuid, { lock: true });
  await deps.events.forget(tx, uuid, IMAGE_CREATED, image);
  if (instance !== null) await deps.instances.update(tx, uuid, { ...endTask(instance), ...patch });
}
