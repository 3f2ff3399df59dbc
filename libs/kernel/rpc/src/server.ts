import { lastValueFrom, from as toObservable, isObservable } from 'rxjs';
import { Server, type CustomTransportStrategy } from '@nestjs/microservices';
import { fencedOff } from '@nestack/kernel/context';
import { asDomainError, DomainError, type WireError } from '@nestack/kernel/errors';
import type { Logger } from '@nestack/kernel/log';
import { recordTrace } from '@nestack/kernel/trace';
import type { Channel, ConsumeMessage } from 'amqplib';
import type { TSchema } from 'typebox';
import type { Broker, DeclareQueue, Seat } from './broker';
import type { RpcInterface, RpcMethod } from './define-rpc';
import { contextOf, parseMessage, type RpcAnswer, type RpcMessage } from './envelope';
import { Epochs } from './epochs';
import { RPC_TRANSPORT, patternOf, servedBy, type RpcDelivery, type RpcQueues } from './handles-rpc';
import {
  TRIES,
  TRIES_HEADER,
  deadLetterQueue,
  deadLetters,
  fanoutExchange,
  sharedQueues,
  type QueueType,
} from './queues';
import { RecentResults } from './recent-results';
import { errorsText, validatorOf } from './schemas';

export interface RpcServerOptions {
  readonly broker: Broker;
  readonly log: Logger;
  /** Name in logs: `nova-compute`. */
  readonly service: string;
  /** For host queues. */
  readonly host: string;
  /** Messages that are worked on at a time from each queue, default 64. */
  readonly prefetch?: number;
  /** Whether replies are checked against their schema too: in tests and development. */
  readonly checkReplies?: boolean;
  /** Tries of a cast before it goes to the dead letters, default 20. */
  readonly tries?: number;
  /** Of the shared queues, default `classic`. */
  readonly queueType?: QueueType | undefined;
  /** How long `close` waits for what is under way, default 25,000 ms. */
  readonly drainMs?: number;
  /** Pause before a failed cast is tried again, by the number of tries so far, milliseconds. */
  readonly retryMs?: (tries: number) => number;
}

/** A cast that fails because something is away is tried again here for so long, before another server may try. */
const HOLD_MS = 600_000;
/** Servers' clocks may differ by so much before a deadline means nothing. */
const CLOCK_SKEW_MS = 10_000;

const backoff = (tries: number): number => Math.min(30_000, 250 * 2 ** tries);

/**
 * Nest's transport strategy over RabbitMQ with oslo.messaging's vocabulary: an exchange per service, queues per topic and
 * host, a fanout exchange per topic (see `sharedQueues`). A delivery is acknowledged when its handler has ended (for calls: when
 * the reply is out), so a killed server's commands go to the next one.
 */
export class RpcServer extends Server implements CustomTransportStrategy {
  override readonly transportId = RPC_TRANSPORT;
  private readonly results = new RecentResults<RpcAnswer>(2000, 300_000);
  private readonly epochs = new Epochs();
  private readonly tags: { channel: Channel; tag: string }[] = [];
  private seat: Seat | null = null;
  private busy = 0;
  private idle: (() => void) | null = null;
  private readonly draining = new AbortController();

  constructor(private readonly options: RpcServerOptions) {
    super();
  }

  /** Nest calls it when the application starts its microservices. */
  listen(callback: (error?: unknown) => void): void {
    const interfaces = new Map<RpcInterface, RpcQueues>();
    for (const pattern of this.messageHandlers.keys()) {
      const entry = servedBy(pattern);
      if (entry !== null) interfaces.set(entry.rpc, entry.queues);
    }
    if (interfaces.size === 0) {
      callback();
      return;
    }
    this.options.broker
      .join((channel, declare) => this.topology(channel, declare, interfaces), this.options.prefetch ?? 64)
      .then((seat) => {
        this.seat = seat;
        callback();
      }, callback);
  }

