import type { Clock } from '@nestack/kernel/clock';
import type { RequestContext, TransactionRunner } from '@nestack/kernel/context';
import { NovaSagas } from '@nestack/nova/contract';
import type { InstanceRepository, Operations } from '../ports';

export interface KeptServersDeps {
  readonly tx: TransactionRunner;
  readonly clock: Clock;
  readonly instances: InstanceRepository;
  readonly operations: Operations;
}

/** How many are looked at together. */
const AT_ONCE = 100;

/** Shelved servers that are kept on their hosts. upstream: nova/compute/manager.py _poll_shelved_instances */
export class KeptServers {
  constructor(private readonly deps: KeptServersDeps) {}

  /** Lets those leave that were shelved at least so many seconds ago; answers how many. Any number of conductors may do so at once. */
  async offloadOlderThan(ctx: RequestContext, seconds: number): Promise<number> {
    const { deps } = this;
    const before = new Date(deps.clock.now().getTime() - seconds * 1000);
    const found = await deps.tx.read('server.kept', (tx) => deps.instances.keptSince(tx, before, AT_ONCE));
    let offloaded = 0;
    for (const uuid of found) if (await this.offload(ctx, uuid)) offloaded += 1;
    return offloaded;
  }

  private offload(ctx: RequestContext, uuid: string): Promise<boolean> {
    const { deps } = this;
    return deps.tx.run('server.auto_offload', async (tx) => {
      await deps.operations.lock(tx, uuid);
      if (await deps.operations.busy(tx, uuid)) return false;
      const expected = { vm_states: ['shelved' as const], task_states: [null] };
      const instance = await deps.instances.transition(tx, uuid, expected, { task_state: 'shelving_offloading' });
      if (instance === null) return false;
      await deps.operations.start(ctx, tx, NovaSagas.shelveOffload.kind, {
        params: { instance_uuid: uuid },
        resourceId: uuid,
        action: NovaSagas.shelveOffload.action,
      });
      return true;
    });
  }
}
