import { randomUUID } from 'node:crypto';
import { ClientProxy, type ReadPacket, type WritePacket } from '@nestjs/microservices';
import { assertHeld, childContext, type RequestContext } from '@nestack/kernel/context';
import { DomainError } from '@nestack/kernel/errors';
import type { Logger } from '@nestack/kernel/log';
import { recordTrace, type TraceKind } from '@nestack/kernel/trace';
import { firstValueFrom } from 'rxjs';
import type { Broker } from './broker';
import { brokerUnavailable, timedOut } from './broker-errors';
import type { RpcCallOptions, RpcClient, RpcClients, RpcInterface, RpcMethod } from './define-rpc';
import { messageOf, type RpcAnswer } from './envelope';
import { callKey, castKey, fanoutExchange } from './queues';

const DEFAULT_TIMEOUT_MS = 60_000;
/** How long a cast waits for a broker that is away. */
const CAST_MS = 30_000;

interface Call {
  readonly rpc: RpcInterface;
  readonly method: string;
  readonly declaration: RpcMethod;
  readonly ctx: RequestContext;
  readonly args: unknown;
  readonly options: RpcCallOptions;
}

interface Waiting {
  readonly call: Call;
  readonly send: () => Promise<void>;
  readonly settle: (error: Error | null, answer?: RpcAnswer) => void;
  /** Still on its way to the broker, which includes waiting for it to come back. */
  sending: boolean;
}

/** What calls of one process have in common: the replies they wait for. */
class Replies {
  private readonly waiting = new Map<string, Waiting>();

  constructor(broker: Broker) {
    broker.replies = (message) => {
      const id = String(message.properties.correlationId ?? '');
      const waiting = this.waiting.get(id);
      if (waiting === undefined) return;
      this.waiting.delete(id);
      waiting.settle(null, JSON.parse(message.content.toString('utf8')) as RpcAnswer);
    };
    // Replies go to the connection that asked: what it asked must be asked again on the next one, if that does no harm.
    broker.watch(() => {
      for (const [id, one] of this.waiting) {
        if (one.sending) continue;
        if (one.call.declaration.idempotent === true) this.send(id, one);
        else this.fail(id, brokerUnavailable('the connection was lost during the call'));
      }
    });
  }

  /** Sends a call and waits for its reply. */
  add(id: string, waiting: Waiting): void {
    this.waiting.set(id, waiting);
    this.send(id, waiting);
  }

  fail(id: string, error: Error): void {
    const one = this.waiting.get(id);
    this.waiting.delete(id);
    one?.settle(error);
  }

  private send(id: string, waiting: Waiting): void {
    waiting.sending = true;
    waiting.send().then(
      () => {
        waiting.sending = false;
      },
      (error: unknown) => this.fail(id, error as Error),
    );
  }
}

const replies = new WeakMap<Broker, Replies>();

/** Nest's client side of the transport. */
export class RpcClientProxy extends ClientProxy {
  private readonly replies: Replies;

  constructor(
    private readonly broker: Broker,
    private readonly log: Logger,
    /** Sub-service that calls: `nova-conductor`. */
    private readonly from: string,
  ) {
    super();
    this.replies = replies.get(broker) ?? new Replies(broker);
    replies.set(broker, this.replies);
  }

  override connect(): Promise<void> {
    // Each message waits for the connection itself, within its own deadline.
    return Promise.resolve();
  }

  override close(): void {
    // The connection belongs to the process.
  }

  override unwrap<T>(): T {
    return this.broker as T;
  }

