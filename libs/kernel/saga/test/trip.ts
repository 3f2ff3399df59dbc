import { assertHeld } from '@nestack/kernel/context';
import { execute, sqlOne, type Migration } from '@nestack/kernel/db';
import { DomainError } from '@nestack/kernel/errors';
import type { Pool } from 'pg';
import Type from 'typebox';
import { defineSaga, type SagaDefinition, type SagaRun, type SagaStep } from '../src/index';

/** What the sagas of these tests change: `account` in their own schema, `made` as if it were somewhere else. */
export const tripTables: readonly Migration[] = [
  {
    name: '0001-trip',
    up: [
      `CREATE TABLE account (resource text PRIMARY KEY, reserved int NOT NULL DEFAULT 0, committed int NOT NULL DEFAULT 0,
        done int NOT NULL DEFAULT 0, undone int NOT NULL DEFAULT 0)`,
      'CREATE TABLE made (resource text, name text, PRIMARY KEY (resource, name))',
      'CREATE TABLE oplog (id bigint GENERATED ALWAYS AS IDENTITY, resource text, what text, epoch int, pid int)',
    ],
  },
];

export const tripParams = Type.Object({
  /** The step that refuses, for good. */
  fail: Type.Optional(Type.String()),
  /** The effect that holds on until the row `go` is there. */
  hold: Type.Optional(Type.String()),
});

export interface TripParams {
  readonly fail?: string;
  readonly hold?: string;
}

type Step = SagaStep<TripParams>;
type Run = SagaRun<TripParams>;

/** The outside world: every verb observes first, and logs what it really did. */
export class World {
  constructor(private readonly pool: Pool) {}

  async ensure(run: Run, name: string): Promise<void> {
    const { rowCount } = await this.pool.query(
      'INSERT INTO made (resource, name) VALUES ($1, $2) ON CONFLICT DO NOTHING',
      [run.resourceId, name],
    );
    if (rowCount === 1) await this.log(run, `made ${name}`);
  }

  async absent(run: Run, name: string): Promise<void> {
    const { rowCount } = await this.pool.query('DELETE FROM made WHERE resource = $1 AND name = $2', [
      run.resourceId,
      name,
    ]);
    if (rowCount === 1) await this.log(run, `removed ${name}`);
  }

  async has(run: Run, name: string): Promise<boolean> {
    const { rowCount } = await this.pool.query('SELECT 1 FROM made WHERE resource = $1 AND name = $2', [
      run.resourceId,
      name,
    ]);
    return rowCount === 1;
  }

  async log(run: Run, what: string): Promise<void> {
    await this.pool.query('INSERT INTO oplog (resource, what, epoch, pid) VALUES ($1, $2, $3, $4)', [
      run.resourceId,
      what,
      run.epoch,
      process.pid,
    ]);
  }
}

/** A saga with every kind of step: reserve (tx), guest and port (effects), plugged (wait), commit (tx, pivot), notice (effect). */
export function tripSaga(kind: string, world: World, frozenIn: string | null = null): SagaDefinition {
  const refuse = (run: Run, name: string): void => {
    if (run.params.fail === name)
      throw new DomainError({ kind: 'conflict', code: 'Refused', message: `${name} refuses` });
  };
  const effect = (name: string): Step => ({
    type: 'effect',
    name,
    do: async (ctx, run) => {
      if (run.params.hold === name) {
        await world.log(run, `waits in ${name}`);
        while (!(await world.has(run, 'go'))) await new Promise((resolve) => setTimeout(resolve, 20));
        await world.log(run, `wakes in ${name}`);
        try {
          assertHeld(ctx);
        } catch (error) {
          await world.log(run, `refused in ${name}`);
          throw error;
        }
      }
      await world.ensure(run, name);
      refuse(run, name);
      return { name };
    },
    undo: (_ctx, run) => world.absent(run, name),
  });
  const { notice } = { notice: { ...effect('notice'), undo: undefined } as Step };
  const steps: Step[] = [
    {
      type: 'tx',
      name: 'reserve',
      do: async (_ctx, tx, run) => {
        await execute(tx, 'UPDATE account SET reserved = reserved + 1 WHERE resource = $1', [run.resourceId]);
        if (frozenIn === 'reserve' && run.epoch === 1) process.kill(process.pid, 'SIGSTOP');
        return { reserved: 1 };
      },
      undo: async (_ctx, tx, run) => {
        await execute(tx, 'UPDATE account SET reserved = reserved - 1 WHERE resource = $1', [run.resourceId]);
      },
    },
    effect('guest'),
    effect('port'),
    {
      type: 'wait',
      name: 'plugged',
      timeoutMs: 20_000,
      check: async (_ctx, tx, run) => {
        refuse(run, 'plugged');
        return (
          (await sqlOne(tx, "SELECT 1 FROM made WHERE resource = $1 AND name = 'port'", [run.resourceId])) ?? undefined
        );
      },
    },
    {
      type: 'tx',
      name: 'commit',
      pivot: true,
      do: async (_ctx, tx, run) => {
        refuse(run, 'commit');
        if (run.out<{ name: string }>('guest').name !== 'guest') throw new Error('lost output');
        await execute(tx, 'UPDATE account SET committed = committed + 1 WHERE resource = $1', [run.resourceId]);
      },
    },
    notice,
  ];
  return defineSaga({
    kind,
    version: 1,
    params: tripParams,
    steps,
    onDone: async (_ctx, tx, run) => {
      await execute(tx, 'UPDATE account SET done = done + 1 WHERE resource = $1', [run.resourceId]);
    },
    onUnwound: async (_ctx, tx, run) => {
      await execute(tx, 'UPDATE account SET undone = undone + 1 WHERE resource = $1', [run.resourceId]);
    },
  }) as SagaDefinition;
}

/** How a resource looks after a run that was done. */
export const DONE = {
  account: { reserved: 1, committed: 1, done: 1, undone: 0 },
  made: ['guest', 'notice', 'port'],
};

/** And after one that was undone. */
export const UNDONE = { account: { reserved: 0, committed: 0, done: 0, undone: 1 }, made: [] };
