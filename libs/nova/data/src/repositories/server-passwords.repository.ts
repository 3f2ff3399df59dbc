import type { Tx } from '@nestack/kernel/context';
import { execute, sql } from '@nestack/kernel/db';
import type { ServerPasswordRepository } from '@nestack/nova/domain';

export class ServerPasswordsRepository implements ServerPasswordRepository {
  async find(tx: Tx, instanceUuid: string): Promise<string | null> {
    const [row] = await sql<{ password: string }>(
      tx,
      'SELECT password FROM server_password WHERE instance_uuid = $1::uuid',
      [instanceUuid],
    );
    return row?.password ?? null;
  }

  async put(tx: Tx, instanceUuid: string, password: string): Promise<boolean> {
    const rows = await sql<{ instance_uuid: string }>(
      tx,
      `INSERT INTO server_password (instance_uuid, password) VALUES ($1::uuid, $2)
       ON CONFLICT (instance_uuid) DO NOTHING RETURNING instance_uuid`,
      [instanceUuid, password],
    );
    return rows.length > 0;
  }

  async forget(tx: Tx, instanceUuid: string): Promise<void> {
    await execute(tx, 'DELETE FROM server_password WHERE instance_uuid = $1::uuid', [instanceUuid]);
  }
}
