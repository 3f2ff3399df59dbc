import type { Actor, Tx } from '@nestack/kernel/context';
import { execute, executeSoon, sql, sqlSoon } from '@nestack/kernel/db';

export type SagaState = 'queued' | 'running' | 'unwinding' | 'done' | 'undone' | 'stuck';

export interface Failure {
  readonly kind: string;
  readonly code: string;
  readonly message: string;
}

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
  /** Set once the run unwinds: also tells the direction of one that is stuck. */
  readonly failure: Failure | null;
  readonly cancel_requested: boolean;
  readonly lease_epoch: number;
  /** Claims since the last progress: what makes none waits longer each time. */
  readonly attempts: number;
}

export type NodeEvent = 'started' | 'done' | 'skipped' | 'failed' | 'undone';

/** An event to be written. */
export interface Entry {
  readonly node: string;
  readonly event: NodeEvent;
  readonly output?: unknown;
  readonly error?: string;
}

/** One as it was read. */
export interface EventRow {
  readonly node: string;
  readonly event: NodeEvent;
  readonly output: unknown;
  readonly age_ms: number;
}

/** A run in the hands of a worker. */
export interface Held {
  readonly id: string;
  readonly epoch: number;
  readonly lockKey: string;
  readonly host: string;
  readonly leaseMs: number;
}

/** Another worker has the run: what this one still does would be a double. */
export class LeaseLost extends Error {
  constructor() {
    super('the lease of the run was lost');
    this.name = 'LeaseLost';
  }
}

const ROW = `id, kind, version, params, actor, request_id, global_request_id, trace_id, parent_span_id, resource_id, lock_key, action, state,
  failure, cancel_requested, lease_epoch, attempts`;
const ACTIVE = "('running', 'unwinding', 'stuck')";
const LEASE = (parameter: string): string => `clock_timestamp() + ${parameter} * interval '1 millisecond'`;
/** A step was taken: whatever held the run up before does not any more. */
const PROGRESS = `attempts = 0, last_error = NULL,
  state = CASE WHEN state <> 'stuck' THEN state WHEN failure IS NULL THEN 'running' ELSE 'unwinding' END`;

/** Whether a run is of the kinds and versions in the second parameter. */
const KNOWN =
  '(kind, version) IN (SELECT kind, version FROM jsonb_to_recordset($2::jsonb) AS k (kind text, version int))';

export interface Claim {
  readonly owner: string;
  /** What the owner can take up; a run that nobody has begun has version 0. */
  readonly known: readonly { readonly kind: string; readonly version: number }[];
  /** The version that such a run gets, by kind. */
  readonly begun: Readonly<Record<string, number>>;
  readonly limit: number;
  readonly leaseMs: number;
  /** Runs that this worker has in hand: other leases in its name are left from before an outage. */
  readonly active: readonly string[];
  /** Only these; all that are due when null. */
  readonly ids: readonly string[] | null;
}

/**
 * Takes due runs: their epoch rises, so that whoever had them before can write no more. A run that was claimed before without
 * any progress (its worker dies of it, say) is due again later each time, never twice with the same others: whoever was only
 * beside it when its worker died gets a worker of his own before long. Runs of versions that the owner does not know are left to
 * others.
 */
export function claim(tx: Tx, wanted: Claim): Promise<SagaRow[]> {
  const { owner, known, begun, limit, leaseMs, active, ids } = wanted;
  return sql<SagaRow>(
    tx,
    `UPDATE saga SET lease_owner = $1, lease_epoch = lease_epoch + 1, lease_until = ${LEASE('$4')}, attempts = attempts + 1,
       version = CASE WHEN version = 0 THEN ($6::jsonb->>kind)::int ELSE version END,
       next_attempt_at = CASE WHEN attempts = 0 THEN next_attempt_at
         ELSE clock_timestamp() + least(10, 0.5 * 2 ^ least(attempts, 6)) * (1 + random()) * interval '1 second' END
     WHERE id IN (SELECT id FROM saga WHERE state IN ${ACTIVE} AND next_attempt_at <= clock_timestamp()
       AND (lease_until IS NULL OR lease_until < clock_timestamp() OR (lease_owner = $1 AND id <> ALL($5::uuid[])))
       AND ${KNOWN} ${ids === null ? '' : 'AND id = ANY($7::uuid[])'}
       ORDER BY next_attempt_at LIMIT $3 FOR UPDATE SKIP LOCKED)
     RETURNING ${ROW}`,
    [owner, JSON.stringify(known), limit, leaseMs, active, JSON.stringify(begun), ...(ids === null ? [] : [ids])],
  );
}

