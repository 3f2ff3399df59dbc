import { type DomainError } from '@nestack/kernel/errors';
import type { RequestContext, Tx } from '@nestack/kernel/context';
import { NovaError, type TaskState, type VmState } from '@nestack/nova/contract';
import type { Instance, InstancePatch } from '../instance';
import type { InstanceRepository } from '../ports';

/** States from which an action may begin. */
export interface Gate {
  /** Word of the error message: `stop`. */
  readonly action: string;
  readonly vm_states?: readonly VmState[];
  /** Default: only when no task is under way. */
  readonly task_states?: readonly (TaskState | null)[] | 'any';
  /** Locked servers refuse, except to those who may override. */
  readonly respectLock?: boolean;
}

/** The caller, as far as gates ask. */
export interface Caller {
  readonly projectId: string | null;
  /** May see and act on other projects' servers. */
  readonly isAdmin: boolean;
}

/** Who calls, from the request's actor. */
export function callerOf(ctx: RequestContext): Caller {
  return { projectId: ctx.actor?.projectId ?? null, isAdmin: ctx.actor?.roles.includes('admin') === true };
}

/** The instance if the caller may know of it; others' instances do not exist for him. */
export function visible(ctx: RequestContext, instance: Instance | null, id: string): Instance {
  const caller = callerOf(ctx);
  if (
    instance === null ||
    !(caller.isAdmin || ctx.actor?.roles.includes('service') === true || instance.project_id === caller.projectId)
  ) {
    throw NovaError.InstanceNotFound({ instance_id: id });
  }
  return instance;
}

/** Throws upstream's conflict when the instance is locked for this caller. */
export function assertUnlocked(ctx: RequestContext, instance: Instance): void {
  if (instance.locked_by !== null && !callerOf(ctx).isAdmin)
    throw NovaError.InstanceIsLocked({ instance_uuid: instance.uuid });
}

/**
 * Passes the gate and sets the states in one statement, so that of two concurrent actions one is refused. Throws
 * InstanceInvalidState with what stands in the way. upstream: nova/compute/api.py check_instance_state
 */
export async function enter(
  ctx: RequestContext,
  tx: Tx,
  instances: InstanceRepository,
  id: string,
  gate: Gate,
  patch: InstancePatch,
): Promise<Instance> {
  const instance = visible(ctx, await instances.find(tx, id, { lock: true }), id);
  if (gate.respectLock !== false) assertUnlocked(ctx, instance);
  checkStates(instance, gate);
  const updated = await instances.update(tx, instance.uuid, patch);
  if (updated === null) throw NovaError.InstanceNotFound({ instance_id: id });
  return updated;
}

/** Throws when the instance's states do not let the action begin. */
export function checkStates(instance: Instance, gate: Gate): void {
  const refuse = (attr: string, state: string): DomainError =>
    NovaError.InstanceInvalidState({ action: gate.action, instance_uuid: instance.uuid, attr, state });
  if (gate.vm_states !== undefined && !gate.vm_states.includes(instance.vm_state))
    throw refuse('vm_state', instance.vm_state);
  const tasks = gate.task_states ?? [null];
  if (tasks !== 'any' && !tasks.includes(instance.task_state))
    throw refuse('task_state', instance.task_state ?? 'None');
}
