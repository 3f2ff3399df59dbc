import { defineSaga } from '@nestack/kernel/saga';
import { NovaSagas } from '@nestack/nova/contract';
import { deletedAt } from '@nestack/nova/domain';
import { isRefusal, load, terminate, type SagaDeps } from './deps';

interface Begun {
  readonly hosts: readonly string[];
  readonly shelved: string | null;
}

/** `server.delete`: only forward. Guest, ports, volume attachments, claims, then the row, unless the API has seen to that. */
export function deleteServerSaga(deps: SagaDeps) {
  return defineSaga({
    kind: NovaSagas.serverDelete.kind,
    version: 1,
    params: NovaSagas.serverDelete.params,
    steps: [
      {
        type: 'tx',
        name: 'begin',
        pivot: true,
        do: async (_ctx, tx, run) => {
          const instance = await deps.instances.update(tx, run.params.instance_uuid, { task_state: 'deleting' });
          // Where it is, and where a move that nobody has confirmed has left its disks.
          const moves = await deps.migrations.open(tx, run.params.instance_uuid);
          const hosts = new Set([instance?.host ?? null, ...moves.map((one) => one.source_compute)]);
          return {
            hosts: [...hosts].filter((host) => host !== null),
            shelved: instance?.request.shelved?.image_id ?? null,
          };
        },
      },
      {
        type: 'effect',
        name: 'terminate',
        when: (run) => run.out<Begun>('begin').hosts.length > 0,
        do: async (ctx, run) => {
          const loaded = await load(deps, run.params.instance_uuid);
          const { hosts } = run.out<Begun>('begin');
          await Promise.all(hosts.map((host) => terminate(ctx, deps, host, loaded, `${run.messageId}:${host}`)));
        },
      },
      {
        type: 'effect',
        name: 'release_ports',
        do: async (ctx, run) => {
          const { instance } = await load(deps, run.params.instance_uuid);
          await deps.networks.releasePorts(ctx, instance, instance.nics);
        },
      },
      {
        type: 'effect',
        name: 'detach_volumes',
        do: async (ctx, run) => {
          const { instance, devices } = await load(deps, run.params.instance_uuid);
          await Promise.all(
            devices.map(async (device) => {
              if (device.volume_id === null) return;
              const attachment =
                device.attachment_id ?? (await deps.volumes.findAttachment(ctx, device.volume_id, instance.uuid));
              if (attachment !== null) await unlessRefused(deps.volumes.deleteAttachment(ctx, attachment));
              if (device.delete_on_termination) await unlessRefused(deps.volumes.deleteVolume(ctx, device.volume_id));
            }),
          );
        },
      },
      {
        type: 'effect',
        name: 'delete_shelved',
        when: (run) => run.out<Begun>('begin').shelved !== null,
        do: (ctx, run) => unlessRefused(deps.images.remove(ctx, run.out<Begun>('begin').shelved ?? '')),
      },
      {
        type: 'effect',
        name: 'release_allocations',
        do: async (ctx, run) => {
          const uuid = run.params.instance_uuid;
          const open = await deps.tx.read('saga.migrations', (tx) => deps.migrations.open(tx, uuid));
          for (const migration of open) await deps.placement.release(ctx, migration.uuid);
          await deps.placement.release(ctx, uuid);
        },
      },
      {
        type: 'tx',
        name: 'deleted',
        do: async (_ctx, tx, run) => {
          await deps.devices.removeOfInstance(tx, run.params.instance_uuid);
          await deps.events.forget(tx, run.params.instance_uuid);
          await deps.groups.leave(tx, run.params.instance_uuid);
          for (const { uuid, status } of await deps.migrations.open(tx, run.params.instance_uuid)) {
            const kept = status === 'finished' || status === 'confirming';
            await deps.migrations.setStatus(tx, uuid, kept ? 'confirmed' : 'error');
          }
          await deps.instances.update(tx, run.params.instance_uuid, deletedAt(deps.clock.now()));
        },
      },
    ],
  });
}

/** A volume that cinder does not let go of (it has snapshots, say), or a protected image, does not keep its server alive. */
export async function unlessRefused(call: Promise<void>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (!isRefusal(error)) throw error;
  }
}
