import type { Migration } from './surface';

/** Tables that every service has for its own durable work. */
export const kernelMigrations: readonly Migration[] = [
  {
    name: 'kernel-0001-sagas',
    up: [
      `CREATE TABLE saga (
        id uuid PRIMARY KEY,
        seq bigint GENERATED ALWAYS AS IDENTITY,
        kind text NOT NULL,
        version integer NOT NULL,
        params jsonb NOT NULL,
        actor jsonb NOT NULL,
        request_id text NOT NULL,
        global_request_id text NOT NULL,
        trace_id text NOT NULL,
        parent_span_id text NOT NULL,
        resource_id text NOT NULL,
        lock_key text NOT NULL,
        action text,
        state text NOT NULL CHECK (state IN ('queued', 'running', 'unwinding', 'done', 'undone', 'stuck')),
        failure jsonb,
        cancel_requested boolean NOT NULL DEFAULT false,
        lease_owner text,
        lease_epoch integer NOT NULL DEFAULT 0,
        lease_until timestamptz,
        attempts integer NOT NULL DEFAULT 0,
        next_attempt_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
      )`,
      "CREATE UNIQUE INDEX saga_lock ON saga (lock_key) WHERE state IN ('running', 'unwinding', 'stuck')",
      "CREATE INDEX saga_due ON saga (next_attempt_at) WHERE state IN ('running', 'unwinding', 'stuck')",
      "CREATE INDEX saga_queue ON saga (lock_key, seq) WHERE state = 'queued'",
      'CREATE INDEX saga_resource ON saga (resource_id, seq DESC)',
      `CREATE TABLE saga_event (
        saga_id uuid NOT NULL REFERENCES saga (id) ON DELETE CASCADE,
        node text NOT NULL,
        event text NOT NULL CHECK (event IN ('started', 'done', 'skipped', 'failed', 'undo_started', 'undone')),
        output jsonb,
        error text,
        epoch integer NOT NULL,
        host text,
        at timestamptz NOT NULL DEFAULT clock_timestamp(),
        PRIMARY KEY (saga_id, node, event)
      )`,
    ],
  },
  {
    name: 'kernel-0002-outbox',
    up: [
      `CREATE TABLE outbox (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        message_id uuid NOT NULL,
        destination text NOT NULL,
        message jsonb NOT NULL,
        created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        next_attempt_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        attempts integer NOT NULL DEFAULT 0
      )`,
      `CREATE TABLE inbox (
        message_id text PRIMARY KEY,
        at timestamptz NOT NULL DEFAULT clock_timestamp()
      )`,
    ],
  },
  {
    name: 'kernel-0003-saga-errors',
    up: [
      // Why a run makes no progress, for operators.
      'ALTER TABLE saga ADD COLUMN last_error text',
      // Leases are renewed in place, beside the row's earlier version.
      'ALTER TABLE saga SET (fillfactor = 70)',
    ],
  },
];
