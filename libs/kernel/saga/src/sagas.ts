import { randomUUID } from 'node:crypto';
import { SYSTEM_ACTOR, type RequestContext, type Tx } from '@nestack/kernel/context';
import { afterCommit, executeSoon, sql, sqlOne, sqlSoon } from '@nestack/kernel/db';
import { DomainError } from '@nestack/kernel/errors';
import { lockKey, lockKeySoon } from './journal';
import { NOT_BEGUN } from './plans';
import type { SagaHistory, Sagas, StartSaga, StuckSaga } from './surface';

/** Which run is due. */
export interface Bell {
  readonly id: string;
  readonly kind: string;
}

/** Wakes workers, here and in other processes; losing a ring costs latency only. */
export type Doorbell = (bell: Bell) => void;

const ACTIVE = "('running', 'unwinding', 'stuck')";

/** Writes runs into the journal. */
export function createSagas(ring: Doorbell): Sagas {
  return {
    async start(ctx: RequestContext, tx: Tx, kind: string, start: StartSaga<unknown>): Promise<string> {
      const id = randomUUID();
      const key = start.lockKey ?? start.resourceId;
      lockKeySoon(tx, key);
      const active = await sqlOne<Bell>(tx, `SELECT id, kind FROM saga WHERE lock_key = $1 AND state IN ${ACTIVE}`, [
        key,
      ]);
      if (active !== null && (start.mode ?? 'reject') === 'reject')
        throw inProgress(start.resourceId, kind, active.kind);
      if (active !== null && start.mode === 'preempt') preempt(tx, key, active, ring);
      void executeSoon(
        tx,
        `INSERT INTO saga (id, kind, version, params, actor, request_id, global_request_id, trace_id, parent_span_id, resource_id, lock_key, action, state)
         VALUES ($1, $2, ${String(NOT_BEGUN)}, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
        [
          id,
          kind,
          JSON.stringify(start.params),
          JSON.stringify(ctx.actor ?? SYSTEM_ACTOR),
          ctx.requestId,
          ctx.globalRequestId,
          ctx.traceId,
          ctx.spanId,
          start.resourceId,
          key,
          start.action ?? null,
          active === null ? 'running' : 'queued',
        ],
      );
      // A queued run is rung by the end of the one before it.
      if (active === null) afterCommit(tx, () => ring({ id, kind }));
      return id;
    },

    lock: lockKey,

    async signal(_ctx: RequestContext, tx: Tx, resourceId: string): Promise<void> {
      const rung = sqlSoon<Bell>(
        tx,
        `UPDATE saga SET next_attempt_at = clock_timestamp() WHERE resource_id = $1 AND state IN ${ACTIVE} RETURNING id, kind`,
        [resourceId],
      );
      afterCommit(tx, () => void rung.then((bells) => bells.forEach(ring)));
      await Promise.resolve();
    },

    async busy(tx: Tx, key: string): Promise<boolean> {
      return (
        (await sqlOne(tx, "SELECT 1 FROM saga WHERE lock_key = $1 AND state NOT IN ('done', 'undone') LIMIT 1", [
          key,
        ])) !== null
      );
    },

    async busyResources(tx: Tx, ids: readonly string[]): Promise<ReadonlySet<string>> {
      const rows = await sql<{ resource_id: string }>(
        tx,
        "SELECT DISTINCT resource_id FROM saga WHERE resource_id = ANY($1::text[]) AND state NOT IN ('done', 'undone')",
        [ids],
      );
      return new Set(rows.map((row) => row.resource_id));
    },

    stuck(tx: Tx): Promise<readonly StuckSaga[]> {
      return sql<StuckSaga>(
        tx,
        `SELECT id, kind, resource_id AS "resourceId", request_id AS "requestId", failure IS NOT NULL AS unwinding, attempts,
           last_error AS error, created_at AS "startedAt", updated_at AS "updatedAt"
         FROM saga WHERE state = 'stuck' ORDER BY seq`,
      );
    },

    async history(tx: Tx, resourceId: string, limit = 100): Promise<readonly SagaHistory[]> {
      const rows = await sql<HistoryRow>(
        tx,
        `SELECT s.id, s.kind, s.action, s.request_id, s.actor->>'userId' AS user_id, s.actor->>'projectId' AS project_id, s.state, s.created_at, s.updated_at,
           s.failure->>'message' AS message,
           COALESCE((SELECT jsonb_agg(jsonb_build_object('node', e.node, 'event', e.event, 'error', e.error, 'host', e.host, 'at', e.at) ORDER BY e.at)
             FROM saga_event e WHERE e.saga_id = s.id), '[]'::jsonb) AS events
         FROM saga s WHERE s.resource_id = $1 ORDER BY s.seq DESC LIMIT $2`,
        [resourceId, limit],
      );
      return rows.map(toHistory);
    },
  };
}

function inProgress(resourceId: string, kind: string, active: string): DomainError {
  return new DomainError({
    kind: 'conflict',
    code: 'OperationInProgress',
    message: `Another operation on ${resourceId} is in progress.`,
    detail: `${kind} meets ${active}`,
  });
}

/** Asks the run under way to unwind, and drops those that wait for its end. */
function preempt(tx: Tx, key: string, active: Bell, ring: Doorbell): void {
  void executeSoon(tx, 'UPDATE saga SET cancel_requested = true, next_attempt_at = clock_timestamp() WHERE id = $1', [
    active.id,
  ]);
  void executeSoon(
    tx,
    `UPDATE saga SET state = 'undone', failure = '{"kind": "conflict", "code": "Preempted", "message": "Superseded by a later operation."}'
     WHERE lock_key = $1 AND state = 'queued'`,
    [key],
  );
  afterCommit(tx, () => ring(active));
}

interface HistoryRow {
  readonly id: string;
  readonly kind: string;
  readonly action: string | null;
  readonly request_id: string;
  readonly user_id: string;
  readonly project_id: string | null;
  readonly state: SagaHistory['state'];
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly message: string | null;
  readonly events: readonly { node: string; event: string; error: string | null; host: string | null; at: string }[];
}

function toHistory(row: HistoryRow): SagaHistory {
  const steps = new Map<string, SagaHistory['steps'][number]>();
  for (const { node, event, error, host, at } of row.events) {
    if (event === 'skipped') continue;
    const known = steps.get(node);
    const ends = event === 'done' || event === 'failed' || event === 'undone';
    steps.set(node, {
      name: node,
      event,
      startedAt: known?.startedAt ?? new Date(at),
      finishedAt: ends ? new Date(at) : (known?.finishedAt ?? null),
      error: error ?? known?.error ?? null,
      host: host ?? known?.host ?? null,
    });
  }
  return {
    id: row.id,
    kind: row.kind,
    action: row.action,
    requestId: row.request_id,
    userId: row.user_id,
    projectId: row.project_id,
    state: row.state,
    startedAt: row.created_at,
    updatedAt: row.updated_at,
    message: row.message,
    steps: [...steps.values()],
  };
}
