import type { Clock } from '@nestack/kernel/clock';
import type { RequestContext, TransactionRunner } from '@nestack/kernel/context';
import { NovaError, NovaSagas, POWER_STATE, type InstanceSpec, type VmState } from '@nestack/nova/contract';
import type { Instance, InstancePatch } from '../instance';
import type {
  BlockDeviceRepository,
  InstanceListItem,
  InstanceName,
  InstanceQuery,
  InstanceRepository,
  OperationHistory,
  Operations,
} from '../ports';
import { assertUnlocked, callerOf, checkStates, enter, visible, type Gate } from './gate';
import { toInstanceSpec } from './instance-spec';

export interface ServersDeps {
  readonly tx: TransactionRunner;
  readonly clock: Clock;
  readonly instances: InstanceRepository;
  readonly devices: BlockDeviceRepository;
  readonly operations: Operations;
}

type Fields = Pick<
  InstancePatch,
  'display_name' | 'display_description' | 'access_ip_v4' | 'access_ip_v6' | 'disk_config' | 'hostname'
>;

/** States in which metadata and tags change. upstream: nova/compute/api.py update_instance_metadata, server_tags.py */
const LABEL_STATES: readonly VmState[] = ['active', 'paused', 'suspended', 'stopped'];

/** Throws InstanceInvalidState unless the labels of the instance may change; `action` is the message's word. */
function assertLabels(instance: Instance, action: string): void {
  checkStates(instance, { action, vm_states: LABEL_STATES, task_states: 'any' });
}

/** What a server's row says once it is deleted. */
export function deletedAt(now: Date) {
  const states = { vm_state: 'deleted', task_state: null, power_state: POWER_STATE.nostate } as const;
  return { ...states, terminated_at: now, deleted_at: now };
}

/** Servers after their creation: reading, changing, and starting their long operations. */
export class Servers {
  constructor(private readonly deps: ServersDeps) {}

  list(query: InstanceQuery): Promise<readonly InstanceListItem[]> {
    return this.deps.tx.read('server.list', (tx) => this.deps.instances.list(tx, query));
  }

  listNames(query: InstanceQuery): Promise<readonly InstanceName[]> {
    return this.deps.tx.read('server.list', (tx) => this.deps.instances.listNames(tx, query));
  }

  /** Throws InstanceNotFound for what does not exist or belongs to another project. */
  show(ctx: RequestContext, id: string): Promise<InstanceListItem> {
    return this.deps.tx.read('server.show', async (tx) => {
      const item = await this.deps.instances.findItem(tx, id);
      visible(ctx, item?.instance ?? null, id);
      if (item === null) throw NovaError.InstanceNotFound({ instance_id: id });
      return item;
    });
  }

  /** The instance alone. */
  get(ctx: RequestContext, id: string): Promise<Instance> {
    return this.deps.tx.read('server.get', async (tx) => visible(ctx, await this.deps.instances.find(tx, id), id));
  }

  /** What its host is told, for the metadata service; deleted ones do not answer. */
  spec(id: string): Promise<InstanceSpec | null> {
    return this.deps.tx.read('server.spec', async (tx) => {
      const instance = await this.deps.instances.find(tx, id);
      return instance === null ? null : toInstanceSpec(instance, await this.deps.devices.ofInstance(tx, id));
    });
  }

  update(ctx: RequestContext, id: string, fields: Fields): Promise<InstanceListItem> {
    return this.deps.tx.run('server.update', async (tx) => {
      visible(ctx, await this.deps.instances.find(tx, id, { lock: true }), id);
      await this.deps.instances.update(tx, id, fields);
      const item = await this.deps.instances.findItem(tx, id);
      if (item === null) throw NovaError.InstanceNotFound({ instance_id: id });
      return item;
    });
  }

  /**
   * Deletes in any state; a create under way is asked to unwind first, and asking twice is no error. What failed before it was on
   * a host is gone when this answers, only its leftovers go later: Terraform gives up on a server that is in ERROR while it
   * waits for its end. upstream: nova/compute/api.py _delete, _local_delete
   */
  delete(ctx: RequestContext, id: string): Promise<void> {
    return this.deps.tx.run('server.delete', async (tx) => {
      await this.deps.operations.lock(tx, id);
      const instance = visible(ctx, await this.deps.instances.find(tx, id, { lock: true }), id);
      assertUnlocked(ctx, instance);
      const busy = await this.deps.operations.busy(tx, instance.uuid);
      if (busy && instance.task_state === 'deleting') return;
      const nowhere = !busy && instance.vm_state === 'error' && instance.host === null;
      await this.deps.instances.update(
        tx,
        instance.uuid,
        nowhere && instance.request.shelved === undefined
          ? deletedAt(this.deps.clock.now())
          : { task_state: 'deleting', progress: 0 },
      );
      await this.deps.operations.start(ctx, tx, NovaSagas.serverDelete.kind, {
        params: { instance_uuid: instance.uuid },
        resourceId: instance.uuid,
        mode: 'preempt',
        action: NovaSagas.serverDelete.action,
      });
    });
  }

