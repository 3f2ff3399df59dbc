import type { Tx } from '@nestack/kernel/context';
import { execute, sql } from '@nestack/kernel/db';
import { POWER_STATE } from '@nestack/nova/contract';
import type { ConsoleConnection, ConsoleTokenRepository, NewConsoleToken } from '@nestack/nova/domain';

const COLUMNS = 't.instance_uuid, t.console_type, t.host, t.port, t.internal_access_path, t.access_url_base';

/** A token is void once its server is deleted, elsewhere or down, whoever made it so. */
const STANDS = `t.digest = $1 AND t.expires_at > $2 AND i.uuid = t.instance_uuid AND i.deleted_at IS NULL
  AND i.host = t.compute_host AND i.power_state = ANY ($3::int[])`;
const UP = [POWER_STATE.running, POWER_STATE.paused];

/** Console tokens in PostgreSQL. */
export class ConsoleTokensRepository implements ConsoleTokenRepository {
  async insert(tx: Tx, token: NewConsoleToken): Promise<void> {
    await execute(
      tx,
      `INSERT INTO console_auth_token (digest, instance_uuid, compute_host, console_type, host, port, internal_access_path,
         access_url_base, expires_at)
       VALUES ($1, $2::uuid, $3, $4, $5, $6, $7, $8, $9)`,
      [
        token.digest,
        token.instance_uuid,
        token.compute_host,
        token.console_type,
        token.host,
        token.port,
        token.internal_access_path,
        token.access_url_base,
        token.expires_at,
      ],
    );
  }

  async find(tx: Tx, digest: string, now: Date): Promise<ConsoleConnection | null> {
    const text = `SELECT ${COLUMNS} FROM console_auth_token t, instance i WHERE ${STANDS}`;
    return (await sql<ConsoleConnection>(tx, text, [digest, now, UP]))[0] ?? null;
  }

  async take(tx: Tx, digest: string, now: Date): Promise<ConsoleConnection | null> {
    const text = `DELETE FROM console_auth_token t USING instance i WHERE ${STANDS} RETURNING ${COLUMNS}`;
    return (await sql<ConsoleConnection>(tx, text, [digest, now, UP]))[0] ?? null;
  }

  async removeExpired(tx: Tx, now: Date): Promise<void> {
    await execute(tx, 'DELETE FROM console_auth_token WHERE expires_at <= $1', [now]);
  }
}
