import { defineSaga } from '@nestack/kernel/saga';
import {
  NovaError,
  NovaSagas,
  POWER_STATE,
  type ConnectionInfo,
  type Nic,
  type Selection,
} from '@nestack/nova/contract';
import { toInstanceSpec, type ImageSnapshot } from '@nestack/nova/domain';
import { endHold, load, loadInstance, onHost, terminate, type SagaDeps } from './deps';
import { assertAvailable, requestSpec } from './server-create.saga';
import { unlessRefused } from './server-delete.saga';
import { endTask, faultOf } from './server-power.sagas';

interface Connected {
  readonly bdm_id: number;
  readonly attachment_id: string;
  readonly connection_info: ConnectionInfo;
}

/** `server.unshelve`: a host anew, the same ports and volumes, the disk from the image, which goes then. Undone, it is offloaded as before. */
export function unshelveSaga(deps: SagaDeps) {
  return defineSaga({
    kind: NovaSagas.serverUnshelve.kind,
    version: 1,
    params: NovaSagas.serverUnshelve.params,
    steps: [
      {
        type: 'effect',
        name: 'image',
        do: async (ctx, run): Promise<{ image: ImageSnapshot | null }> => {
          const { request } = await loadInstance(deps, run.params.instance_uuid);
          const imageId = request.shelved?.image_id ?? null;
          if (imageId === null) return { image: null };
          const found = await deps.images.get(ctx, imageId, 'service');
          if (found === null) throw NovaError.ImageNotFoundApi();
          return { image: found.image };
        },
      },
      {
        type: 'effect',
        name: 'schedule',
        do: async (ctx, run): Promise<Selection> => {
          const { host } = run.params;
          const spec = requestSpec(await loadInstance(deps, run.params.instance_uuid), []);
          // Where it was first made to go binds it no longer.
          const request_spec = { ...spec, force_host: null, ...(host === null ? {} : { requested_host: host }) };
          return (await deps.scheduler.select_destinations(ctx, { request_spec })).selection;
        },
        undo: (ctx, run) => deps.placement.release(ctx, run.params.instance_uuid),
      },
      {
        type: 'tx',
        name: 'placed',
        do: async (_ctx, tx, run) => {
          const { service_host: host, nodename: node, availability_zone } = run.out<Selection>('schedule');
          const instance = await deps.instances.find(tx, run.params.instance_uuid, { lock: true });
          if (instance === null) throw NovaError.InstanceNotFound({ instance_id: run.params.instance_uuid });
          await deps.instances.update(tx, instance.uuid, {
            host,
            node,
            availability_zone,
            ...(instance.task_state === 'deleting' ? {} : { task_state: 'spawning' as const }),
          });
          await endHold(deps, tx, instance);
        },
      },
      {
        type: 'effect',
        name: 'ports',
        do: async (ctx, run): Promise<readonly Nic[]> => {
          const instance = await loadInstance(deps, run.params.instance_uuid);
          if (instance.nics.length === 0) return [];
          const { service_host: host, availability_zone } = run.out<Selection>('schedule');
          return deps.networks.ensurePorts(ctx, {
            instance_uuid: instance.uuid,
            project_id: instance.project_id,
            hostname: instance.hostname,
            host,
            availability_zone,
            requests: instance.nics.map(({ network_id, port_id, tag }) => ({
              network_id,
              port_id,
              fixed_ip: null,
              tag,
            })),
            security_groups: [],
          });
        },
        undo: async (ctx, run) => deps.networks.unbindPorts(ctx, await loadInstance(deps, run.params.instance_uuid)),
      },
      {
        type: 'effect',
        name: 'connect_volumes',
        retryForMs: 300_000,
        do: async (ctx, run): Promise<readonly Connected[]> => {
          const { instance, devices } = await load(deps, run.params.instance_uuid);
          if (devices.length === 0) return [];
          const { service_host: host } = run.out<Selection>('schedule');
          const { connector } = await onHost(deps, host, deps.compute.get_volume_connector(ctx, {}, { host }));
          const connected: Connected[] = [];
          for (const device of devices) {
            if (device.volume_id === null) continue;
            await assertAvailable(ctx, deps, device.volume_id);
            const { id } = await deps.volumes.ensureAttachment(ctx, device.volume_id, instance.uuid, 'service');
            const connection_info = await deps.volumes.connect(ctx, id, connector, device.device_name);
            connected.push({ bdm_id: device.id, attachment_id: id, connection_info });
          }
          return connected;
        },
      },
      {
        type: 'tx',
        name: 'connected',
        do: async (_ctx, tx, run) => {
          for (const { bdm_id: id, attachment_id, connection_info } of run.out<Connected[]>('connect_volumes'))
            await deps.devices.update(tx, id, { attachment_id, connection_info });
          await deps.instances.update(tx, run.params.instance_uuid, { nics: run.out<Nic[]>('ports') });
        },
      },
      {
        type: 'effect',
        name: 'build',
        retryForMs: 600_000,
        do: async (ctx, run) => {
          const { instance, devices } = await load(deps, run.params.instance_uuid);
          const { service_host: host } = run.out<Selection>('schedule');
          const { image } = run.out<{ image: ImageSnapshot | null }>('image');
          const command = { instance: toInstanceSpec({ ...instance, image }, devices) };
          return onHost(
            deps,
            host,
            deps.compute.build_and_run_instance(ctx, command, { host, messageId: run.messageId }),
          );
        },
        undo: async (ctx, run) => {
          const chosen = run.maybe<Selection>('schedule');
          if (chosen === undefined) return;
          const loaded = await load(deps, run.params.instance_uuid);
          await terminate(ctx, deps, chosen.service_host, loaded, `${run.messageId}:undo`);
        },
      },
      {
        type: 'effect',
        name: 'complete_volumes',
        do: async (ctx, run) => {
          for (const { attachment_id: id } of run.out<Connected[]>('connect_volumes'))
            await deps.volumes.complete(ctx, id);
        },
      },
      {
        type: 'wait',
        name: 'vif_plugged',
        pivot: true,
        timeoutMs: deps.vifPluggingTimeoutMs,
        onTimeout: 'continue',
        check: async (_ctx, tx, run) => {
          const plugged = await deps.events.of(tx, run.params.instance_uuid, 'network-vif-plugged');
          const ports = run.out<Nic[]>('ports');
          return ports.every((nic) => plugged.has(nic.port_id)) ? { ports: ports.length } : undefined;
        },
      },
      {
        type: 'effect',
        name: 'delete_image',
        do: async (ctx, run) => {
          const { image } = run.out<{ image: ImageSnapshot | null }>('image');
          if (image !== null) await unlessRefused(deps.images.remove(ctx, image.id));
        },
      },
      {
        type: 'tx',
        name: 'active',
        do: async (_ctx, tx, run) => {
          const instance = await deps.instances.find(tx, run.params.instance_uuid, { lock: true });
          if (instance === null) return;
          const { shelved: _, ...request } = instance.request;
          await deps.instances.update(tx, instance.uuid, {
            vm_state: 'active',
            ...endTask(instance),
            power_state: POWER_STATE.running,
            root_device_name: run.out<{ root_device_name: string }>('build').root_device_name,
            launched_at: deps.clock.now(),
            request,
            fault: null,
          });
        },
      },
    ],
    onUnwound: async (_ctx, tx, run) => {
      const instance = await deps.instances.find(tx, run.params.instance_uuid, { lock: true });
      if (instance === null) return;
      await deps.events.forget(tx, instance.uuid, 'network-vif-plugged');
      await endHold(deps, tx, instance);
      const gone = { host: null, node: null } as const;
      await deps.instances.update(tx, instance.uuid, { ...gone, ...endTask(instance), fault: faultOf(deps, run) });
    },
  });
}
