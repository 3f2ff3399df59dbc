import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, it } from '@jest/globals';
import { newContext, SYSTEM_ACTOR } from '@nestack/kernel/context';
import { DomainError } from '@nestack/kernel/errors';
import { waitFor } from '@nestack/kernel/process';
import amqp from 'amqplib';
import { echoClient, echoRpc, gate, recorder, serveEcho, type Does, type EchoRpc } from '../test/service';
import { createRpcClients } from './client';
import { defineRpc } from './define-rpc';
import { createFanoutBus } from './fanout-bus';
import { callKey } from './queues';

const url = process.env['NESTACK_TEST_AMQP_URL'] ?? '';
const closers: (() => Promise<void>)[] = [];

async function server(rpc: EchoRpc, does: Does, options: Parameters<typeof serveEcho>[3] = {}) {
  const running = await serveEcho(url, rpc, does, options);
  closers.push(running.close);
  return running;
}

async function client(rpc: EchoRpc) {
  const made = await echoClient(url, rpc);
  closers.push(made.close);
  return made;
}

/** A plain channel, to look at queues and to send what our client never would. */
async function plainChannel() {
  const connection = await amqp.connect(url);
  closers.push(() => connection.close());
  return connection.createConfirmChannel();
}

describe('the RPC transport', () => {
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });

  it('carries calls with their context, and errors as data', async () => {
    const rpc = echoRpc();
    const seen: unknown[] = [];
    await server(rpc, {
      echo: async (text, info, ctx) => {
        seen.push({ request: ctx.requestId, trace: ctx.traceId, actor: ctx.actor?.userId, host: info.host });
        if (text === 'bad') throw new DomainError({ kind: 'notFound', code: 'NoSuch', message: 'no', args: { id: 7 } });
        if (text === 'worse') throw new Error('the password is hunter2');
        return text.toUpperCase();
      },
    });
    const { echo } = await client(rpc);
    const ctx = newContext({ actor: SYSTEM_ACTOR });
    expect(await echo.echo(ctx, { text: 'hi' })).toEqual({ text: 'HI' });
    expect(seen[0]).toEqual({ request: ctx.requestId, trace: ctx.traceId, actor: 'system', host: 'here' });
    await expect(echo.echo(ctx, { text: 'bad' })).rejects.toMatchObject({
      kind: 'notFound',
      code: 'NoSuch',
      args: { id: 7 },
    });
    const failure = await echo.echo(ctx, { text: 'worse' }).catch((error: unknown) => error as DomainError);
    expect(failure).toMatchObject({ kind: 'bug' });
    expect(JSON.stringify(failure)).not.toContain('hunter2');
  });

  it('sends to the topic, to one host, and to all', async () => {
    const rpc = echoRpc();
    const heard: string[] = [];
    const does = (name: string): Does => ({
      echo: async () => name,
      shout: async (text) => String(heard.push(`${name} ${text}`)),
    });
    await server(rpc, does('a'), { host: 'a', queues: 'both' });
    await server(rpc, does('b'), { host: 'b', queues: 'both' });
    const { echo } = await client(rpc);
    expect(await echo.echo(newContext(), { text: '' }, { host: 'a' })).toEqual({ text: 'a' });
    expect(await echo.echo(newContext(), { text: '' }, { host: 'b' })).toEqual({ text: 'b' });
    const answers = await Promise.all(Array.from({ length: 20 }, () => echo.echo(newContext(), { text: '' })));
    expect(new Set(answers.map((one) => one.text))).toEqual(new Set(['a', 'b']));
    await echo.shout(newContext(), { text: 'hey' });
    await waitFor('both to hear it', () => heard.length === 2, 5000);
    expect(heard.sort()).toEqual(['a hey', 'b hey']);
  });

  it('refuses what is not declared, ill-formed, of another version, or has no server', async () => {
    const rpc = echoRpc();
    await server(rpc, {});
    const { echo, broker } = await client(rpc);
    const ctx = newContext();
    await expect(echo.echo(ctx, { text: 1 } as never)).rejects.toMatchObject({
      kind: 'badRequest',
      code: 'InvalidArguments',
    });
    const other = defineRpc({
      ...rpc,
      methods: {
        steal: { ...rpc.methods.echo, idempotent: true },
        echo: { ...rpc.methods.echo, since: '1.3' },
      },
    });
    const { log } = recorder();
    const wrong = createRpcClients(broker, log, 'tester').client(other);
    await expect(wrong.steal(ctx, { text: '' })).rejects.toMatchObject({ code: 'UnsupportedMethod' });
    await expect(wrong.echo(ctx, { text: '' })).rejects.toMatchObject({ code: 'UnsupportedVersion' });
    await expect(echo.echo(ctx, { text: '' }, { host: 'nowhere' })).rejects.toMatchObject({
      kind: 'unavailable',
      code: 'MessagingUnroutable',
    });
    await expect(echo.note(ctx, { text: '' }, { host: 'nowhere' })).rejects.toMatchObject({
      code: 'MessagingUnroutable',
    });
  });

  it('waits no longer than the deadline, and does not start what nobody waits for any more', async () => {
    const rpc = echoRpc();
    const started: string[] = [];
    const { opened, open } = gate();
    await server(
      rpc,
      {
        echo: async (text) => {
          started.push(text);
          await opened;
          return text;
        },
      },
      { prefetch: 1 },
    );
    const { echo } = await client(rpc);
    const began = Date.now();
    await expect(echo.echo(newContext(), { text: 'first' }, { timeoutMs: 300 })).rejects.toMatchObject({
      kind: 'unavailable',
      code: 'MessagingTimeout',
    });
    expect(Date.now() - began).toBeLessThan(2000);
    await expect(echo.echo(newContext(), { text: 'second' }, { timeoutMs: 200 })).rejects.toMatchObject({
      code: 'MessagingTimeout',
    });
    // The broker counts from when it got the message, so a little longer than its caller.
    const channel = await plainChannel();
    const queue = `${rpc.exchange}.${callKey(rpc.topic, undefined)}`;
    await waitFor('it to be dropped', async () => (await channel.checkQueue(queue)).messageCount === 0, 10_000, 10);
    open();
    expect(await echo.echo(newContext(), { text: 'third' })).toEqual({ text: 'third' });
    expect(started).toEqual(['first', 'third']);
  });

  it('executes a message that comes twice once, and answers it twice', async () => {
    const rpc = echoRpc();
    let runs = 0;
    await server(rpc, {
      echo: async () => String((runs += 1)),
      once: async () => String((runs += 1)),
      note: async () => String((runs += 1)),
    });
    const { echo } = await client(rpc);
    const messageId = randomUUID();
    const both = await Promise.all([
      echo.echo(newContext(), { text: '' }, { messageId }),
      echo.echo(newContext(), { text: '' }, { messageId }),
    ]);
    expect(both).toEqual([{ text: '1' }, { text: '1' }]);
    expect(await echo.echo(newContext(), { text: '' }, { messageId })).toEqual({ text: '1' });
    // A step's do and undo may share an id and are two methods all the same.
    expect(await echo.once(newContext(), { text: '' }, { messageId })).toEqual({ text: '2' });
    await echo.note(newContext(), { text: '' }, { messageId });
    await echo.note(newContext(), { text: '' }, { messageId });
    await echo.echo(newContext(), { text: '' });
    expect(runs).toBe(4);
  });

  it('refuses the commands of a worker that has lost its lease', async () => {
    const rpc = echoRpc();
    const done: number[] = [];
    await server(rpc, { echo: async (_text, _info, ctx) => String(done.push(ctx.fence?.epoch ?? 0)) });
    const { echo } = await client(rpc);
    const at = (epoch: number, held = true) => newContext({ fence: { key: 'run-1', epoch, held: () => held } });
    await echo.echo(at(1), { text: '' });
    await echo.echo(at(2), { text: '' });
    await expect(echo.echo(at(1), { text: '' })).rejects.toMatchObject({ code: 'FencedOff' });
    await echo.echo(at(2), { text: '' });
    // It knows by itself that its time is over: nothing is sent.
    await expect(echo.echo(at(3, false), { text: '' })).rejects.toMatchObject({ code: 'FencedOff' });
    await echo.echo(newContext({ fence: { key: 'run-2', epoch: 1, held: () => true } }), { text: '' });
    expect(done).toEqual([1, 2, 2, 1]);
  });

  it('puts poison among the dead letters after its last try, and lets what follows through', async () => {
    const rpc = echoRpc();
    const runs: string[] = [];
    const { log, events } = recorder();
    await server(
      rpc,
      {
        note: async (text) => {
          runs.push(text);
          if (text === 'poison') throw new Error('cannot');
          if (text === 'refused') throw new DomainError({ kind: 'conflict', code: 'No', message: 'no' });
          return text;
        },
      },
      { tries: 3, log },
    );
    const { echo } = await client(rpc);
    for (const text of ['poison', 'refused', 'fine']) await echo.note(newContext(), { text });
    await echo.note(newContext(), { text: 5 } as never);
    const channel = await plainChannel();
    await channel.publish(rpc.exchange, 'echo', Buffer.from('not json'), { persistent: true });
    await channel.waitForConfirms();
    const dead = `${rpc.exchange}.dead-letter`;
    await waitFor('three dead letters', async () => (await channel.checkQueue(dead)).messageCount === 3, 10_000);
    expect(runs.filter((text) => text === 'poison')).toHaveLength(3);
    expect(runs.filter((text) => text === 'refused')).toHaveLength(1);
    expect(runs).toContain('fine');
    expect(events()).toContain('rpc.dead_letter');
    const left = await channel.get(dead, { noAck: true });
    expect(left === false ? null : left.properties.headers?.['x-first-death-queue']).toBe(`${rpc.exchange}.echo`);
  });

  it('does all of it with quorum queues too, for clusters', async () => {
    const rpc = echoRpc();
    const runs: string[] = [];
    const note = async (text: string): Promise<string> => {
      if (text === 'poison') throw new Error('cannot');
      return String(runs.push(text));
    };
    await server(rpc, { note }, { queueType: 'quorum', tries: 2 });
    const { echo } = await client(rpc);
    for (const text of ['a', 'poison', 'b']) await echo.note(newContext(), { text });
    expect(await echo.echo(newContext(), { text: 'x' })).toEqual({ text: 'x' });
    const channel = await plainChannel();
    const dead = `${rpc.exchange}.dead-letter`;
    await waitFor('the dead letter', async () => (await channel.checkQueue(dead)).messageCount === 1, 10_000);
    expect(runs).toEqual(['a', 'b']);
  });

  it('tries a cast again where something is away, without counting', async () => {
    const rpc = echoRpc();
    let tries = 0;
    const { opened, open } = gate<boolean>();
    await server(
      rpc,
      {
        note: async (_text, info) => {
          tries += 1;
          if (tries < 8) throw new DomainError({ kind: 'unavailable', code: 'Away', message: 'away' });
          open(info.redelivered);
          return '';
        },
      },
      { tries: 2 },
    );
    const { echo } = await client(rpc);
    await echo.note(newContext(), { text: '' });
    expect(await opened).toBe(false);
    expect(tries).toBe(8);
  });

  it('gives the work of a server that dies to the next one; what may run only once is not repeated', async () => {
    const rpc = echoRpc();
    const begun: string[] = [];
    const never = new Promise<string>(() => undefined);
    const hangs = (text: string) => {
      begun.push(text);
      return never;
    };
    const first = await serveEcho(url, rpc, { echo: hangs, once: hangs, note: hangs }, { drainMs: 0 });
    const { echo } = await client(rpc);
    const repeated = echo.echo(newContext(), { text: 'echo' });
    const refused = echo.once(newContext(), { text: 'once' });
    refused.catch(() => undefined);
    await echo.note(newContext(), { text: 'note' });
    await waitFor('all three to begin', () => begun.length === 3, 5000);
    const noted = gate<string>();
    await server(rpc, {
      echo: async (text) => `${text} again`,
      once: async (text) => `${text} again`,
      note: async (text) => {
        noted.open(text);
        return '';
      },
    });
    await first.close();
    expect(await repeated).toEqual({ text: 'echo again' });
    await expect(refused).rejects.toMatchObject({ kind: 'unavailable', code: 'MessagingInterrupted' });
    expect(await noted.opened).toBe('note');
  });

  it('drains: what has begun ends and is answered, nothing new is taken, nothing is lost', async () => {
    const rpc = echoRpc();
    const begun: string[] = [];
    const { opened, open } = gate();
    const slow = async (text: string): Promise<string> => {
      begun.push(text);
      await opened;
      return `${text} by the first`;
    };
    const first = await serveEcho(url, rpc, { echo: slow, note: slow }, { prefetch: 2 });
    const { echo } = await client(rpc);
    const calls = Array.from({ length: 6 }, (_, index) => echo.echo(newContext(), { text: String(index) }));
    for (let index = 0; index < 6; index += 1) await echo.note(newContext(), { text: `n${String(index)}` });
    await waitFor('both queues to have their two', () => begun.length === 4, 5000);
    const closing = first.close();
    const notes: string[] = [];
    await server(rpc, {
      echo: async (text) => `${text} by the second`,
      note: async (text) => String(notes.push(text)),
    });
    const rest = await Promise.all(calls.slice(2));
    expect(rest.every((one) => one.text.endsWith('by the second'))).toBe(true);
    expect(begun).toHaveLength(4);
    open();
    await closing;
    expect((await Promise.all(calls.slice(0, 2))).map((one) => one.text)).toEqual(['0 by the first', '1 by the first']);
    await waitFor('the other notes', () => notes.length === 4, 5000);
    expect([...begun.filter((one) => one.startsWith('n')), ...notes].sort()).toEqual(
      Array.from({ length: 6 }, (_, index) => `n${String(index)}`),
    );
  });

  it('replaces idle queues that an earlier version declared otherwise, and keeps those that hold work', async () => {
    const rpc = echoRpc();
    const channel = await plainChannel();
    await channel.assertQueue(`${rpc.exchange}.call.echo`, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
    await channel.assertQueue(`${rpc.exchange}.echo`, { durable: true, arguments: { 'x-max-length': 9 } });
    const message = { method: 'note', version: '1.1', args: { text: 'old' }, traceparent: '', request_id: 'req-1' };
    channel.sendToQueue(`${rpc.exchange}.echo`, Buffer.from(JSON.stringify(message)), { persistent: true });
    await channel.waitForConfirms();
    const noted = gate<string>();
    await server(rpc, {
      note: async (text) => {
        noted.open(text);
        return '';
      },
    });
    const { echo } = await client(rpc);
    expect(await noted.opened).toBe('old');
    expect(await echo.echo(newContext(), { text: 'new' })).toEqual({ text: 'new' });
    await channel.assertQueue(`${rpc.exchange}.call.echo`, {
      durable: true,
      arguments: { 'x-queue-type': 'classic', 'x-consumer-timeout': 86_400_000 },
    });
  });

  it('declares and consumes anew when somebody removes a queue', async () => {
    const rpc = echoRpc();
    await server(rpc, {});
    const { echo } = await client(rpc);
    const channel = await plainChannel();
    await channel.deleteQueue(`${rpc.exchange}.call.echo`);
    await waitFor(
      'calls to go through again',
      async () => (await echo.echo(newContext(), { text: 'x' }, { timeoutMs: 500 })).text === 'x',
      10_000,
    );
  });

  it('announces to all subscribers of one connection over one queue', async () => {
    const rpc = echoRpc();
    const { broker } = await client(rpc);
    const { broker: sender } = await client(rpc);
    const { log } = recorder();
    const [mine, theirs] = [createFanoutBus(broker, log), createFanoutBus(broker, log)];
    const heard: string[] = [];
    const [one, two] = [`${rpc.exchange}.one`, `${rpc.exchange}.two`];
    const stop = await mine.subscribe(one, (message) => heard.push(`mine ${String(message)}`));
    await theirs.subscribe(one, (message) => heard.push(`theirs ${String(message)}`));
    await mine.subscribe(two, () => {
      throw new Error('a handler that fails');
    });
    await theirs.subscribe(two, (message) => heard.push(`two ${String(message)}`));
    const bus = createFanoutBus(sender, log);
    await bus.publish(one, 'a');
    await bus.publish(two, 'b');
    await waitFor('all to hear', () => heard.length === 3, 5000);
    expect(heard.sort()).toEqual(['mine a', 'theirs a', 'two b']);
    stop();
    await bus.publish(one, 'c');
    await waitFor('the one that still listens', () => heard.length === 4, 5000);
    expect(heard[3]).toBe('theirs c');
  });
});
