import pg from 'pg';
import { secretOf, SERVICES, type CloudSettings, type ServiceName } from './settings';

/** Name of the cloud's database; clouds that share a server are told apart by their port offset. */
export function databaseName(settings: CloudSettings): string {
  return settings.databaseUrl !== null && settings.portOffset !== 0 ? `nestack_${settings.portOffset}` : 'nestack';
}

/** Role of one service, which owns its schema and sees nothing else. */
export function roleOf(settings: CloudSettings, service: ServiceName): string {
  return `${databaseName(settings)}_${service}`;
}

/** The URL with which a service opens its database. */
export function databaseUrlOf(settings: CloudSettings, adminUrl: string, service: ServiceName): string {
  const url = new URL(adminUrl);
  url.username = roleOf(settings, service);
  url.password = secretOf(settings, `db-${service}`);
  url.pathname = `/${databaseName(settings)}`;
  return url.toString();
}

/** Makes what is missing: the database, and for each service a role with its password and a schema of its own. */
export async function ensureDatabases(settings: CloudSettings, adminUrl: string): Promise<void> {
  const name = databaseName(settings);
  await withClient(adminUrl, async (client) => {
    const found = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [name]);
    if (found.rowCount === 0) await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)}`);
  });
  const inside = new URL(adminUrl);
  inside.pathname = `/${name}`;
  await withClient(inside.toString(), async (client) => {
    const database = client.escapeIdentifier(name);
    await client.query('REVOKE ALL ON SCHEMA public FROM PUBLIC');
    await client.query(`REVOKE ALL ON DATABASE ${database} FROM PUBLIC`);
    for (const service of SERVICES) {
      const role = client.escapeIdentifier(roleOf(settings, service));
      const found = await client.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [roleOf(settings, service)]);
      if (found.rowCount === 0) await client.query(`CREATE ROLE ${role}`);
      await client.query(
        `ALTER ROLE ${role} LOGIN PASSWORD ${client.escapeLiteral(secretOf(settings, `db-${service}`))}`,
      );
      await client.query(`GRANT CONNECT ON DATABASE ${database} TO ${role}`);
      // Needed by administrators that are no superusers (hosted PostgreSQL) to give a schema away.
      await client.query(`GRANT ${role} TO CURRENT_USER`);
      await client.query(`CREATE SCHEMA IF NOT EXISTS ${client.escapeIdentifier(service)} AUTHORIZATION ${role}`);
    }
  });
}

/** Removes the cloud's database and roles from a server that is not ours. */
export async function dropDatabases(settings: CloudSettings, adminUrl: string): Promise<void> {
  await withClient(adminUrl, async (client) => {
    await client.query(`DROP DATABASE IF EXISTS ${client.escapeIdentifier(databaseName(settings))} WITH (FORCE)`);
    for (const service of SERVICES) {
      await client.query(`DROP ROLE IF EXISTS ${client.escapeIdentifier(roleOf(settings, service))}`);
    }
  });
}

async function withClient(url: string, fn: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  client.on('error', () => undefined);
  await client.connect();
  try {
    await fn(client);
  } finally {
    await client.end();
  }
}
