import { randomUUID } from 'node:crypto';
import type { Tx } from '@nestack/kernel/context';
import type { Logger } from '@nestack/kernel/log';
import type { Database } from './surface';
import { afterCommit, execute, sql } from './transaction';

/** A message as it waits in the table. */
export interface OutboxMessage {
  readonly messageId: string;
  /** What its publisher understands: an exchange, a URL. */
  readonly destination: string;
  readonly message: unknown;
}

/** Delivers one message and resolves when it has certainly arrived; a rejection means: later again. */
export type OutboxPublisher = (message: OutboxMessage) => Promise<void>;

export interface OutboxOptions {
  /** Only messages to this destination, so that a slow one does not hold up the others; each has an outbox of its own then. */
  readonly destination?: string;
  /** After how long a message that somebody took and never settled is due again; default 20,000 ms. */
  readonly takenMs?: number;
}

const BATCH = 50;
/** After so long a message that was taken and neither delivered nor put off is due again. */
const TAKEN_MS = 20_000;
const SWEEP_MS = 5000;

/**
 * Messages that belong to a change of state: written in its transaction, delivered after it at least once, in order per
 * process; what a crash cut off is delivered by whoever sweeps next. Receivers drop duplicates by message id (`seen`).
 */
export class Outbox {
  private timer: NodeJS.Timeout | null = null;
  private running: Promise<void> | null = null;
  private again = false;
  private closed = false;

  constructor(
    private readonly database: Database,
    private readonly publish: OutboxPublisher,
    private readonly log: Logger,
    private readonly options: OutboxOptions = {},
  ) {}

  /** Adds a message to the transaction; delivery begins right after its commit. */
  async add(tx: Tx, destination: string, message: unknown): Promise<void> {
    await this.addAll(tx, destination, [message]);
  }

  /** Adds several in one statement. */
  async addAll(tx: Tx, destination: string, messages: readonly unknown[]): Promise<void> {
    if (messages.length === 0) return;
    await execute(
      tx,
      `INSERT INTO outbox (message_id, destination, message)
       SELECT m.id, $1, m.message::jsonb FROM unnest($2::uuid[], $3::text[]) AS m (id, message)`,
      [destination, messages.map(() => randomUUID()), messages.map((message) => JSON.stringify(message))],
    );
    afterCommit(tx, () => this.ring());
  }

  /** Begins to sweep. */
  start(): void {
    this.timer = setInterval(() => this.ring(), SWEEP_MS);
    this.ring();
  }

  async close(): Promise<void> {
    this.closed = true;
    if (this.timer !== null) clearInterval(this.timer);
    await this.running;
  }

  /** Delivers what is due. */
  ring(): void {
    if (this.closed) return;
    if (this.running !== null) {
      this.again = true;
      return;
    }
    this.running = this.drain()
      .catch((error: unknown) => this.log.warn(null, 'outbox.failed', { error: String(error) }))
      .finally(() => {
        this.running = null;
        if (this.again) {
          this.again = false;
          this.ring();
        }
      });
  }

  private async drain(): Promise<void> {
    while (!this.closed) {
      const rows = await this.database.read('outbox.take', (tx) => this.take(tx));
      if (rows.length > 0) await this.deliver(rows);
      if (rows.length < BATCH) return;
    }
  }

  /**
   * Takes what is due, in a statement of its own: no transaction stays open while a slow destination is spoken to. What
   * is taken and never settled, because this process dies, is due again after a while.
   */
  private async take(tx: Tx): Promise<Row[]> {
    const rows = await sql<Row>(
      tx,
      `UPDATE outbox SET attempts = attempts + 1, next_attempt_at = clock_timestamp() + $2 * interval '1 millisecond'
       WHERE id IN (SELECT id FROM outbox WHERE next_attempt_at <= clock_timestamp() AND ($1::text IS NULL OR destination = $1)
         ORDER BY id LIMIT ${String(BATCH)} FOR UPDATE SKIP LOCKED)
       RETURNING id, message_id, destination, message, attempts`,
      [this.options.destination ?? null, this.options.takenMs ?? TAKEN_MS],
    );
    return rows.sort((a, b) => Number(a.id) - Number(b.id));
  }

  private async deliver(rows: readonly Row[]): Promise<void> {
    // Begun in their order, awaited together: publishers may send what comes at once in one go.
    const outcomes = await Promise.allSettled(
      rows.map(async (row) =>
        this.publish({ messageId: row.message_id, destination: row.destination, message: row.message }),
      ),
    );
    const sent: string[] = [];
    const delayed: string[] = [];
    for (const [at, { id, destination, attempts }] of rows.entries()) {
      const outcome = outcomes[at];
      if (outcome?.status === 'fulfilled') sent.push(id);
      else {
        delayed.push(id);
        this.log.warn(null, 'outbox.delayed', { destination, attempts, error: String(outcome?.reason) });
      }
    }
    await this.database.read('outbox.settle', async (tx) => {
      if (sent.length > 0) await execute(tx, 'DELETE FROM outbox WHERE id = ANY($1::bigint[])', [sent]);
      if (delayed.length > 0)
        await execute(
          tx,
          "UPDATE outbox SET next_attempt_at = clock_timestamp() + least(30, 2 ^ least(attempts - 1, 5)) * interval '1 second' WHERE id = ANY($1::bigint[])",
          [delayed],
        );
    });
  }
}

interface Row {
  readonly id: string;
  readonly message_id: string;
  readonly destination: string;
  readonly message: unknown;
  readonly attempts: number;
}

/** Whether this message was taken in before; marks it as taken. In the transaction of what it causes. */
export async function seen(tx: Tx, messageId: string): Promise<boolean> {
  return (await execute(tx, 'INSERT INTO inbox (message_id) VALUES ($1) ON CONFLICT DO NOTHING', [messageId])) === 0;
}
