import type { RequestContext, Tx } from '@nestack/kernel/context';
import { NovaError } from '@nestack/nova/contract';
import type { Instance, InstancePatch } from '../instance';
import type { InstanceRepository, Operations } from '../ports';
import { enter, type Gate } from './gate';

export interface BeginDeps {
  readonly instances: InstanceRepository;
  readonly operations: Operations;
}

interface BegunSaga {
  readonly kind: string;
  readonly action: string;
}

/**
 * Passes the gate, sets the states and starts the operation, all in the caller's transaction. Throws InstanceNotFound,
 * InstanceIsLocked, InstanceInvalidState, InstanceNotReady; `prepare` may refuse as well, and adds to the states and to
 * the operation's parameters what depends on the instance.
 */
export async function begin(
  ctx: RequestContext,
  tx: Tx,
  deps: BeginDeps,
  id: string,
  about: {
    readonly gate: Gate;
    readonly saga: BegunSaga;
    readonly prepare: (before: Instance) => Promise<{
      readonly patch: InstancePatch;
      readonly params: Readonly<Record<string, unknown>>;
      /** In place of the other. */
      readonly saga?: BegunSaga;
    }>;
  },
): Promise<Instance> {
  await deps.operations.lock(tx, id);
  const before = await enter(ctx, tx, deps.instances, id, about.gate, {});
  if (before.host === null) throw NovaError.InstanceNotReady();
  const { patch, params, saga = about.saga } = await about.prepare(before);
  const instance = await deps.instances.update(tx, before.uuid, patch);
  if (instance === null) throw NovaError.InstanceNotFound({ instance_id: id });
  await deps.operations.start(ctx, tx, saga.kind, {
    params: { instance_uuid: instance.uuid, ...params },
    resourceId: instance.uuid,
    mode: 'queue',
    action: saga.action,
  });
  return instance;
}
