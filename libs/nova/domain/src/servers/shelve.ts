import { newUuid } from '@nestack/kernel/ids';
import type { RequestContext, TransactionRunner, Tx } from '@nestack/kernel/context';
import { NovaError, NovaSagas } from '@nestack/nova/contract';
import type { BlockDeviceRepository, ServiceRepository } from '../ports';
import { begin, type BeginDeps } from './begin';
import { enter } from './gate';
import { imageOf } from './server-images';

export interface ShelveDeps extends BeginDeps {
  readonly tx: TransactionRunner;
  readonly devices: BlockDeviceRepository;
  readonly services: ServiceRepository;
}

/**
 * Servers that give up their host and come back from an image of their disk, with the same ports and volumes. The operation
 * decides whether they leave the host at once or are kept there. upstream: nova/compute/api.py shelve, shelve_offload, unshelve
 */
export class Shelve {
  constructor(private readonly deps: ShelveDeps) {}

  async shelve(ctx: RequestContext, id: string): Promise<void> {
    const { deps } = this;
    await deps.tx.run('server.shelve', (tx) =>
      begin(ctx, tx, deps, id, {
        gate: { action: 'shelve', vm_states: ['active', 'stopped', 'paused', 'suspended'] },
        saga: NovaSagas.serverShelve,
        prepare: (before) => {
          const image =
            before.image === null
              ? { image_id: null, image: {} }
              : { image_id: newUuid(), image: imageOf(ctx, before, `${before.display_name}-shelved`, {}) };
          return Promise.resolve({ patch: { task_state: 'shelving' }, params: { was: before.vm_state, ...image } });
        },
      }),
    );
  }

  /** Lets one that is kept on its host leave it now. */
  async offload(ctx: RequestContext, id: string): Promise<void> {
    const { deps } = this;
    await deps.tx.run('server.shelve_offload', (tx) =>
      begin(ctx, tx, deps, id, {
        gate: { action: 'shelveOffload', vm_states: ['shelved'] },
        saga: NovaSagas.shelveOffload,
        prepare: () => Promise.resolve({ patch: { task_state: 'shelving_offloading' }, params: {} }),
      }),
    );
  }

  /**
   * A zone that is given is kept as the one that the user wants; null wants none any more. A host that is given must be in
   * that zone, and pass the scheduler's filters like any other. One that is kept on its host starts there. Throws
   * AvailabilityZoneNotFound, ComputeHostNotFound, UnshelveHostNotInAZ, UnshelveInstanceInvalidState.
   */
  async unshelve(
    ctx: RequestContext,
    id: string,
    target: { readonly zone: string | null | undefined; readonly host: string | null },
  ): Promise<void> {
    const { deps } = this;
    await deps.tx.run('server.unshelve', async (tx) => {
      await deps.operations.lock(tx, id);
      const gate = { action: 'unshelve', vm_states: ['shelved', 'shelved_offloaded'] as const };
      const instance = await enter(ctx, tx, deps.instances, id, gate, { task_state: 'unshelving' });
      const { host, zone } = target;
      const kept = instance.vm_state === 'shelved';
      if (kept && (zone !== undefined || host !== null))
        throw NovaError.UnshelveInstanceInvalidState({ instance_uuid: instance.uuid, state: instance.vm_state });
      await this.assertTarget(tx, target, instance.request.availability_zone);
      if (zone !== undefined) {
        const request = { ...instance.request, availability_zone: zone };
        await deps.instances.update(tx, instance.uuid, { request });
      }
      const saga = kept ? NovaSagas.unshelveKept : NovaSagas.serverUnshelve;
      await deps.operations.start(ctx, tx, saga.kind, {
        params: { instance_uuid: instance.uuid, ...(kept ? {} : { host }) },
        resourceId: instance.uuid,
        mode: 'queue',
        action: saga.action,
      });
    });
  }

  /** upstream: unshelve and _validate_unshelve_az of nova/compute/api.py */
  private async assertTarget(
    tx: Tx,
    target: { readonly zone: string | null | undefined; readonly host: string | null },
    kept: string | null,
  ): Promise<void> {
    const { host } = target;
    if (typeof target.zone !== 'string' && host === null) return;
    const services = await this.deps.services.list(tx, { binary: 'nova-compute' });
    const wanted = services.find((one) => one.host === host);
    if (host !== null && wanted === undefined) throw NovaError.ComputeHostNotFound({ host });
    if (typeof target.zone === 'string' && !services.some((one) => one.availability_zone === target.zone))
      throw NovaError.AvailabilityZoneNotFound();
    const zone = target.zone === undefined ? kept : target.zone;
    if (host !== null && zone !== null && wanted?.availability_zone !== zone)
      throw NovaError.UnshelveHostNotInAZ({ host, availability_zone: zone });
  }
}
