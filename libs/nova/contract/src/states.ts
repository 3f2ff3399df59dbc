/**
 * An instance's states. upstream: nova/compute/vm_states.py, task_states.py, power_state.py; the wire's `status` is
 * derived from the first two as in nova/api/openstack/common.py.
 */
export type VmState =
  | 'building'
  | 'active'
  | 'stopped'
  | 'paused'
  | 'suspended'
  | 'rescued'
  | 'resized'
  | 'soft-delete'
  | 'deleted'
  | 'error'
  | 'shelved'
  | 'shelved_offloaded';

export type TaskState =
  | 'scheduling'
  | 'block_device_mapping'
  | 'networking'
  | 'spawning'
  | 'powering-off'
  | 'powering-on'
  | 'rebooting'
  | 'reboot_pending'
  | 'reboot_started'
  | 'rebooting_hard'
  | 'reboot_pending_hard'
  | 'reboot_started_hard'
  | 'pausing'
  | 'unpausing'
  | 'suspending'
  | 'resuming'
  | 'rescuing'
  | 'unrescuing'
  | 'rebuilding'
  | 'rebuild_spawning'
  | 'resize_prep'
  | 'resize_migrating'
  | 'resize_migrated'
  | 'resize_finish'
  | 'resize_reverting'
  | 'shelving'
  | 'shelving_image_pending_upload'
  | 'shelving_image_uploading'
  | 'shelving_offloading'
  | 'unshelving'
  | 'image_backup'
  | 'image_snapshot_pending'
  | 'image_snapshot'
  | 'image_pending_upload'
  | 'image_uploading'
  | 'deleting';

/** Power states as numbers on the wire. */
export const POWER_STATE = {
  nostate: 0,
  running: 1,
  paused: 3,
  shutdown: 4,
  crashed: 6,
  suspended: 7,
} as const;
export type PowerState = (typeof POWER_STATE)[keyof typeof POWER_STATE];

export type ServerStatus =
  | 'ACTIVE'
  | 'BUILD'
  | 'DELETED'
  | 'ERROR'
  | 'HARD_REBOOT'
  | 'PAUSED'
  | 'REBOOT'
  | 'REBUILD'
  | 'RESCUE'
  | 'RESIZE'
  | 'REVERT_RESIZE'
  | 'SHELVED'
  | 'SHELVED_OFFLOADED'
  | 'SHUTOFF'
  | 'SOFT_DELETED'
  | 'SUSPENDED'
  | 'VERIFY_RESIZE'
  | 'UNKNOWN';

const STATUS: Readonly<Record<VmState, ServerStatus>> = {
  building: 'BUILD',
  active: 'ACTIVE',
  stopped: 'SHUTOFF',
  paused: 'PAUSED',
  suspended: 'SUSPENDED',
  rescued: 'RESCUE',
  resized: 'VERIFY_RESIZE',
  'soft-delete': 'SOFT_DELETED',
  deleted: 'DELETED',
  error: 'ERROR',
  shelved: 'SHELVED',
  shelved_offloaded: 'SHELVED_OFFLOADED',
};

const RESIZING: readonly TaskState[] = ['resize_prep', 'resize_migrating', 'resize_migrated', 'resize_finish'];

/** The wire's status of a pair of states. upstream: nova/api/openstack/common.py, the state map. */
export function serverStatus(vmState: VmState, taskState: TaskState | null): ServerStatus {
  if (vmState === 'active' || vmState === 'stopped') {
    if (taskState === 'rebooting' || taskState === 'reboot_pending' || taskState === 'reboot_started') return 'REBOOT';
    if (taskState === 'rebooting_hard' || taskState === 'reboot_pending_hard' || taskState === 'reboot_started_hard')
      return 'HARD_REBOOT';
  }
  if (
    (taskState === 'rebuilding' || taskState === 'rebuild_spawning') &&
    (vmState === 'active' || vmState === 'stopped' || vmState === 'error')
  )
    return 'REBUILD';
  if (taskState !== null && RESIZING.includes(taskState)) return 'RESIZE';
  if (vmState === 'resized' && taskState === 'resize_reverting') return 'REVERT_RESIZE';
  return STATUS[vmState];
}

/** Tasks that a status may tell of. */
const TOLD_TASKS: readonly TaskState[] = [
  'rebooting',
  'reboot_pending',
  'reboot_started',
  'rebooting_hard',
  'reboot_pending_hard',
  'reboot_started_hard',
  'rebuilding',
  'rebuild_spawning',
  'resize_prep',
  'resize_migrating',
  'resize_migrated',
  'resize_finish',
  'resize_reverting',
];

/**
 * The states that status filters of a list stand for, none for unknown words. Tasks only count when no status is among them
 * that servers have without a task. upstream: nova/api/openstack/common.py task_and_vm_state_from_status
 */
export function statesOf(statuses: readonly string[]): {
  readonly vm_states: readonly VmState[];
  readonly task_states: readonly TaskState[] | null;
} {
  const wanted = new Set(statuses.map((status) => status.toUpperCase()));
  const vmStates = new Set<VmState>();
  const tasks = new Set<TaskState>();
  let anyTask = false;
  for (const state of Object.keys(STATUS) as VmState[]) {
    if (wanted.has(STATUS[state])) {
      vmStates.add(state);
      anyTask = true;
    }
    for (const task of TOLD_TASKS) {
      const status = serverStatus(state, task);
      if (status === STATUS[state] || !wanted.has(status)) continue;
      vmStates.add(state);
      tasks.add(task);
    }
  }
  return { vm_states: [...vmStates], task_states: anyTask || tasks.size === 0 ? null : [...tasks] };
}
