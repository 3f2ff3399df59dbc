import type { SagaRun, SagaStep } from '@nestack/kernel/saga';
import { NovaError, type ConnectionInfo } from '@nestack/nova/contract';
import { assertAvailable } from './server-create.saga';
import { load, onHost, type SagaDeps } from './deps';

/** The event by which cinder tells that a volume has its new content; its tag is the volume's id. */
export const REIMAGED = 'volume-reimaged';

/** Cinder says itself when it fails; this is for one that never answers. */
const REIMAGE_MS = 3_600_000;

interface Params {
  readonly instance_uuid: string;
  readonly reimage?: { readonly bdm_id: number; readonly volume_id: string; readonly image_id: string };
}
type Run = Pick<SagaRun<Params>, 'params'>;

export interface Reserved {
  /** The attachment that the volume is kept by meanwhile. */
  readonly id: string;
  readonly former: string | null;
}

/** Whether a rebuild puts an image on the root volume. */
export function reimages({ params }: Run): boolean {
  return params.reimage !== undefined;
}

function about({ params }: Run): NonNullable<Params['reimage']> {
  if (params.reimage === undefined) throw new Error('there is no volume to put an image on');
  return params.reimage;
}

/**
 * Puts an image on the volume that is a server's root: the guest is off, the volume is kept for the server by a second
 * attachment while it is connected nowhere, and connected again when it has its content.
 * upstream: nova/compute/manager.py _rebuild_volume_backed_instance
 */
export function reimageSteps(deps: SagaDeps): readonly SagaStep<Params>[] {
  return [
    {
      type: 'effect',
      name: 'halt',
      when: reimages,
      do: async (ctx, run) => {
        const { instance } = await load(deps, run.params.instance_uuid);
        const host = instance.host ?? '';
        const command = { instance_uuid: instance.uuid, clean_shutdown: true, timeout_s: deps.shutdownTimeoutS };
        await onHost(deps, host, deps.compute.stop_instance(ctx, command, { host, messageId: run.messageId }));
      },
    },
    {
      type: 'effect',
      name: 'reserve',
      when: reimages,
      do: async (ctx, run): Promise<Reserved> => {
        const { bdm_id, volume_id } = about(run);
        const { devices } = await load(deps, run.params.instance_uuid);
        const former = devices.find(({ id }) => id === bdm_id)?.attachment_id ?? null;
        const { instance_uuid: uuid } = run.params;
        const { id } = await deps.volumes.ensureFurtherAttachment(ctx, volume_id, uuid, former ?? '');
        return { id, former };
      },
    },
    {
      type: 'tx',
      name: 'reserved',
      when: reimages,
      do: (_ctx, tx, run) =>
        deps.devices.update(tx, about(run).bdm_id, {
          attachment_id: run.out<Reserved>('reserve').id,
          connection_info: null,
        }),
    },
    {
      type: 'effect',
      name: 'disconnect',
      when: reimages,
      do: async (ctx, run) => {
        const { former } = run.out<Reserved>('reserve');
        if (former !== null) await deps.volumes.deleteAttachment(ctx, former);
      },
    },
    {
      type: 'effect',
      name: 'reimage',
      when: reimages,
      do: async (ctx, run) => {
        const { volume_id, image_id } = about(run);
        const told = await deps.tx.read('saga.reimaged', (tx) =>
          deps.events.of(tx, run.params.instance_uuid, REIMAGED),
        );
        // Asked before, and the answer was lost.
        if (told.has(volume_id) || (await deps.volumes.get(ctx, volume_id, 'service'))?.status === 'downloading')
          return;
        await deps.volumes.reimage(ctx, volume_id, image_id);
      },
    },
    {
      type: 'wait',
      name: 'reimaged',
      when: reimages,
      timeoutMs: REIMAGE_MS,
      check: async (_ctx, tx, run) => {
        const status = (await deps.events.of(tx, run.params.instance_uuid, REIMAGED)).get(about(run).volume_id);
        if (status === 'failed') throw NovaError.Conflict({ reason: 'Failed to rebuild volume backed instance.' });
        return status === undefined ? undefined : { status };
      },
    },
    {
      type: 'effect',
      name: 'connect',
      when: reimages,
      do: async (ctx, run): Promise<ConnectionInfo> => {
        const { instance, devices } = await load(deps, run.params.instance_uuid);
        const { bdm_id, volume_id } = about(run);
        await assertAvailable(ctx, deps, volume_id);
        const host = instance.host ?? '';
        const { connector } = await onHost(deps, host, deps.compute.get_volume_connector(ctx, {}, { host }));
        const device = devices.find(({ id }) => id === bdm_id)?.device_name ?? null;
        return deps.volumes.connect(ctx, run.out<Reserved>('reserve').id, connector, device);
      },
    },
    {
      type: 'tx',
      name: 'connected',
      when: reimages,
      do: (_ctx, tx, run) =>
        deps.devices.update(tx, about(run).bdm_id, { connection_info: run.out<ConnectionInfo>('connect') }),
    },
  ];
}
