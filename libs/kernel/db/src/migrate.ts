import type { Tx } from '@nestack/kernel/context';
import type { Logger } from '@nestack/kernel/log';
import { kernelMigrations } from './kernel-tables';
import type { Migration } from './surface';
import { execute, sql } from './transaction';

/**
 * Applies what is missing, each migration in its own statements of one transaction that holds the schema's advisory
 * lock: of several processes that start at once one migrates and the others wait.
 */
export async function applyMigrations(
  tx: Tx,
  schema: string,
  migrations: readonly Migration[],
  log: Logger,
): Promise<void> {
  await execute(tx, "SELECT pg_advisory_xact_lock(hashtextextended('migrate:' || $1, 0))", [schema]);
  await execute(
    tx,
    'CREATE TABLE IF NOT EXISTS schema_migration (name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT clock_timestamp())',
  );
  const applied = new Set(
    (await sql<{ name: string }>(tx, 'SELECT name FROM schema_migration')).map((row) => row.name),
  );
  for (const migration of [...kernelMigrations, ...migrations]) {
    if (applied.has(migration.name)) continue;
    for (const statement of migration.up) await execute(tx, statement);
    await execute(tx, 'INSERT INTO schema_migration (name) VALUES ($1)', [migration.name]);
    log.info(null, 'migrated', { schema, migration: migration.name });
  }
}
