import { randomBytes } from 'node:crypto';
import { openDatabase, type Database, type Migration } from '@nestack/kernel/db';
import { silentLogger } from '@nestack/kernel/log';
import pg from 'pg';

export interface TestDatabase {
  readonly database: Database;
  readonly url: string;
  readonly schema: string;
  close(): Promise<void>;
}

/** A database of its own for one test file, with a schema and a role that owns nothing else, migrated. */
export async function createTestDatabase(
  schema: string,
  migrations: readonly Migration[] = [],
  /** A server of the test's own instead of the run's. */
  adminUrl = process.env['NESTACK_TEST_PG_URL'],
): Promise<TestDatabase> {
  if (adminUrl === undefined)
    throw new Error('NESTACK_TEST_PG_URL is not set: integration tests run through npm run jest');
  const name = `t_${randomBytes(6).toString('hex')}`;
  const admin = new pg.Client({ connectionString: adminUrl });
  // The server may be ended before its test has: nothing is left to be closed then.
  admin.on('error', () => undefined);
  await admin.connect();
  await admin.query(`CREATE ROLE ${name} LOGIN PASSWORD '${name}'`);
  await admin.query(`CREATE DATABASE ${name}`);
  const inside = new pg.Client({ connectionString: urlOf(adminUrl, name) });
  await inside.connect();
  await inside.query(`CREATE SCHEMA ${schema} AUTHORIZATION ${name}`);
  await inside.end();
  const url = urlOf(adminUrl, name, name);
  const database = openDatabase({ url, schema, pool_size: 10 }, silentLogger);
  await database.migrate(migrations);
  return {
    database,
    url,
    schema,
    close: async () => {
      await database.close();
      await admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
      await admin.query(`DROP ROLE ${name}`);
      await admin.end();
    },
  };
}

function urlOf(url: string, database: string, role?: string): string {
  const parsed = new URL(url);
  parsed.pathname = `/${database}`;
  if (role !== undefined) {
    parsed.username = role;
    parsed.password = role;
  }
  return parsed.toString();
}