  start(ctx: RequestContext, id: string): Promise<void> {
    return this.begin(
      ctx,
      id,
      { action: 'start', vm_states: ['stopped'] },
      { task_state: 'powering-on' },
      NovaSagas.serverStart,
    );
  }

  stop(ctx: RequestContext, id: string): Promise<void> {
    return this.begin(
      ctx,
      id,
      { action: 'stop', vm_states: ['active', 'error'] },
      { task_state: 'powering-off', progress: 0 },
      NovaSagas.serverStop,
    );
  }

  pause(ctx: RequestContext, id: string): Promise<void> {
    return this.begin(
      ctx,
      id,
      { action: 'pause', vm_states: ['active'] },
      { task_state: 'pausing' },
      NovaSagas.serverPause,
    );
  }

  unpause(ctx: RequestContext, id: string): Promise<void> {
    return this.begin(
      ctx,
      id,
      { action: 'unpause', vm_states: ['paused'] },
      { task_state: 'unpausing' },
      NovaSagas.serverUnpause,
    );
  }

  triggerCrashDump(ctx: RequestContext, id: string): Promise<void> {
    const vm_states = ['active', 'paused', 'rescued', 'resized', 'error'] as const;
    return this.begin(ctx, id, { action: 'trigger_crash_dump', vm_states }, {}, NovaSagas.crashDump);
  }

  suspend(ctx: RequestContext, id: string): Promise<void> {
    return this.begin(
      ctx,
      id,
      { action: 'suspend', vm_states: ['active'] },
      { task_state: 'suspending' },
      NovaSagas.serverSuspend,
    );
  }

  resume(ctx: RequestContext, id: string): Promise<void> {
    return this.begin(
      ctx,
      id,
      { action: 'resume', vm_states: ['suspended'] },
      { task_state: 'resuming' },
      NovaSagas.serverResume,
    );
  }

  /** Guests have no agent that could set it. upstream: nova/virt/libvirt/driver.py, _can_set_admin_password */
  async changePassword(ctx: RequestContext, id: string): Promise<void> {
    const instance = await this.get(ctx, id);
    assertUnlocked(ctx, instance);
    checkStates(instance, { action: 'changePassword', vm_states: ['active'] });
    throw NovaError.GuestAgentNotEnabled();
  }

  /** Accepted and without effect, as with upstream's libvirt driver. Throws InstanceIsLocked. */
  async injectNetworkInfo(ctx: RequestContext, id: string): Promise<void> {
    assertUnlocked(ctx, await this.get(ctx, id));
  }

  /** Nothing waits for its deletion here, so there is nothing to restore. */
  async restore(ctx: RequestContext, id: string): Promise<void> {
    const instance = await this.get(ctx, id);
    checkStates(instance, { action: 'restore', vm_states: ['soft-delete'] });
  }

  /** upstream: nova/compute/api.py reboot: soft only for a running guest. */
  reboot(ctx: RequestContext, id: string, type: 'SOFT' | 'HARD'): Promise<void> {
    const gate: Gate =
      type === 'SOFT'
        ? { action: 'reboot', vm_states: ['active'] }
        : {
            action: 'reboot',
            vm_states: ['active', 'stopped', 'paused', 'suspended', 'error'],
            task_states: [
              null,
              'rebooting',
              'reboot_pending',
              'reboot_started',
              'rebooting_hard',
              'resuming',
              'unpausing',
              'suspending',
            ],
          };
    return this.begin(
      ctx,
      id,
      gate,
      { task_state: type === 'SOFT' ? 'rebooting' : 'rebooting_hard' },
      NovaSagas.serverReboot,
      { type },
      type === 'HARD' ? 'queue' : 'reject',
    );
  }

  lock(ctx: RequestContext, id: string, reason: string | null): Promise<void> {
    return this.change(ctx, id, (instance) => ({
      locked_by: callerOf(ctx).isAdmin && instance.project_id !== callerOf(ctx).projectId ? 'admin' : 'owner',
      locked_reason: reason,
    }));
  }

  /** Only an administrator removes an administrator's lock. */
  unlock(ctx: RequestContext, id: string): Promise<void> {
    return this.change(ctx, id, (instance) => {
      if (instance.locked_by === 'admin' && !callerOf(ctx).isAdmin) {
        throw NovaError.PolicyForbidden({ rule: 'os_compute_api:os-lock-server:unlock:unlock_override' });
      }
      return { locked_by: null, locked_reason: null };
    });
  }

  resetState(ctx: RequestContext, id: string, state: 'active' | 'error'): Promise<void> {
    return this.change(ctx, id, ({ request: { rescue: _, ...request } }) => ({
      vm_state: state,
      task_state: null,
      request,
    }));
  }

