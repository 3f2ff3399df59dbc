import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Inject, Injectable, type DynamicModule } from '@nestjs/common';
import { AUTHENTICATOR } from '@nestack/kernel/auth';
import { apiConfig, brokerConfig, commonConfig, databaseConfig } from '@nestack/kernel/config';
import { DATABASE, execute, sqlOne, type Database } from '@nestack/kernel/db';
import { defineApi, Handles, novaEnvelope, operation, type RequestOf } from '@nestack/kernel/http';
import { waitFor } from '@nestack/kernel/process';
import { defineSaga, SAGAS, SAGA_WORKER, type SagaDefinition, type Sagas, type SagaWorker } from '@nestack/kernel/saga';
import { createTestDatabase, testBrokerUrl, type TestDatabase } from '@nestack/kernel/testing';
import Type from 'typebox';
import { Agent, request } from 'undici';
import { defineApp, kernelModule, startApp, type RunningApp } from './index';

const order = operation({
  id: 'order',
  summary: 'Orders',
  method: 'POST',
  path: '/orders/{id}',
  public: true,
  status: 202,
});
const slow = operation({ id: 'slow', summary: 'Slow', method: 'GET', path: '/slow', public: true, status: 200 });
const api = defineApi({
  service: 'shop',
  type: 'shop',
  title: 'Shop',
  prefixes: ['/v1'],
  envelope: novaEnvelope,
  operations: [order, slow],
});

@Injectable()
class Orders {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    @Inject(SAGAS) private readonly sagas: Sagas,
  ) {}

  @Handles(order)
  async order({ ctx, params }: RequestOf<typeof order>) {
    const id = params['id'] ?? '';
    await this.database.run('order', async (tx) => {
      await execute(tx, 'INSERT INTO orders (id) VALUES ($1)', [id]);
      await this.sagas.start(ctx, tx, 'order.fulfil', { params: {}, resourceId: id });
    });
    return { id };
  }

  @Handles(slow)
  async slow() {
    await new Promise((resolve) => setTimeout(resolve, 300));
    return { done: true };
  }
}

const migrations = [{ name: '0001', up: ['CREATE TABLE orders (id text PRIMARY KEY, state text, request text)'] }];

const fulfil = defineSaga({
  kind: 'order.fulfil',
  version: 1,
  params: Type.Object({}),
  steps: [
    { type: 'effect', name: 'pack', do: async (ctx) => ctx.requestId },
    {
      type: 'tx',
      name: 'send',
      do: async (_ctx, tx, run) => {
        await execute(tx, "UPDATE orders SET state = 'sent', request = $2 WHERE id = $1", [
          run.resourceId,
          run.out<string>('pack'),
        ]);
      },
    },
  ],
}) as SagaDefinition;

class FrontModule {}
class BackModule {}

/** Takes orders over REST and runs no sagas. */
const front = defineApp({
  name: 'shop-api',
  config: Type.Object(
    { ...commonConfig, ...apiConfig, ...databaseConfig, ...brokerConfig },
    { additionalProperties: false },
  ),
  api,
  module: (config, { log }): DynamicModule => ({
    module: FrontModule,
    imports: [
      kernelModule({
        service: 'shop-api',
        log,
        config,
        database: { config: config.database, migrations },
        broker: config.broker,
        sagas: true,
      }),
    ],
    providers: [Orders, { provide: AUTHENTICATOR, useValue: null }],
  }),
});

/** Runs the sagas. */
const back = defineApp({
  name: 'shop-worker',
  config: Type.Object({ ...commonConfig, ...databaseConfig, ...brokerConfig }, { additionalProperties: false }),
  module: (config, { log }): DynamicModule => ({
    module: BackModule,
    imports: [
      kernelModule({
        service: 'shop-worker',
        log,
        config,
        database: { config: config.database, migrations },
        broker: config.broker,
        sagas: 'worker',
      }),
    ],
    providers: [
      {
        provide: 'registered',
        inject: [SAGA_WORKER],
        useFactory: (worker: SagaWorker) => {
          worker.register(fulfil);
          return true;
        },
      },
    ],
  }),
});

let test: TestDatabase;
const agent = new Agent({ keepAliveTimeout: 1000 });
const running: RunningApp[] = [];

beforeAll(async () => {
  test = await createTestDatabase('shop');
});

afterAll(async () => {
  for (const app of running.splice(0).reverse()) await app.close();
  await agent.close();
  await test.close();
}, 30_000);

const settings = (): Record<string, unknown> => ({
  host: 'h',
  log_level: 'error',
  database: { url: test.url, schema: 'shop', pool_size: 4 },
  broker: { url: testBrokerUrl() },
});

async function start(app: Parameters<typeof startApp>[0], more: Record<string, unknown> = {}): Promise<RunningApp> {
  const started = await startApp(app, { ...settings(), ...more });
  running.push(started);
  return started;
}

const get = async (port: number | null, path: string, method: 'GET' | 'POST' = 'GET') => {
  const response = await request(`http://127.0.0.1:${String(port)}${path}`, { dispatcher: agent, method });
  return { status: response.statusCode, text: await response.body.text() };
};

describe('apps that share a service', () => {
  it('start at the same time, and a run that one starts is taken up by the other at once', async () => {
    const [api] = await Promise.all([start(front, { port: 0 }), start(back)]);
    // The worker looks by itself every five seconds only: what is quicker came by the doorbell.
    for (const id of ['a', 'b', 'c']) {
      const began = performance.now();
      expect(await get(api.port, `/v1/orders/${id}`, 'POST')).toMatchObject({ status: 202 });
      const sent = async () =>
        test.database.read('state', (tx) =>
          sqlOne<{ state: string; request: string }>(tx, 'SELECT state, request FROM orders WHERE id = $1', [id]),
        );
      await waitFor('the order to be sent', async () => (await sent())?.state === 'sent', 4000, 5);
      expect(performance.now() - began).toBeLessThan(3000);
      expect((await sent())?.request).toMatch(/^req-/);
    }
  }, 30_000);

  it('tell their health and their metrics', async () => {
    const port = running.find((one) => one.port !== null)?.port ?? null;
    const health = await get(port, '/healthcheck');
    expect(health.status).toBe(200);
    const metrics = await get(port, '/metrics');
    expect(metrics.text).toContain('nestack_http_request_duration_seconds_count');
  });

  it('end what is under way before they close', async () => {
    const api = await start(front, { port: 0 });
    const answer = get(api.port, '/v1/slow');
    await new Promise((resolve) => setTimeout(resolve, 100));
    await api.close();
    running.splice(running.indexOf(api), 1);
    expect(await answer).toMatchObject({ status: 200 });
    await expect(get(api.port, '/v1/slow')).rejects.toThrow();
  });

  it('give back what they share once, however often they are closed', async () => {
    const extra = await start(front, { port: 0 });
    running.splice(running.indexOf(extra), 1);
    for (let times = 0; times < 4; times += 1) await extra.close();
    expect(await get(running.find((one) => one.port !== null)?.port ?? null, '/healthcheck')).toMatchObject({
      status: 200,
    });
  });

  it('refuse settings that are wrong, all at once and by name', async () => {
    const bad = { ...settings(), port: 'eighty', databse: {} };
    await expect(startApp(front, bad)).rejects.toThrow(/unknown key 'databse'[\s\S]*port must be integer/);
  });
});
