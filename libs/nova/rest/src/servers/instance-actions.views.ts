import { isoMicros } from '@nestack/kernel/clock';
import type { ApiVersion } from '@nestack/kernel/http';
import type { Instance, OperationHistory } from '@nestack/nova/domain';
import { hostId } from './servers.views';

/** Upstream's names for the steps that it has too; ours come beside them. upstream: nova/compute/manager.py wrap_instance_event */
const EVENTS: Readonly<Record<string, string>> = {
  'server.create/build': 'compute__do_build_and_run_instance',
  'server.delete/terminate': 'compute_terminate_instance',
  'server.start/command': 'compute_start_instance',
  'server.stop/command': 'compute_stop_instance',
  'server.reboot/command': 'compute_reboot_instance',
  'server.pause/command': 'compute_pause_instance',
  'server.unpause/command': 'compute_unpause_instance',
  'server.suspend/command': 'compute_suspend_instance',
  'server.resume/command': 'compute_resume_instance',
  'server.rescue/rescue': 'compute_rescue_instance',
  'server.unrescue/unrescue': 'compute_unrescue_instance',
  'server.rebuild/check': 'rebuild_server',
  'server.rebuild/rebuild': 'compute_rebuild_instance',
  'server.resize/schedule': 'cold_migrate',
  'server.resize/prep': 'compute_prep_resize',
  'server.resize/resize': 'compute_resize_instance',
  'server.resize/finish': 'compute_finish_resize',
  'server.migrate/schedule': 'cold_migrate',
  'server.migrate/prep': 'compute_prep_resize',
  'server.migrate/resize': 'compute_resize_instance',
  'server.migrate/finish': 'compute_finish_resize',
  'server.confirm_resize/confirm': 'compute_confirm_resize',
  'server.revert_resize/revert': 'compute_revert_resize',
  'server.revert_resize/finish_revert': 'compute_finish_revert_resize',
  'server.create_volume_image/snapshots': 'api_snapshot_instance',
  'server.shelve/snapshot': 'compute_shelve_instance',
  'server.shelve/terminate': 'compute_shelve_offload_instance',
  'server.shelve_offload/terminate': 'compute_shelve_offload_instance',
  'server.unshelve_kept/start': 'compute_start_instance',
  'server.unshelve/build': 'compute_unshelve_instance',
  'server.create_image/snapshot': 'compute_snapshot_instance',
  'server.attach_volume/attach': 'compute_attach_volume',
  'server.detach_volume/detach': 'compute_detach_volume',
  'server.extend_volume/extend': 'compute_extend_volume',
  'server.attach_interface/plug': 'compute_attach_interface',
  'server.detach_interface/unplug': 'compute_detach_interface',
};

function eventName(kind: string, step: string): string {
  return EVENTS[`${kind}/${step.replace(/_\d+$/, '')}`] ?? `conductor_${step}`;
}

/** Results of events. upstream: nova/objects/instance_action.py */
function result(action: OperationHistory, event: string): string | null {
  if (event === 'done') return 'Success';
  if (event === 'failed' || event === 'undone') return 'Error';
  return action.state === 'undone' ? 'Error' : null;
}

/** An instance action: a view of the journal. upstream: nova/api/openstack/compute/instance_actions.py */
export function actionView(
  instance: Instance,
  action: OperationHistory,
  version: ApiVersion,
  show: { readonly events: boolean; readonly admin: boolean; readonly details: boolean } = {
    events: false,
    admin: false,
    details: false,
  },
): Record<string, unknown> {
  return {
    action: action.action,
    instance_uuid: instance.uuid,
    request_id: action.requestId,
    user_id: action.userId,
    project_id: action.projectId,
    start_time: isoMicros(action.startedAt),
    message: action.state === 'undone' || action.state === 'unwinding' ? 'Error' : null,
    ...(version.atLeast('2.58') ? { updated_at: isoMicros(action.updatedAt) } : {}),
    ...(show.events
      ? {
          events: action.steps.map((step) => ({
            event: eventName(action.kind, step.name),
            start_time: isoMicros(step.startedAt),
            finish_time: step.finishedAt === null ? null : isoMicros(step.finishedAt),
            result: result(action, step.event),
            ...(show.admin ? { traceback: step.error } : {}),
            ...(version.atLeast('2.62')
              ? { ...(show.admin ? { host: step.host } : {}), hostId: hostId(instance) }
              : {}),
            ...(version.atLeast('2.84') && show.details ? { details: step.error } : {}),
          })),
        }
      : {}),
  };
}