/** Due runs of these kinds that nobody has taken up for so long and that are of no version known here; marked as stuck. */
export function strandUnknown(
  tx: Tx,
  known: Claim['known'],
  kinds: readonly string[],
  forMs: number,
): Promise<Pick<SagaRow, 'id' | 'kind' | 'version' | 'resource_id'>[]> {
  return sql(
    tx,
    `UPDATE saga SET state = 'stuck', last_error = 'version ' || version || ' of ' || kind || ' is not known to any worker'
     WHERE state IN ('running', 'unwinding') AND kind = ANY($1::text[]) AND NOT ${KNOWN}
       AND next_attempt_at < clock_timestamp() - $3 * interval '1 millisecond'
       AND (lease_until IS NULL OR lease_until < clock_timestamp())
     RETURNING id, kind, version, resource_id`,
    [kinds, JSON.stringify(known), forMs],
  );
}

/** Who holds leases under names that begin so. */
export async function leaseOwners(tx: Tx, prefix: string): Promise<string[]> {
  const rows = await sql<{ lease_owner: string }>(
    tx,
    `SELECT DISTINCT lease_owner FROM saga WHERE state IN ${ACTIVE} AND starts_with(lease_owner, $1)`,
    [prefix],
  );
  return rows.map((row) => row.lease_owner);
}

/** Gives the leases of these owners back, for whoever claims first. */
export async function dropLeases(tx: Tx, owners: readonly string[]): Promise<void> {
  await execute(tx, `UPDATE saga SET lease_until = NULL WHERE lease_owner = ANY($1::text[]) AND state IN ${ACTIVE}`, [
    owners,
  ]);
}

/** Renews leases; answers which runs are still ours and which of them shall unwind. */
export function renew(
  tx: Tx,
  owner: string,
  ids: readonly string[],
  leaseMs: number,
): Promise<{ id: string; lease_epoch: number; cancel_requested: boolean }[]> {
  return sql(
    tx,
    `UPDATE saga SET lease_until = ${LEASE('$3')}
     WHERE id = ANY($2::uuid[]) AND lease_owner = $1 AND state IN ${ACTIVE} RETURNING id, lease_epoch, cancel_requested`,
    [owner, ids, leaseMs],
  );
}

/**
 * Locks the run's key and then its row if the lease is still ours; answers no row otherwise. Every transaction of a run begins
 * with it: key, run, then rows of the resource is the order in which everybody locks, so that nobody meets a deadlock.
 * It is sent ahead: its outcome is looked at before the commit.
 */
export function fence(tx: Tx, run: Held, progress: boolean): Promise<{ readonly cancel_requested: boolean }[]> {
  return sqlSoon(
    tx,
    `WITH key AS MATERIALIZED (SELECT pg_advisory_xact_lock(hashtextextended('saga:' || $4, 0)))
     UPDATE saga SET updated_at = clock_timestamp(), lease_until = ${LEASE('$3')} ${progress ? `, ${PROGRESS}` : ''} FROM key
     WHERE id = $1 AND lease_epoch = $2 AND state IN ${ACTIVE} RETURNING cancel_requested`,
    [run.id, run.epoch, run.leaseMs, run.lockKey],
  );
}

const INSERT_EVENTS = 'INSERT INTO saga_event (saga_id, node, event, output, error, epoch, host)';
const FROM_ENTRIES = 'jsonb_to_recordset($1::jsonb) AS e (node text, event text, output jsonb, error text)';
const AGAIN = `ON CONFLICT (saga_id, node, event) DO UPDATE SET output = EXCLUDED.output, error = EXCLUDED.error,
  epoch = EXCLUDED.epoch`;

