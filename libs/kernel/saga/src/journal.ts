import type { Tx } from '@nestack/kernel/context';
import { execute, sql, sqlOne } from '@nestack/kernel/db';
import type { Actor } from '@nestack/kernel/context';

export type SagaState = 'queued' | 'running' | 'unwinding' | 'done' | 'undone' | 'stuck';

/** A row of `saga`. */
export interface SagaRow {
  readonly id: string;
  readonly kind: string;
  readonly version: number;
  readonly params: unknown;
  readonly actor: Actor;
  readonly request_id: string;
  readonly global_request_id: string;
  readonly trace_id: string;
  readonly parent_span_id: string;
  readonly resource_id: string;
  readonly lock_key: string;
  readonly action: string | null;
  readonly state: SagaState;
  readonly failure: { readonly kind: string; readonly code: string; readonly message: string } | null;
  readonly cancel_requested: boolean;
  readonly lease_epoch: number;
  readonly attempts: number;
}

export type NodeEvent = 'started' | 'done' | 'skipped' | 'failed' | 'undo_started' | 'undone';

export interface EventRow {
  readonly node: string;
  readonly event: NodeEvent;
  readonly output: unknown;
  readonly error: string | null;
  readonly age_ms: number;
}

/** Another worker has the run: what this one still does would be a double. */
export class LeaseLost extends Error {
  constructor() {
    super('the lease of the run was lost');
    this.name = 'LeaseLost';
  }
}

export const LEASE_MS = 15_000;
const ROW = `id, kind, version, params, actor, request_id, global_request_id, trace_id, parent_span_id, resource_id, lock_key, action, state,
  failure, cancel_requested, lease_epoch, attempts`;
const ACTIVE = "('running', 'unwinding', 'stuck')";

/** Takes due runs: their epoch rises, so that whoever had them before can write no more. */
export function claim(tx: Tx, owner: string, kinds: readonly string[], limit: number): Promise<SagaRow[]> {
  return sql<SagaRow>(
    tx,
    `UPDATE saga SET lease_owner = $1, lease_epoch = lease_epoch + 1, lease_until = clock_timestamp() + $4 * interval '1 millisecond',
       attempts = attempts + 1
     WHERE id IN (SELECT id FROM saga WHERE state IN ${ACTIVE} AND next_attempt_at <= clock_timestamp()
       AND (lease_until IS NULL OR lease_until < clock_timestamp()) AND kind = ANY($2::text[])
       ORDER BY next_attempt_at LIMIT $3 FOR UPDATE SKIP LOCKED)
     RETURNING ${ROW}`,
    [owner, kinds, limit, LEASE_MS],
  );
}

/** A process that comes back under its name need not wait for its own old leases. */
export function dropLeases(tx: Tx, owner: string): Promise<number> {
  return execute(tx, `UPDATE saga SET lease_until = NULL WHERE lease_owner = $1 AND state IN ${ACTIVE}`, [owner]);
}

/** Renews leases; answers which runs are still ours and which of them shall unwind. */
export function renew(
  tx: Tx,
  owner: string,
  ids: readonly string[],
): Promise<{ id: string; lease_epoch: number; cancel_requested: boolean }[]> {
  return sql(
    tx,
    `UPDATE saga SET lease_until = clock_timestamp() + $3 * interval '1 millisecond'
     WHERE id = ANY($2::uuid[]) AND lease_owner = $1 AND state IN ${ACTIVE} RETURNING id, lease_epoch, cancel_requested`,
    [owner, ids, LEASE_MS],
  );
}

/**
 * Locks the run's key and then its row if the lease is still ours; throws LeaseLost otherwise. Every journal write begins
 * with it: key, run, then rows of the resource is the order in which everybody locks, so that nobody meets a deadlock.
 */
export async function fence(
  tx: Tx,
  run: Pick<SagaRow, 'id' | 'lock_key'>,
  epoch: number,
): Promise<{ readonly cancel_requested: boolean }> {
  const row = await sqlOne<{ cancel_requested: boolean }>(
    tx,
    `WITH key AS MATERIALIZED (SELECT pg_advisory_xact_lock(hashtextextended('saga:' || $4, 0)))
     UPDATE saga SET updated_at = clock_timestamp(), lease_until = clock_timestamp() + $3 * interval '1 millisecond' FROM key
     WHERE id = $1 AND lease_epoch = $2 AND state IN ${ACTIVE} RETURNING cancel_requested`,
    [run.id, epoch, LEASE_MS, run.lock_key],
  );
  if (row === null) throw new LeaseLost();
  return row;
}

export function events(tx: Tx, id: string): Promise<EventRow[]> {
  return sql<EventRow>(
    tx,
    'SELECT node, event, output, error, (extract(epoch FROM clock_timestamp() - at) * 1000)::float8 AS age_ms FROM saga_event WHERE saga_id = $1',
    [id],
  );
}

export async function record(
  tx: Tx,
  about: { readonly id: string; readonly epoch: number; readonly host: string },
  node: string,
  event: NodeEvent,
  detail: { readonly output?: unknown; readonly error?: string } = {},
): Promise<void> {
  await execute(
    tx,
    `INSERT INTO saga_event (saga_id, node, event, output, error, epoch, host) VALUES ($1, $2, $3, $4, $5, $6, $7)
     ON CONFLICT (saga_id, node, event) DO UPDATE SET output = EXCLUDED.output, error = EXCLUDED.error, epoch = EXCLUDED.epoch`,
    [
      about.id,
      node,
      event,
      detail.output === undefined ? null : JSON.stringify(detail.output),
      detail.error ?? null,
      about.epoch,
      about.host,
    ],
  );
}

export async function setUnwinding(tx: Tx, id: string, failure: SagaRow['failure']): Promise<void> {
  await execute(tx, "UPDATE saga SET state = 'unwinding', failure = COALESCE(failure, $2::jsonb) WHERE id = $1", [
    id,
    JSON.stringify(failure),
  ]);
}

/** Gives the run back until it is due again. */
export async function park(tx: Tx, id: string, epoch: number, afterMs: number, stuck: boolean): Promise<void> {
  await execute(
    tx,
    `UPDATE saga SET lease_owner = NULL, lease_until = NULL, next_attempt_at = clock_timestamp() + $3 * interval '1 millisecond',
       state = CASE WHEN $4 AND state = 'running' THEN 'stuck' ELSE state END
     WHERE id = $1 AND lease_epoch = $2`,
    [id, epoch, afterMs, stuck],
  );
}

/** Ends the run, whose key is locked since its fence, and lets the next one of the key go. Answers whether there is one. */
export async function finish(
  tx: Tx,
  row: Pick<SagaRow, 'id' | 'lock_key'>,
  state: 'done' | 'undone',
): Promise<boolean> {
  await execute(
    tx,
    'UPDATE saga SET state = $2, lease_owner = NULL, lease_until = NULL, updated_at = clock_timestamp() WHERE id = $1',
    [row.id, state],
  );
  return (
    (await execute(
      tx,
      `UPDATE saga SET state = 'running', next_attempt_at = clock_timestamp()
       WHERE id = (SELECT id FROM saga WHERE lock_key = $1 AND state = 'queued' ORDER BY seq LIMIT 1)`,
      [row.lock_key],
    )) > 0
  );
}

/** Serialises all starts and ends of one key until the transaction ends. */
export async function lockKey(tx: Tx, key: string): Promise<void> {
  await execute(tx, "SELECT pg_advisory_xact_lock(hashtextextended('saga:' || $1, 0))", [key]);
}
