import type { Clock } from '@nestack/kernel/clock';
import type { RequestContext, TransactionRunner } from '@nestack/kernel/context';
import { NovaSagas } from '@nestack/nova/contract';
import type { InstanceRepository, MigrationRepository, Operations, ServerMigration } from '../ports';

export interface UnconfirmedResizesDeps {
  readonly tx: TransactionRunner;
  readonly clock: Clock;
  readonly instances: InstanceRepository;
  readonly migrations: MigrationRepository;
  readonly operations: Operations;
}

/** How many are looked at together. */
const AT_ONCE = 100;

/** Moves that users forgot to confirm. upstream: nova/compute/manager.py _poll_unconfirmed_resizes */
export class UnconfirmedResizes {
  constructor(private readonly deps: UnconfirmedResizesDeps) {}

  /** Confirms those that were finished at least so many seconds ago; answers how many. Any number of conductors may do so at once. */
  async confirmOlderThan(ctx: RequestContext, seconds: number): Promise<number> {
    const { deps } = this;
    const before = new Date(deps.clock.now().getTime() - seconds * 1000);
    const found = await deps.tx.read('migration.unconfirmed', (tx) => deps.migrations.unconfirmed(tx, before, AT_ONCE));
    let confirmed = 0;
    for (const migration of found) if (await this.confirm(ctx, migration)) confirmed += 1;
    return confirmed;
  }

  /** One whose server is in another state than it should be is over: nothing will ever confirm it. */
  private confirm(ctx: RequestContext, { uuid, instance_uuid: server }: ServerMigration): Promise<boolean> {
    const { deps } = this;
    return deps.tx.run('migration.auto_confirm', async (tx) => {
      await deps.operations.lock(tx, server);
      const instance = await deps.instances.find(tx, server, { lock: true });
      const migration = await deps.migrations.find(tx, uuid);
      if (migration?.status !== 'finished' || (await deps.operations.busy(tx, server))) return false;
      if (instance?.task_state === 'deleting') return false;
      if (instance?.vm_state !== 'resized' || instance.task_state !== null) {
        await deps.migrations.setStatus(tx, uuid, 'error');
        return false;
      }
      await deps.migrations.setStatus(tx, uuid, 'confirming');
      await deps.operations.start(ctx, tx, NovaSagas.confirmResize.kind, {
        params: { instance_uuid: server, migration_uuid: uuid },
        resourceId: server,
        action: NovaSagas.confirmResize.action,
      });
      return true;
    });
  }
}