  protected override publish(packet: ReadPacket<Call>, callback: (packet: WritePacket) => void): () => void {
    const call = packet.data;
    const id = randomUUID();
    const wait = call.options.timeoutMs ?? call.declaration.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    const deadline = Date.now() + wait;
    const timer = setTimeout(() => this.replies.fail(id, timedOut(call.rpc.topic, call.method)), wait);
    const messageId = call.options.messageId ?? randomUUID();
    this.replies.add(id, {
      call,
      sending: true,
      send: () => this.ask(call, deadline, messageId, id),
      settle: (error, answer) => {
        clearTimeout(timer);
        callback(error === null ? { response: answer, isDisposed: true } : { err: error, isDisposed: true });
      },
    });
    return () => clearTimeout(timer);
  }

  protected override async dispatchEvent<T>(packet: ReadPacket<Call>): Promise<T> {
    const call = packet.data;
    const messageId = call.options.messageId ?? randomUUID();
    const body = bodyOf(call, this.from, null);
    const deadline = Date.now() + CAST_MS;
    const { rpc, declaration, options } = call;
    if (declaration.kind === 'fanout')
      await this.broker.publish(fanoutExchange(rpc), '', body, { messageId, deadline, declare: 'fanout' });
    else {
      await this.broker.publish(rpc.exchange, castKey(rpc.topic, options.host), body, {
        messageId,
        deadline,
        mandatory: true,
        declare: 'topic',
      });
    }
    return undefined as T;
  }

  private async ask(call: Call, deadline: number, messageId: string, correlationId: string): Promise<void> {
    assertHeld(call.ctx);
    const { rpc, declaration, options } = call;
    await this.broker.publish(rpc.exchange, callKey(rpc.topic, options.host), bodyOf(call, this.from, deadline), {
      messageId,
      correlationId,
      deadline,
      mandatory: true,
      declare: 'topic',
      replyTo: 'amq.rabbitmq.reply-to',
      // Nobody waits longer for it, and its caller repeats it when the broker dies.
      expiration: String(Math.max(1, deadline - Date.now())),
      persistent: false,
      once: declaration.idempotent !== true,
    });
  }

  /** One call or cast, with its trace record. */
  async invoke(call: Call): Promise<unknown> {
    assertHeld(call.ctx);
    const ctx = childContext(call.ctx);
    const kind: TraceKind = `rpc.${call.declaration.kind}`;
    const start = new Date();
    const began = performance.now();
    const to = `${call.rpc.exchange}-${call.rpc.topic}${call.options.host === undefined ? '' : `@${call.options.host}`}`;
    const record = (status: string): void =>
      recordTrace(this.log, ctx, {
        kind,
        from: this.from,
        to,
        name: call.method,
        start,
        durationMs: performance.now() - began,
        status,
      });
    try {
      const result =
        call.declaration.kind === 'call'
          ? await firstValueFrom(this.send<RpcAnswer>(call.method, { ...call, ctx }))
          : await firstValueFrom(this.emit<RpcAnswer | undefined>(call.method, { ...call, ctx }), {
              defaultValue: undefined,
            });
      if (result !== undefined && result !== null && !result.ok) throw DomainError.fromWire(result.error);
      record('ok');
      return result === undefined || result === null ? null : result.reply;
    } catch (error) {
      record(`error ${error instanceof DomainError ? error.code : 'UnexpectedError'}`);
      throw error;
    }
  }
}

function bodyOf(call: Call, from: string, deadline: number | null): Buffer {
  const { ctx, method, declaration, args } = call;
  return Buffer.from(JSON.stringify(messageOf(ctx, { method, version: declaration.since, args, from, deadline })));
}

/** Makes typed clients over one proxy. */
export function createRpcClients(broker: Broker, log: Logger, from: string): RpcClients {
  const proxy = new RpcClientProxy(broker, log, from);
  return {
    client<I extends RpcInterface>(rpc: I): RpcClient<I> {
      const methods = Object.entries(rpc.methods).map(([method, declaration]) => [
        method,
        (ctx: RequestContext, args: unknown, options: RpcCallOptions = {}) =>
          proxy.invoke({ rpc, method, declaration, ctx, args, options }),
      ]);
      return Object.fromEntries(methods) as RpcClient<I>;
    },
  };
}
