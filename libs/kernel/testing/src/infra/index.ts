import { mkdtempSync, rmSync, chmodSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { freePort, startPostgres, startRabbitmq, type RunningServer } from '@nestack/kernel/servers';

export { killablePostgres, killableRabbitmq, type KillableServer } from './killable';

/** A virtual host for each worker of a test run, so that queues of test files that run side by side do not meet. */
const WORKER_VHOSTS = Array.from({ length: 8 }, (_, at) => `worker-${at + 1}`);

export interface TestInfra {
  readonly pgUrl: string;
  readonly amqpUrl: string;
  /** Whether the broker has a virtual host `worker-N` for each worker of the run. */
  readonly workerVhosts: boolean;
  stop(): Promise<void>;
}

/** One private PostgreSQL and one private RabbitMQ on free ports; those named in the environment are used instead. */
export async function startTestInfra(): Promise<TestInfra> {
  const dir = mkdtempSync(path.join(tmpdir(), 'nestack-test-'));
  chmodSync(dir, 0o755);
  const started: RunningServer[] = [];
  const given = { pg: process.env['NESTACK_TEST_PG_URL'], amqp: process.env['NESTACK_TEST_AMQP_URL'] };
  const keep = async (server: Promise<RunningServer>): Promise<string> => {
    const running = await server;
    started.push(running);
    return running.url;
  };
  const stop = async (): Promise<void> => {
    await Promise.all(started.map((server) => server.stop()));
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    const [pgUrl, amqpUrl] = await Promise.all([
      given.pg ?? keep(freePort().then((port) => startPostgres({ dir: path.join(dir, 'pg'), port, fsync: false }))),
      given.amqp ??
        keep(
          Promise.all([freePort(), freePort(), freePort()]).then(([port, distPort, epmdPort]) =>
            startRabbitmq({ dir: path.join(dir, 'rabbitmq'), port, distPort, epmdPort, vhosts: WORKER_VHOSTS }),
          ),
        ),
    ]);
    return { pgUrl, amqpUrl, workerVhosts: given.amqp === undefined, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
