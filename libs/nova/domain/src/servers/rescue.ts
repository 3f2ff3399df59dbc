import type { RequestContext, TransactionRunner } from '@nestack/kernel/context';
import { NovaError, NovaSagas, type VmState } from '@nestack/nova/contract';
import { hasRescueDevice } from '../rescue-device';
import type { BlockDeviceRepository, ImagePort, VolumePort } from '../ports';
import { begin, type BeginDeps } from './begin';
import { visible } from './gate';

export interface RescueDeps extends BeginDeps {
  readonly tx: TransactionRunner;
  readonly images: Pick<ImagePort, 'get'>;
  readonly volumes: Pick<VolumePort, 'get'>;
  readonly devices: BlockDeviceRepository;
}

const FROM: readonly VmState[] = ['active', 'stopped', 'error'];

/** Servers that are started from another disk, to repair their own. upstream: nova/compute/api.py rescue */
export class Rescue {
  constructor(private readonly deps: RescueDeps) {}

  /**
   * With the given image, or with the server's own. Servers whose root is a volume (since 2.87) keep all their disks where
   * they are and get the image's as a further one, if the image says as which.
   */
  async rescue(ctx: RequestContext, id: string, imageId: string | null, volumeBacked: boolean): Promise<void> {
    const { deps } = this;
    const { now, devices } = await deps.tx.read('server.rescue.get', async (tx) => {
      const instance = visible(ctx, await deps.instances.find(tx, id), id);
      return { now: instance, devices: await deps.devices.ofInstance(tx, instance.uuid) };
    });
    const volumes = await Promise.all(
      devices.map(async ({ volume_id }) => (volume_id === null ? null : deps.volumes.get(ctx, volume_id, 'service'))),
    );
    const root = volumes[devices.findIndex((device) => device.boot_index === 0)] ?? null;
    const wanted = imageId ?? (now.image === null ? (root?.image_metadata['image_id'] ?? null) : null);
    const found = wanted === null ? null : await deps.images.get(ctx, wanted, imageId === null ? 'service' : 'user');
    if (imageId !== null && (found === null || found.image.properties['block_device_mapping'] !== undefined))
      throw NovaError.UnsupportedRescueImage({ image: imageId });
    if (found !== null && found.status !== 'active') throw NovaError.ImageNotActive({ image_id: found.image.id });
    const image = found?.image ?? now.image;
    for (const one of volumes)
      if (one !== null && one.status !== 'in-use')
        throw NovaError.InvalidVolumeConflict({
          reason: `volume '${one.id}' status must be 'in-use'. Currently in '${one.status}' status`,
        });
    if (image === null || (now.image === null && !(volumeBacked && hasRescueDevice(image.properties, 'whole'))))
      throw NovaError.InstanceNotRescuable({ instance_id: id, reason: 'Cannot rescue a volume-backed instance' });
    await deps.tx.run('server.rescue', (tx) =>
      begin(ctx, tx, deps, id, {
        gate: { action: 'rescue', vm_states: FROM },
        saga: NovaSagas.serverRescue,
        prepare: async (before) => {
          const volumes = await deps.devices.ofInstance(tx, before.uuid);
          if (volumes.some((volume) => volume.state !== 'attached'))
            throw NovaError.InstanceNotRescuable({ instance_id: id, reason: 'its volumes are not all attached' });
          return {
            patch: { task_state: 'rescuing', request: { ...before.request, rescue: image } },
            params: { was: before.vm_state },
          };
        },
      }),
    );
  }

  async unrescue(ctx: RequestContext, id: string): Promise<void> {
    const { deps } = this;
    await deps.tx.run('server.unrescue', (tx) =>
      begin(ctx, tx, deps, id, {
        gate: { action: 'unrescue', vm_states: ['rescued'] },
        saga: NovaSagas.serverUnrescue,
        prepare: () => Promise.resolve({ patch: { task_state: 'unrescuing' }, params: {} }),
      }),
    );
  }
}
