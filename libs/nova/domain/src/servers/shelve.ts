import { newUuid } from '@nestack/kernel/ids';
import type { RequestContext, TransactionRunner, Tx } from '@nestack/kernel/context';
import { NovaError, NovaSagas } from '@nestack/nova/contract';
import type { BlockDeviceRepository, ServiceRepository } from '../ports';
import { begin, type BeginDeps } from './begin';
import { assertUnlocked, checkStates, enter, visible } from './gate';
import { imageOf } from './server-images';

export interface ShelveDeps extends BeginDeps {
  readonly tx: TransactionRunner;
  readonly devices: BlockDeviceRepository;
  readonly services: ServiceRepository;
}

/**
 * Servers that give up their host and come back from an image of their disk, with the same ports and volumes. They leave
 * the host at once, as with upstream's default shelved_offload_time of 0. upstream: nova/compute/api.py shelve, unshelve
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

  /** No server rests in the state from which this begins. */
  async offload(ctx: RequestContext, id: string): Promise<void> {
    const instance = await this.deps.tx.read('server.shelve_offload', async (tx) =>
      visible(ctx, await this.deps.instances.find(tx, id), id),
    );
    assertUnlocked(ctx, instance);
    checkStates(instance, { action: 'shelveOffload', vm_states: ['shelved'] });
  }

  /**
   * A zone that is given is kept as the one that the user wants; null wants none any more. A host that is given must be in
   * that zone, and pass the scheduler's filters like any other. Throws AvailabilityZoneNotFound, ComputeHostNotFound,
   * UnshelveHostNotInAZ.
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
      await this.assertTarget(tx, target, instance.request.availability_zone);
      if (target.zone !== undefined) {
        const request = { ...instance.request, availability_zone: target.zone };
        await deps.instances.update(tx, instance.uuid, { request });
      }
      await deps.operations.start(ctx, tx, NovaSagas.serverUnshelve.kind, {
        params: { instance_uuid: instance.uuid, host: target.host },
        resourceId: instance.uuid,
        mode: 'queue',
        action: NovaSagas.serverUnshelve.action,
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
