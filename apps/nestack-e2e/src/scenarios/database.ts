import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Client } from 'pg';
import type { Cloud } from '../cloud';

/** A connection to the database as the role of one service, which sees its own schema alone. */
export async function connectDatabase(cloud: Cloud, service: string): Promise<Client> {
  const file = path.join(cloud.state, 'config/controller.json');
  const { apps } = JSON.parse(readFileSync(file, 'utf8')) as {
    apps: Record<string, { database: { url: string; schema: string } }>;
  };
  const database = apps[service]?.database;
  if (database === undefined) throw new Error(`${service} has no database`);
  const client = new Client({ connectionString: database.url, options: `-c search_path=${database.schema}` });
  await client.connect();
  return client;
}