  /** Changes metadata within the quota of items; `replace` drops what is not given. */
  setMetadata(
    ctx: RequestContext,
    id: string,
    metadata: Readonly<Record<string, string>>,
    replace: boolean,
    limit: number,
  ): Promise<Instance> {
    return this.deps.tx.run('server.metadata', async (tx) => {
      const instance = visible(ctx, await this.deps.instances.find(tx, id, { lock: true }), id);
      assertUnlocked(ctx, instance);
      assertLabels(instance, 'update metadata');
      const next = replace ? { ...metadata } : { ...instance.metadata, ...metadata };
      if (limit >= 0 && Object.keys(next).length > limit) throw NovaError.MetadataLimitExceeded({ allowed: limit });
      return this.changed(await this.deps.instances.update(tx, id, { metadata: next }), id);
    });
  }

  deleteMetadataItem(ctx: RequestContext, id: string, key: string): Promise<void> {
    return this.change(ctx, id, (instance) => {
      if (!Object.hasOwn(instance.metadata, key)) throw NovaError.MetadataItemNotFound();
      assertUnlocked(ctx, instance);
      assertLabels(instance, 'delete metadata');
      return { metadata: Object.fromEntries(Object.entries(instance.metadata).filter(([name]) => name !== key)) };
    });
  }

  /** Changes tags; a lock does not keep them. `action` is the word of the message for states in which they stay. */
  setTags(
    ctx: RequestContext,
    id: string,
    action: string,
    edit: (tags: readonly string[]) => readonly string[],
  ): Promise<void> {
    return this.change(ctx, id, (instance) => {
      assertLabels(instance, action);
      const tags = [...new Set(edit(instance.tags))];
      if (tags.length > 50)
        throw NovaError.BadRequest({ reason: `The number of tags exceeded the per-server limit 50` });
      return { tags };
    });
  }

  /** Shows a security group that its ports have got or lost. */
  nameSecurityGroup(ctx: RequestContext, id: string, name: string, change: 'add' | 'remove'): Promise<void> {
    return this.change(ctx, id, ({ request }) => {
      const others = request.security_group_names.filter((one) => one !== name);
      return { request: { ...request, security_group_names: change === 'add' ? [...others, name] : others } };
    });
  }

  /** Long operations of a server, newest first; those of a deleted one only with `deleted`. */
  history(
    ctx: RequestContext,
    id: string,
    options: { readonly deleted: boolean },
  ): Promise<{ readonly instance: Instance; readonly actions: readonly OperationHistory[] }> {
    return this.deps.tx.read('server.history', async (tx) => ({
      instance: visible(ctx, await this.deps.instances.find(tx, id, options), id),
      actions: (await this.deps.operations.history(tx, id, 1000)).filter((run) => run.action !== null),
    }));
  }

  /** The instance for a question to its host; throws when it has none yet. */
  async onHost(ctx: RequestContext, id: string): Promise<{ readonly instance: Instance; readonly host: string }> {
    const instance = await this.get(ctx, id);
    if (instance.host === null) throw NovaError.InstanceNotReady();
    return { instance, host: instance.host };
  }

  private begin(
    ctx: RequestContext,
    id: string,
    gate: Gate,
    patch: InstancePatch,
    saga: { readonly kind: string; readonly action: string },
    params: Readonly<Record<string, unknown>> = {},
    mode: 'reject' | 'queue' = 'queue',
  ): Promise<void> {
    return this.deps.tx.run(saga.kind, async (tx) => {
      await this.deps.operations.lock(tx, id);
      const instance = await enter(ctx, tx, this.deps.instances, id, gate, patch);
      if (instance.host === null) throw NovaError.InstanceNotReady();
      await this.deps.operations.start(ctx, tx, saga.kind, {
        params: { instance_uuid: instance.uuid, ...params },
        resourceId: instance.uuid,
        mode,
        action: saga.action,
      });
    });
  }

  private change(ctx: RequestContext, id: string, edit: (instance: Instance) => InstancePatch): Promise<void> {
    return this.deps.tx.run('server.change', async (tx) => {
      const instance = visible(ctx, await this.deps.instances.find(tx, id, { lock: true }), id);
      await this.deps.instances.update(tx, instance.uuid, edit(instance));
    });
  }

  private changed(instance: Instance | null, id: string): Instance {
    if (instance === null) throw NovaError.InstanceNotFound({ instance_id: id });
    return instance;
  }
}

/** Whether a guest of these states shall run when nothing is under way. */
export function shouldRun(instance: Pick<Instance, 'vm_state' | 'power_state'>): boolean {
  return (
    instance.vm_state === 'active' ||
    instance.vm_state === 'rescued' ||
    ((instance.vm_state === 'error' || instance.vm_state === 'resized') && instance.power_state === POWER_STATE.running)
  );
}
