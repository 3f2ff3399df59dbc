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
  | 'resize_reverting'
  | 'shelving'
  | 'shelving_image_pending_upload'
  | 'shelving_image_uploading'
  | 'shelving_offloading'
  | 'unshelving'
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
  if (taskState === 'resize_prep' || taskState === 'resize_migrating') return 'RESIZE';
  if (vmState === 'resized' && taskState === 'resize_reverting') return 'REVERT_RESIZE';
  return STATUS[vmState];
}

/** The vm_states that a status filter of a list stands for; none for an unknown word. */
export function vmStatesOf(status: string): readonly VmState[] {
  const wanted = status.toUpperCase();
  const found = (Object.keys(STATUS) as VmState[]).filter((state) => STATUS[state] === wanted);
  if (wanted === 'REVERT_RESIZE') return ['resized'];
  if (wanted === 'REBOOT' || wanted === 'HARD_REBOOT' || wanted === 'RESIZE') return ['active', 'stopped'];
  return found;
}
