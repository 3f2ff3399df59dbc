/**
 * A saga worker as a process of its own, to be killed and frozen by tests: `worker-process.js URL SCHEMA OWNER KINDS
 * LEASE_MS SWEEP_MS [FROZEN_IN]`. Says `ready` once it works.
 */
import { openDatabase } from '@nestack/kernel/db';
import { createLogger } from '@nestack/kernel/log';
import pg from 'pg';
import { createSagaWorker } from '../src/index';
import { World, tripSaga } from './trip';

const [url = '', schema = '', owner = '', kinds = '', leaseMs = '', sweepMs = '', frozenIn] = process.argv.slice(2);
const log = createLogger({ service: owner, host: 'h', level: 'warn' });
const database = openDatabase({ url, schema, pool_size: 5 }, log);
const pool = new pg.Pool({ connectionString: url, max: 5, options: `-c search_path=${schema}` });
pool.on('error', (error) => log.warn(null, 'pool', { error: String(error) }));
const worker = createSagaWorker({
  database,
  log,
  service: owner,
  host: 'h',
  owner,
  ring: (bell) => worker.wake(bell),
  leaseMs: Number(leaseMs),
  sweepMs: Number(sweepMs),
});
for (const kind of kinds.split(',')) worker.register(tripSaga(kind, new World(pool), frozenIn ?? null));
await worker.start();
process.stdout.write('ready\n');
process.once('SIGTERM', () => {
  void worker
    .close()
    .then(() => database.close())
    .then(() => pool.end())
    .then(() => process.exit(0));
});