  /** Takes no new messages, lets what is under way end, then leaves. */
  async close(): Promise<void> {
    this.draining.abort();
    for (const { channel, tag } of this.tags) await channel.cancel(tag).catch(() => undefined);
    if (this.busy > 0) {
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        this.idle = resolve;
        timer = setTimeout(resolve, this.options.drainMs ?? 25_000);
      });
      clearTimeout(timer);
    }
    // What the channel still holds goes back to its queue.
    await this.seat?.leave();
  }

  override on(): void {
    throw new Error('this transport has no events');
  }

  override unwrap<T>(): T {
    return this.options.broker as T;
  }

  private async topology(
    channel: Channel,
    declare: DeclareQueue,
    interfaces: ReadonlyMap<RpcInterface, RpcQueues>,
  ): Promise<void> {
    this.tags.length = 0;
    const { host, queueType = 'classic' } = this.options;
    for (const [rpc, queues] of interfaces) {
      await channel.assertExchange(rpc.exchange, 'topic', { durable: true });
      const dead = deadLetters(rpc.exchange);
      await channel.assertExchange(dead, 'fanout', { durable: true });
      await declare(dead, deadLetterQueue(queueType));
      await channel.bindQueue(dead, dead, '');
      for (const { name, key, options } of sharedQueues(rpc, queues, host, queueType)) {
        await declare(name, options);
        await channel.bindQueue(name, rpc.exchange, key);
        await this.consume(channel, name, rpc);
      }
      if (Object.values(rpc.methods).some((method) => method.kind === 'fanout')) {
        const fanout = fanoutExchange(rpc);
        await channel.assertExchange(fanout, 'fanout', { durable: true });
        const { queue } = await channel.assertQueue('', { exclusive: true, autoDelete: true });
        await channel.bindQueue(queue, fanout, '');
        await this.consume(channel, queue, rpc);
      }
    }
  }

  private async consume(channel: Channel, queue: string, rpc: RpcInterface): Promise<void> {
    const { consumerTag } = await channel.consume(queue, (delivery) => {
      if (delivery !== null) void this.take(channel, queue, rpc, delivery);
      // The queue was removed: without this channel everything is declared anew.
      else if (!this.draining.signal.aborted) void channel.close().catch(() => undefined);
    });
    this.tags.push({ channel, tag: consumerTag });
  }

  private async take(channel: Channel, queue: string, rpc: RpcInterface, delivery: ConsumeMessage): Promise<void> {
    const settle = (how: Verdict): void => {
      try {
        if (how === 'done') channel.ack(delivery);
        else channel.nack(delivery, false, how === 'again');
      } catch {
        // The channel is gone; the broker delivers the message again.
      }
    };
    const message = parseMessage(delivery.content);
    const method = message === null ? undefined : rpc.methods[message.method];
    if (message === null || method === undefined) {
      this.options.log.error(null, 'rpc.malformed', { topic: rpc.topic, method: message?.method ?? null });
      await this.reply(delivery, { ok: false, error: unsupported(message?.method ?? '') });
      settle('dead');
      return;
    }
    if (message.deadline !== null && Date.now() > message.deadline + CLOCK_SKEW_MS) {
      settle('done');
      return;
    }
    if (this.draining.signal.aborted) {
      settle('again');
      return;
    }
    this.busy += 1;
    try {
      if (method.kind === 'call') settle(await this.call(rpc, method, message, delivery));
      else settle(await this.cast(queue, rpc, method, message, delivery));
    } finally {
      this.busy -= 1;
      if (this.busy === 0) this.idle?.();
    }
  }

  private async call(
    rpc: RpcInterface,
    method: RpcMethod,
    message: RpcMessage,
    delivery: ConsumeMessage,
  ): Promise<Verdict> {
    const key = keyOf(message, delivery);
    // Another server (or this one before its end) may have begun it: once is all that its caller can have meant.
    const begun = delivery.fields.redelivered && method.idempotent !== true && !this.results.has(key);
    const answer = begun
      ? interrupted(message.method)
      : await this.results.once(key, () => this.handle(rpc, method, message, delivery), definitive);
    await this.reply(delivery, answer);
    return 'done';
  }

  private async cast(
    queue: string,
    rpc: RpcInterface,
    method: RpcMethod,
    message: RpcMessage,
    delivery: ConsumeMessage,
  ): Promise<Verdict> {
    const key = keyOf(message, delivery);
    const { log, retryMs = backoff, tries: limit = TRIES } = this.options;
    const before = triesOf(delivery);
    // Whoever had it may have died of it: that counts as a try, and is written down before the next.
    if (delivery.fields.redelivered && !this.results.has(key) && method.kind === 'cast')
      return before + 1 >= limit ? this.giveUp(message, before) : this.again(queue, delivery, before + 1);
    const heldUntil = Date.now() + HOLD_MS;
    for (let tries = 0; ; tries += 1) {
      const answer = await this.results.once(key, () => this.handle(rpc, method, message, delivery), definitive);
      if (answer.ok) return 'done';
      const { kind, code } = answer.error;
      log.warn(contextOf(message), 'rpc.cast_failed', { method: message.method, code, message: answer.error.message });
      if (code === INVALID_ARGUMENTS || code === UNSUPPORTED_VERSION) return 'dead';
      if (kind === 'unavailable') {
        await this.pause(retryMs(tries));
        if (this.draining.signal.aborted || Date.now() > heldUntil) return 'again';
        continue;
      }
      if (kind !== 'bug') return 'done';
      // Nobody else gets this copy of a fanout, and the next one is due sooner than it would be mended.
      if (method.kind === 'fanout') return 'dead';
      if (before + 1 >= limit) return this.giveUp(message, before);
      await this.pause(retryMs(before));
      return this.again(queue, delivery, before + 1);
    }
  }

  private giveUp(message: RpcMessage, before: number): Verdict {
    this.options.log.error(contextOf(message), 'rpc.dead_letter', { method: message.method, tries: before + 1 });
    return 'dead';
  }

  /** Puts a copy that knows its number of tries at the queue's end, in place of the delivery. */
  private async again(queue: string, delivery: ConsumeMessage, tries: number): Promise<Verdict> {
    const { headers, messageId } = delivery.properties as { headers?: Record<string, unknown>; messageId?: string };
    try {
      await this.options.broker.publish('', queue, delivery.content, {
        messageId: messageId ?? '',
        headers: { ...headers, [TRIES_HEADER]: tries },
        deadline: Date.now() + 10_000,
      });
      return 'done';
    } catch (error) {
      this.options.log.warn(null, 'rpc.requeue_failed', { queue, error: String(error) });
      return 'again';
    }
  }

  /** Runs the handler; never throws. */
  private async handle(
    rpc: RpcInterface,
    method: RpcMethod,
    message: RpcMessage,
    delivery: ConsumeMessage,
  ): Promise<RpcAnswer> {
    try {
      return await this.run(rpc, method, message, delivery);
    } catch (error) {
      const failure = asDomainError(error);
      this.options.log.error(contextOf(message), 'rpc.failed', { method: message.method, error: failure.detail });
      return { ok: false, error: failure.toWire() };
    }
  }

  private async run(
    rpc: RpcInterface,
    method: RpcMethod,
    message: RpcMessage,
    delivery: ConsumeMessage,
  ): Promise<RpcAnswer> {
    const refusal = invalid(rpc, method, message) ?? this.stale(message);
    if (refusal !== null) return { ok: false, error: refusal };
    const handler = this.messageHandlers.get(patternOf(rpc, message.method));
    if (handler === undefined) throw new Error(`no handler for ${rpc.topic}.${message.method}`);
    const ctx = contextOf(message);
    const start = new Date();
    const began = performance.now();
    const data: RpcDelivery = {
      ctx,
      args: message.args,
      info: {
        messageId: String(delivery.properties.messageId ?? ''),
        redelivered: delivery.fields.redelivered,
        host: this.options.host,
      },
    };
    const outcome: unknown = await handler(data);
    const answer = (isObservable(outcome) ? await lastValueFrom(toObservable(outcome)) : outcome) as RpcAnswer;
    const host = servedBy(patternOf(rpc, message.method))?.queues === 'topic' ? '' : `@${this.options.host}`;
    recordTrace(this.options.log, ctx, {
      kind: 'rpc.in',
      from: message.from,
      to: `${rpc.exchange}-${rpc.topic}${host}`,
      name: message.method,
      start,
      durationMs: performance.now() - began,
      status: answer.ok ? 'ok' : `error ${answer.error.code}`,
    });
    if (!answer.ok && answer.error.kind === 'bug')
      this.options.log.error(ctx, 'rpc.failed', { method: message.method, error: answer.error });
    if (answer.ok && this.options.checkReplies === true && method.reply !== undefined)
      checkReply(method.reply, message, answer.reply);
    return answer;
  }

  /** Refuses a command of a saga's worker that has lost its lease since. */
  private stale(message: RpcMessage): WireError | null {
    const { fence } = message;
    if (fence == null || this.epochs.admit(fence.key, fence.epoch)) return null;
    return fencedOff(`${message.method} of epoch ${String(fence.epoch)} came late`).toWire();
  }

  /** Waits, but not into a shutdown. */
  private async pause(ms: number): Promise<void> {
    const { signal } = this.draining;
    if (signal.aborted) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal.addEventListener('abort', done, { once: true });
    });
  }

  private async reply(delivery: ConsumeMessage, answer: RpcAnswer): Promise<void> {
    const { replyTo, correlationId } = delivery.properties as { replyTo?: string; correlationId?: string };
    if (replyTo === undefined) return;
    await this.options.broker
      .publish('', replyTo, bytesOf(answer), {
        messageId: `${correlationId ?? ''}:reply`,
        correlationId: correlationId ?? '',
        persistent: false,
        deadline: Date.now() + 10_000,
      })
      .catch((failure: unknown) => this.options.log.warn(null, 'rpc.reply_lost', { error: String(failure) }));
  }
}

