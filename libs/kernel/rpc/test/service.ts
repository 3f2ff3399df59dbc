import 'reflect-metadata';
import { randomBytes } from 'node:crypto';
import { Controller, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { RequestContext } from '@nestack/kernel/context';
import { createLogger, type Logger } from '@nestack/kernel/log';
import TypeBox from 'typebox';
import {
  Broker,
  createRpcClients,
  defineRpc,
  HandlesRpc,
  RpcServer,
  type RpcClient,
  type RpcMessageInfo,
  type RpcQueues,
  type RpcServerOptions,
} from '../src/index';

const text = TypeBox.Object({ text: TypeBox.String() }, { additionalProperties: false });

/** An interface on an exchange of its own, with a method of each kind. */
export function echoRpc() {
  return defineRpc({
    exchange: `t${randomBytes(5).toString('hex')}`,
    topic: 'echo',
    version: '1.2',
    methods: {
      echo: { kind: 'call', since: '1.0', idempotent: true, args: text, reply: text, timeoutMs: 20_000 },
      once: { kind: 'call', since: '1.0', args: text, reply: text, timeoutMs: 20_000 },
      note: { kind: 'cast', since: '1.1', args: text },
      shout: { kind: 'fanout', since: '1.0', args: text },
    },
  });
}

export type EchoRpc = ReturnType<typeof echoRpc>;
export type Echo = RpcClient<EchoRpc>;

/** What a server's methods do; each gets the text and says something. */
export type Does = Partial<
  Record<
    'echo' | 'once' | 'note' | 'shout',
    (text: string, info: RpcMessageInfo, ctx: RequestContext) => Promise<string>
  >
>;

export interface RunningEcho {
  readonly close: () => Promise<void>;
}

/** Starts a server of the interface on a connection of its own, as a process of its own would. */
export async function serveEcho(
  url: string,
  rpc: EchoRpc,
  does: Does,
  options: Partial<RpcServerOptions> & { readonly queues?: RpcQueues } = {},
): Promise<RunningEcho> {
  const { queues = 'topic', ...settings } = options;
  const log = settings.log ?? quiet;
  const broker = new Broker(url, log);
  await broker.connect();
  const server = new RpcServer({
    broker,
    log,
    service: 'echo',
    host: 'here',
    checkReplies: true,
    retryMs: () => 20,
    ...settings,
  });
  const app = await NestFactory.createMicroservice(moduleOf(rpc, does, queues), { strategy: server, logger: false });
  await app.listen();
  return {
    close: async () => {
      await app.close();
      await broker.close();
    },
  };
}

/** A client on a connection of its own. */
export async function echoClient(
  url: string,
  rpc: EchoRpc,
): Promise<{ readonly echo: Echo; readonly broker: Broker; readonly close: () => Promise<void> }> {
  const broker = new Broker(url, quiet);
  await broker.connect();
  return { echo: createRpcClients(broker, quiet, 'tester').client(rpc), broker, close: () => broker.close() };
}

/** A logger that gathers its records. */
export function recorder(): { readonly log: Logger; readonly events: () => readonly string[] } {
  const records: { event: string }[] = [];
  const log = createLogger({
    service: 'echo',
    host: 'here',
    write: (line) => void records.push(JSON.parse(line) as { event: string }),
  });
  return { log, events: () => records.map((record) => record.event) };
}

export const quiet = createLogger({ service: 'echo', host: 'here', level: 'error', write: () => undefined });

/** A promise and how to fulfil it. */
export function gate<T = void>(): { readonly opened: Promise<T>; readonly open: (value: T) => void } {
  let open: (value: T) => void = () => undefined;
  const opened = new Promise<T>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

function moduleOf(rpc: EchoRpc, does: Does, queues: RpcQueues): Type {
  const answer = (method: keyof Does) => async (ctx: RequestContext, args: { text: string }, info: RpcMessageInfo) => ({
    text: (await does[method]?.(args.text, info, ctx)) ?? args.text,
  });
  class EchoController {}
  for (const method of ['echo', 'once', 'note', 'shout'] as const) {
    Object.defineProperty(EchoController.prototype, method, {
      configurable: true,
      writable: true,
      value: answer(method),
    });
  }
  HandlesRpc(rpc, { queues })(EchoController);
  Controller()(EchoController);
  class EchoModule {}
  Module({ controllers: [EchoController] })(EchoModule);
  return EchoModule;
}
