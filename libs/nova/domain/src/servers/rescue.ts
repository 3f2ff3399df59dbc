import type { RequestContext, TransactionRunner } from '@nestack/kernel/context';
import { NovaError, NovaSagas, type VmState } from '@nestack/nova/contract';
import type { BlockDeviceRepository, ImagePort } from '../ports';
import { begin, type BeginDeps } from './begin';

export interface RescueDeps extends BeginDeps {
  readonly tx: TransactionRunner;
  readonly images: Pick<ImagePort, 'get'>;
  readonly devices: BlockDeviceRepository;
}

const FROM: readonly VmState[] = ['active', 'stopped', 'error'];

/** Servers that are started from another disk, to repair their own. upstream: nova/compute/api.py rescue */
export class Rescue {
  constructor(private readonly deps: RescueDeps) {}

  /** With the given image, or with the server's own. `bootable` volumes cannot be rescued here. */
  async rescue(ctx: RequestContext, id: string, imageId: string | null): Promise<void> {
    const { deps } = this;
    const found = imageId === null ? null : await deps.images.get(ctx, imageId, 'user');
    if (imageId !== null && found === null) throw NovaError.ImageNotFound();
    if (found !== null && found.status !== 'active') throw NovaError.ImageNotActive({ image_id: found.image.id });
    await deps.tx.run('server.rescue', (tx) =>
      begin(ctx, tx, deps, id, {
        gate: { action: 'rescue', vm_states: FROM },
        saga: NovaSagas.serverRescue,
        prepare: async (before) => {
          const volumes = await deps.devices.ofInstance(tx, before.uuid);
          if (volumes.some((volume) => volume.state !== 'attached'))
            throw NovaError.InstanceNotRescuable({ instance_id: id, reason: 'its volumes are not all attached' });
          if (before.image === null)
            throw NovaError.InstanceNotRescuable({
              instance_id: id,
              reason: 'Cannot rescue a volume-backed instance',
            });
          return {
            patch: { task_state: 'rescuing', request: { ...before.request, rescue: found?.image ?? before.image } },
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