/** Writes events in a fenced transaction. They travel with its commit. */
export function record(tx: Tx, run: Held, entries: readonly Entry[]): void {
  if (entries.length === 0) return;
  void executeSoon(
    tx,
    `${INSERT_EVENTS} SELECT $2, e.node, e.event, e.output, e.error, $3, $4 FROM ${FROM_ENTRIES} ${AGAIN}`,
    [JSON.stringify(entries), run.id, run.epoch, run.host],
  );
}

/** Fence and events in one statement, for steps that touch nothing else of the schema. No row when the lease is lost. */
export function note(tx: Tx, run: Held, entries: readonly Entry[]): Promise<{ readonly cancel_requested: boolean }[]> {
  return sql(
    tx,
    `WITH held AS (UPDATE saga SET updated_at = clock_timestamp(), lease_until = ${LEASE('$5')}, ${PROGRESS}
       WHERE id = $2 AND lease_epoch = $3 AND state IN ${ACTIVE} RETURNING id, cancel_requested),
     written AS (${INSERT_EVENTS} SELECT held.id, e.node, e.event, e.output, e.error, $3, $4 FROM held, ${FROM_ENTRIES} ${AGAIN})
     SELECT cancel_requested FROM held`,
    [JSON.stringify(entries), run.id, run.epoch, run.host, run.leaseMs],
  );
}

export function events(tx: Tx, id: string): Promise<EventRow[]> {
  return sql<EventRow>(
    tx,
    'SELECT node, event, output, (extract(epoch FROM clock_timestamp() - at) * 1000)::float8 AS age_ms FROM saga_event WHERE saga_id = $1',
    [id],
  );
}

/** Turns the run round. */
export function setUnwinding(tx: Tx, id: string, failure: Failure): void {
  void executeSoon(
    tx,
    "UPDATE saga SET state = 'unwinding', failure = COALESCE(failure, $2::jsonb), attempts = 0, last_error = NULL WHERE id = $1",
    [id, JSON.stringify(failure)],
  );
}

export interface Parking {
  readonly afterMs: number;
  /** What went wrong; null when nothing did. */
  readonly error: string | null;
  readonly stuck: boolean;
}

/** Gives the run back until it is due again. */
export async function park(tx: Tx, id: string, epoch: number, parking: Parking): Promise<void> {
  await execute(
    tx,
    `UPDATE saga SET lease_owner = NULL, lease_until = NULL, next_attempt_at = ${LEASE('$3')},
       last_error = COALESCE($4, last_error), state = CASE WHEN $5 THEN 'stuck' ELSE state END
     WHERE id = $1 AND lease_epoch = $2 AND state IN ${ACTIVE}`,
    [id, epoch, parking.afterMs, parking.error, parking.stuck],
  );
}

/** Ends the run, whose key is locked since its fence, and lets the next one of the key go: answers which that is. */
export function finish(
  tx: Tx,
  row: Pick<SagaRow, 'id' | 'lock_key'>,
  state: 'done' | 'undone',
): Promise<{ readonly id: string; readonly kind: string }[]> {
  void executeSoon(
    tx,
    `UPDATE saga SET state = $2, lease_owner = NULL, lease_until = NULL, attempts = 0, last_error = NULL,
       updated_at = clock_timestamp() WHERE id = $1`,
    [row.id, state],
  );
  return sqlSoon(
    tx,
    `UPDATE saga SET state = 'running', next_attempt_at = clock_timestamp()
     WHERE id = (SELECT id FROM saga WHERE lock_key = $1 AND state = 'queued' ORDER BY seq LIMIT 1) RETURNING id, kind`,
    [row.lock_key],
  );
}

/** Serialises all starts and ends of one key until the transaction ends. */
export async function lockKey(tx: Tx, key: string): Promise<void> {
  await execute(tx, LOCK_KEY, [key]);
}

/** The same, sent ahead of the next statement. */
export function lockKeySoon(tx: Tx, key: string): void {
  void executeSoon(tx, LOCK_KEY, [key]);
}

const LOCK_KEY = "SELECT pg_advisory_xact_lock(hashtextextended('saga:' || $1, 0))";
