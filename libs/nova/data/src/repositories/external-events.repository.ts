import type { Tx } from '@nestack/kernel/context';
import { execute, sql } from '@nestack/kernel/db';
import type { ExternalEventRepository } from '@nestack/nova/domain';

/** External events in PostgreSQL: the last of each name and tag. */
export class ExternalEventsRepository implements ExternalEventRepository {
  async record(
    tx: Tx,
    instanceUuid: string,
    event: { readonly name: string; readonly tag: string; readonly status: string; readonly at: Date },
  ): Promise<void> {
    await execute(
      tx,
      `INSERT INTO external_event (instance_uuid, name, tag, status, at) VALUES ($1::uuid, $2, $3, $4, $5)
       ON CONFLICT (instance_uuid, name, tag) DO UPDATE SET status = EXCLUDED.status, at = EXCLUDED.at`,
      [instanceUuid, event.name, event.tag, event.status, event.at],
    );
  }

  async of(tx: Tx, instanceUuid: string, name: string): Promise<ReadonlyMap<string, string>> {
    const rows = await sql<{ tag: string; status: string }>(
      tx,
      'SELECT tag, status FROM external_event WHERE instance_uuid = $1::uuid AND name = $2',
      [instanceUuid, name],
    );
    return new Map(rows.map((row) => [row.tag, row.status]));
  }

  async forget(tx: Tx, instanceUuid: string, name?: string, tag?: string): Promise<void> {
    await execute(
      tx,
      `DELETE FROM external_event WHERE instance_uuid = $1::uuid AND ($2::text IS NULL OR name = $2) AND ($3::text IS NULL OR tag = $3)`,
      [instanceUuid, name ?? null, tag ?? null],
    );
  }
}
