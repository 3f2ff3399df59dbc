import type { Tx } from '@nestack/kernel/context';
import { execute, sql, sqlOne } from '@nestack/kernel/db';
import type { Capabilities, Service, ServiceRepository } from '@nestack/cinder/domain';

/** upstream: service_down_time */
const DOWN_SECONDS = 60;
const COLUMNS = `id, uuid, binary_name AS binary, host, availability_zone, disabled, disabled_reason, frozen, capabilities, updated_at,
  updated_at > clock_timestamp() - interval '${String(DOWN_SECONDS)} seconds' AS up`;

/** Services and what they last said of themselves, in PostgreSQL. */
export class ServicesRepository implements ServiceRepository {
  async heartbeat(
    tx: Tx,
    service: { binary: string; host: string; availability_zone: string; capabilities: Capabilities | null },
  ): Promise<void> {
    await execute(
      tx,
      `INSERT INTO service (binary_name, host, availability_zone, capabilities) VALUES ($1, $2, $3, $4)
       ON CONFLICT (binary_name, host) DO UPDATE SET availability_zone = EXCLUDED.availability_zone,
         capabilities = EXCLUDED.capabilities, updated_at = clock_timestamp()`,
      [
        service.binary,
        service.host,
        service.availability_zone,
        service.capabilities === null ? null : JSON.stringify(service.capabilities),
      ],
    );
  }

  list(
    tx: Tx,
    filters: { readonly host?: string | undefined; readonly binary?: string | undefined },
  ): Promise<readonly Service[]> {
    return sql<Service>(
      tx,
      `SELECT ${COLUMNS} FROM service
       WHERE ($1::text IS NULL OR host = $1 OR split_part(host, '@', 1) = $1) AND ($2::text IS NULL OR binary_name = $2)
       ORDER BY binary_name, host`,
      [filters.host ?? null, filters.binary ?? null],
    );
  }

  async setFrozen(tx: Tx, host: string, frozen: boolean): Promise<boolean> {
    const changed = await execute(
      tx,
      `UPDATE service SET frozen = $2, disabled = $2, disabled_reason = CASE WHEN $2 THEN 'frozen' END
       WHERE host = $1 AND binary_name = 'cinder-volume'`,
      [host, frozen],
    );
    return changed === 1;
  }

  setDisabled(tx: Tx, host: string, binary: string, disabled: boolean, reason: string | null): Promise<Service | null> {
    return sqlOne<Service>(
      tx,
      `UPDATE service SET disabled = $3, disabled_reason = $4 WHERE host = $1 AND binary_name = $2 RETURNING ${COLUMNS}`,
      [host, binary, disabled, reason],
    );
  }
}