/** An answer as it goes over the wire; one that cannot be written is the handler's failure. */
function bytesOf(answer: RpcAnswer): Buffer {
  // Without the internal detail that an error carries for our own log.
  const error = answer.ok ? null : DomainError.fromWire(answer.error).toWire();
  try {
    return Buffer.from(JSON.stringify(error === null ? answer : { ok: false, error }));
  } catch (unwritable) {
    return Buffer.from(JSON.stringify({ ok: false, error: asDomainError(unwritable).toWire() }));
  }
}

/** What becomes of a delivery: done with, given back to be delivered again, or put with the dead letters. */
type Verdict = 'done' | 'again' | 'dead';

const INVALID_ARGUMENTS = 'InvalidArguments';
const UNSUPPORTED_VERSION = 'UnsupportedVersion';

/** A message is known by its id and method: the do and the undo of one step are not the same. */
function keyOf(message: RpcMessage, delivery: ConsumeMessage): string {
  const id = String(delivery.properties.messageId ?? '');
  return id === '' ? '' : `${message.method}:${id}`;
}

/** Whether asking again would give the same answer. */
function definitive(answer: RpcAnswer): boolean {
  return answer.ok || (answer.error.kind !== 'unavailable' && answer.error.kind !== 'bug');
}

/** How often a message was tried before. */
function triesOf(delivery: ConsumeMessage): number {
  const count: unknown = (delivery.properties.headers as Record<string, unknown> | undefined)?.[TRIES_HEADER];
  return typeof count === 'number' ? count : 0;
}

