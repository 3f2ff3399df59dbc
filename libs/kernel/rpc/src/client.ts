import { randomUUID } from 'node:crypto';
import { ClientProxy, type ReadPacket, type WritePacket } from '@nestjs/microservices';
import { childContext, type RequestContext } from '@nestack/kernel/context';
import { DomainError } from '@nestack/kernel/errors';
import type { Logger } from '@nestack/kernel/log';
import { recordTrace, type TraceKind } from '@nestack/kernel/trace';
import { firstValueFrom } from 'rxjs';
import { brokerUnavailable, type Broker } from './broker';
import type { RpcCallOptions, RpcClient, RpcClients, RpcInterface, RpcMethod } from './define-rpc';
import { messageOf, type RpcAnswer } from './envelope';

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
  readonly deadline: number;
  readonly send: () => Promise<void>;
  readonly settle: (error: Error | null, answer?: RpcAnswer) => void;
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
        if (one.call.declaration.idempotent === true)
          void one.send().catch((error: unknown) => this.fail(id, error as Error));
        else this.fail(id, brokerUnavailable('the connection was lost during the call'));
      }
    });
  }

  add(id: string, waiting: Waiting): void {
    this.waiting.set(id, waiting);
  }

  fail(id: string, error: Error): void {
    const one = this.waiting.get(id);
    this.waiting.delete(id);
    one?.settle(error);
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
    return this.broker.connect();
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
    const deadline = Date.now() + (call.options.timeoutMs ?? call.declaration.timeoutMs ?? DEFAULT_TIMEOUT_MS);
    const timer = setTimeout(
      () =>
        this.replies.fail(
          id,
          new DomainError({
            kind: 'unavailable',
            code: 'MessagingTimeout',
            message: `Timed out waiting for a reply to ${call.rpc.topic}.${call.method}.`,
          }),
        ),
      deadline - Date.now(),
    );
    const messageId = call.options.messageId ?? randomUUID();
    const send = (): Promise<void> =>
      this.transmit(call, deadline, messageId, { correlationId: id, replyTo: 'amq.rabbitmq.reply-to' });
    this.replies.add(id, {
      call,
      deadline,
      send,
      settle: (error, answer) => {
        clearTimeout(timer);
        callback(error === null ? { response: answer, isDisposed: true } : { err: error, isDisposed: true });
      },
    });
    send().catch((error: unknown) => this.replies.fail(id, error as Error));
    return () => clearTimeout(timer);
  }

  protected override async dispatchEvent<T>(packet: ReadPacket<Call>): Promise<T> {
    await this.transmit(packet.data, null, packet.data.options.messageId ?? randomUUID(), {});
    return undefined as T;
  }

  private async transmit(
    call: Call,
    deadline: number | null,
    messageId: string,
    properties: { correlationId?: string; replyTo?: string },
  ): Promise<void> {
    const { rpc, method, declaration, ctx, args, options } = call;
    const body = Buffer.from(
      JSON.stringify(messageOf(ctx, { method, version: declaration.since, args, from: this.from, deadline })),
    );
    const until = deadline ?? Date.now() + CAST_MS;
    if (declaration.kind === 'fanout') {
      await this.broker.publish(`${rpc.exchange}.${rpc.topic}_fanout`, '', body, { messageId }, until, {
        type: 'fanout',
      });
      return;
    }
    const key = options.host === undefined ? rpc.topic : `${rpc.topic}.${options.host}`;
    await this.broker.publish(rpc.exchange, key, body, { messageId, mandatory: true, ...properties }, until, {
      type: 'topic',
    });
  }

  /** One call or cast, with its trace record. */
  async invoke(call: Call): Promise<unknown> {
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
