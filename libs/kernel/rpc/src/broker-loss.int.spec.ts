import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { newContext } from '@nestack/kernel/context';
import { execute, seen, sql } from '@nestack/kernel/db';
import { waitFor } from '@nestack/kernel/process';
import { createTestDatabase, killableRabbitmq, type KillableServer, type TestDatabase } from '@nestack/kernel/testing';
import { echoClient, echoRpc, gate, quiet, recorder, serveEcho, type Does, type EchoRpc } from '../test/service';
import { createFanoutBus } from './fanout-bus';

/** RabbitMQ of this file alone, killed and started again under the transport. */
let rabbit: KillableServer;
let db: TestDatabase;
const closers: (() => Promise<void>)[] = [];

beforeAll(async () => {
  [rabbit, db] = await Promise.all([
    killableRabbitmq(),
    createTestDatabase('svc', [
      { name: '0001', up: ['CREATE TABLE effect (id bigint GENERATED ALWAYS AS IDENTITY, text text)'] },
    ]),
  ]);
}, 60_000);

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
}, 30_000);

afterAll(async () => {
  await rabbit.stop();
  await db.close();
}, 60_000);

async function server(rpc: EchoRpc, does: Does, options: Parameters<typeof serveEcho>[3] = {}) {
  const running = await serveEcho(rabbit.url, rpc, does, options);
  closers.push(running.close);
}

async function client(rpc: EchoRpc) {
  const made = await echoClient(rabbit.url, rpc);
  closers.push(made.close);
  return made;
}

describe('RabbitMQ killed', () => {
  it('in the middle of a call: repeated when idempotent and executed once, else refused', async () => {
    const rpc = echoRpc();
    const begun: string[] = [];
    const { opened, open } = gate();
    const slow = async (text: string): Promise<string> => {
      begun.push(text);
      await opened;
      return `${text} done`;
    };
    await server(rpc, { echo: slow, once: slow });
    const { echo, broker } = await client(rpc);
    const repeated = echo.echo(newContext(), { text: 'echo' }, { timeoutMs: 60_000 });
    const refused = echo.once(newContext(), { text: 'once' }, { timeoutMs: 60_000 });
    refused.catch(() => undefined);
    await waitFor('both to begin', () => begun.length === 2, 5000);
    await rabbit.kill();
    await expect(refused).rejects.toMatchObject({ kind: 'unavailable', code: 'MessagingUnavailable' });
    // A call made while it is away waits for it; one whose time is short says so.
    const meanwhile = echo.echo(newContext(), { text: 'meanwhile' }, { timeoutMs: 60_000 });
    await expect(echo.echo(newContext(), { text: 'short' }, { timeoutMs: 200 })).rejects.toMatchObject({
      kind: 'unavailable',
    });
    await rabbit.start();
    await waitFor('the connection', () => broker.connected, 20_000);
    open();
    expect(await repeated).toEqual({ text: 'echo done' });
    expect(await meanwhile).toEqual({ text: 'meanwhile done' });
    expect(begun.filter((text) => text === 'echo')).toHaveLength(1);
    expect(begun).not.toContain('short');
  }, 60_000);

  it('under load, twice: every cast has its effect exactly once, every call its answer', async () => {
    const rpc = echoRpc();
    const note: Does['note'] = async (text, info) => {
      await db.database.run('note', async (tx) => {
        if (await seen(tx, info.messageId)) return;
        await execute(tx, 'INSERT INTO effect (text) VALUES ($1)', [text]);
      });
      return '';
    };
    await server(rpc, { note });
    await server(rpc, { note });
    const { echo } = await client(rpc);
    const total = 600;
    const work: Promise<unknown>[] = [];
    let sent = 0;
    const load = async (from: number, to: number): Promise<void> => {
      for (let index = from; index < to; index += 1) {
        work.push(echo.note(newContext(), { text: `n${String(index)}` }));
        work.push(
          echo.echo(newContext(), { text: `c${String(index)}` }, { timeoutMs: 60_000 }).then((answer) => {
            expect(answer).toEqual({ text: `c${String(index)}` });
          }),
        );
        sent += 1;
        if (index % 5 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
      }
    };
    for (const [from, to] of [
      [0, 300],
      [300, total],
    ] as const) {
      const loading = load(from, to);
      await waitFor('some to be on their way', () => sent > from + 60, 10_000, 1);
      await rabbit.kill();
      await loading;
      await rabbit.start();
      await waitFor('the others', async () => (await effects()).length > from + 60, 30_000);
    }
    await Promise.all(work);
    await waitFor('every cast to be handled', async () => (await effects()).length >= total, 20_000);
    const texts = await effects();
    expect(new Set(texts).size).toBe(total);
    expect(texts).toHaveLength(total);
  }, 120_000);

  it('while casts wait for a server: they are delivered when both are there again', async () => {
    const rpc = echoRpc();
    const first = await serveEcho(rabbit.url, rpc, {});
    const { echo } = await client(rpc);
    await first.close();
    for (let index = 0; index < 20; index += 1) await echo.note(newContext(), { text: String(index) });
    await rabbit.kill();
    await rabbit.start();
    const heard: string[] = [];
    await server(rpc, { note: async (text) => String(heard.push(text)) });
    await waitFor('all of them', () => heard.length === 20, 10_000);
    expect(heard).toEqual(Array.from({ length: 20 }, (_, index) => String(index)));
  }, 60_000);

  it('restores every topology, and says when announcements were missed and when they come again', async () => {
    const rpc = echoRpc();
    const heard: string[] = [];
    const { log, events } = recorder();
    await server(rpc, { shout: async (text) => String(heard.push(`shout ${text}`)) }, { log });
    const { echo, broker } = await client(rpc);
    const bus = createFanoutBus(broker, quiet);
    const feed: boolean[] = [];
    bus.onFeed((alive) => feed.push(alive));
    await bus.subscribe(`${rpc.exchange}.news`, (message) => heard.push(`news ${String(message)}`));
    await rabbit.kill();
    await waitFor('the loss to be noticed', () => feed.length === 1, 5000);
    await expect(broker.ping()).rejects.toMatchObject({ kind: 'unavailable' });
    await rabbit.start();
    await waitFor('the connection', () => feed.length === 2, 20_000);
    expect(feed).toEqual([false, true]);
    await waitFor('the server', async () => (await echo.echo(newContext(), { text: 'x' })).text === 'x', 10_000);
    await bus.publish(`${rpc.exchange}.news`, 'one');
    await echo.shout(newContext(), { text: 'two' });
    await waitFor('both', () => heard.length === 2, 5000);
    expect(heard.sort()).toEqual(['news one', 'shout two']);
    expect(events()).toEqual(expect.arrayContaining(['broker.lost', 'broker.back']));
  }, 60_000);
});

async function effects(): Promise<string[]> {
  const rows = await db.database.read('effects', (tx) => sql<{ text: string }>(tx, 'SELECT text FROM effect'));
  return rows.map((row) => row.text);
}