/** Why the arguments are refused, or null. */
function invalid(rpc: RpcInterface, method: RpcMethod, message: RpcMessage): WireError | null {
  const [major = 0, minor = 0] = rpc.version.split('.').map(Number);
  const [askedMajor = 0, askedMinor = 0] = message.version.split('.').map(Number);
  if (askedMajor !== major || askedMinor > minor) {
    return {
      kind: 'unsupported',
      code: UNSUPPORTED_VERSION,
      args: {},
      message: `Specified RPC version, ${message.version}, not supported by this endpoint.`,
    };
  }
  const validate = validatorOf(method.args);
  if (validate(message.args)) return null;
  return {
    kind: 'badRequest',
    code: INVALID_ARGUMENTS,
    args: {},
    message: `${message.method}: ${errorsText(validate.errors)}`,
  };
}

function checkReply(schema: TSchema, message: RpcMessage, reply: unknown): void {
  const validate = validatorOf(schema);
  // As it will be on the wire: undefined fields are not there.
  if (validate(JSON.parse(JSON.stringify(reply)))) return;
  throw new Error(`the reply of ${message.method} does not fit its schema: ${errorsText(validate.errors)}`);
}

function unsupported(method: string): WireError {
  return {
    kind: 'unsupported',
    code: 'UnsupportedMethod',
    args: {},
    message: `Endpoint does not support RPC method ${method}`,
  };
}

function interrupted(method: string): RpcAnswer {
  return {
    ok: false,
    error: {
      kind: 'unavailable',
      code: 'MessagingInterrupted',
      args: {},
      message: `${method} was interrupted and is not repeated by itself.`,
    },
  };
}
