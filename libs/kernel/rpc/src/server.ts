import { lastValueFrom, from as toObservable, isObservable } from 'rxjs';
import { Server, type CustomTransportStrategy } from '@nestjs/microservices';
import { DomainError, type WireError } from '@nestack/kernel/errors';
import type { Logger } from '@nestack/kernel/log';
import { recordTrace } from '@nestack/kernel/trace';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { ValidateFunction } from 'ajv';
import type { Channel, ConsumeMessage } from 'amqplib';
import type { TSchema } from 'typebox';
import type { Broker } from './broker';
import type { RpcInterface, RpcMethod } from './define-rpc';
import { contextOf, parseMessage, type RpcAnswer, type RpcMessage } from './envelope';
import { RPC_TRANSPORT, patternOf, servedBy, type RpcDelivery, type RpcQueues } from './handles-rpc';
import { RecentResults } from './recent-results';

export interface RpcServerOptions {
  readonly broker: Broker;
  readonly log: Logger;
  /** Name in logs: `nova-compute`. */
  readonly service: string;
  /** For host queues. */
  readonly host: string;
  /** Messages that are worked on at a time, default 64. */
  readonly prefetch?: number;
  /** Whether replies are checked against their schema too: in tests and development. */
  readonly checkReplies?: boolean;
}

/** Deliveries of one command before it goes to the dead letters. */
const DELIVERY_LIMIT = 20;
const DRAIN_MS = 25_000;

/**
 * Nest's transport strategy over RabbitMQ with oslo.messaging's vocabulary: an exchange per service, quorum queues per
 * topic and host, a fanout exchange per topic. A delivery is acknowledged when its handler has ended (for calls: when the
 * reply is out), so a killed server's commands go to the next one.
 */
export class RpcServer extends Server implements CustomTransportStrategy {
  override readonly transportId = RPC_TRANSPORT;
  private readonly results = new RecentResults<RpcAnswer>(2000, 300_000);
  private readonly validators = new Map<TSchema, ValidateFunction>();
  private readonly ajv = new Ajv2020({ strict: false, validateFormats: false });
  private readonly tags: { channel: Channel; tag: string }[] = [];
  private seat: { channel: () => Channel | null; leave: () => Promise<void> } | null = null;
  private busy = 0;
  private draining = false;

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
      .join((channel) => this.topology(channel, interfaces), this.options.prefetch ?? 64)
      .then((seat) => {
        this.seat = seat;
        callback();
      }, callback);
  }

  /** Takes no new messages, lets what is under way end, then leaves. */
  async close(): Promise<void> {
    this.draining = true;
    for (const { channel, tag } of this.tags) await channel.cancel(tag).catch(() => undefined);
    const end = Date.now() + DRAIN_MS;
    while (this.busy > 0 && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 20));
    await this.seat?.leave();
  }

  override on(): void {
    throw new Error('this transport has no events');
  }

  override unwrap<T>(): T {
    return this.options.broker as T;
  }

  private async topology(channel: Channel, interfaces: ReadonlyMap<RpcInterface, RpcQueues>): Promise<void> {
    this.tags.length = 0;
    for (const [rpc, queues] of interfaces) {
      const dead = `${rpc.exchange}.dead-letter`;
      await channel.assertExchange(rpc.exchange, 'topic', { durable: true });
      await channel.assertExchange(dead, 'fanout', { durable: true });
      await channel.assertQueue(dead, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
      await channel.bindQueue(dead, dead, '');
      const keys = [
        ...(queues === 'host' ? [] : [rpc.topic]),
        ...(queues === 'topic' ? [] : [`${rpc.topic}.${this.options.host}`]),
      ];
      for (const key of keys) {
        const queue = `${rpc.exchange}.${key}`;
        await channel.assertQueue(queue, {
          durable: true,
          arguments: {
            'x-queue-type': 'quorum',
            'x-delivery-limit': DELIVERY_LIMIT,
            'x-dead-letter-exchange': dead,
            // Long commands hold their delivery: a day instead of the broker's half hour.
            'x-consumer-timeout': 86_400_000,
          },
        });
        await channel.bindQueue(queue, rpc.exchange, key);
        await this.consume(channel, queue, rpc);
      }
      if (Object.values(rpc.methods).some((method) => method.kind === 'fanout')) {
        const fanout = `${rpc.exchange}.${rpc.topic}_fanout`;
        await channel.assertExchange(fanout, 'fanout', { durable: true });
        const { queue } = await channel.assertQueue('', { exclusive: true, autoDelete: true });
        await channel.bindQueue(queue, fanout, '');
        await this.consume(channel, queue, rpc);
      }
    }
  }

  private async consume(channel: Channel, queue: string, rpc: RpcInterface): Promise<void> {
    const { consumerTag } = await channel.consume(queue, (delivery) => {
      if (delivery !== null) void this.take(channel, rpc, delivery);
    });
    this.tags.push({ channel, tag: consumerTag });
  }

  private async take(channel: Channel, rpc: RpcInterface, delivery: ConsumeMessage): Promise<void> {
    const settle = (act: () => void): void => {
      try {
        act();
      } catch {
        // The channel is gone; the broker delivers the message again.
      }
    };
    const message = parseMessage(delivery.content);
    const method = message === null ? undefined : rpc.methods[message.method];
    if (message === null || method === undefined) {
      this.options.log.error(null, 'rpc.malformed', { topic: rpc.topic, method: message?.method ?? null });
      await this.reply(delivery, {
        ok: false,
        error: {
          kind: 'unsupported',
          code: 'UnsupportedMethod',
          args: {},
          message: `Endpoint does not support RPC method ${message?.method ?? ''}`,
        },
      });
      settle(() => channel.nack(delivery, false, false));
      return;
    }
    if (message.deadline !== null && Date.now() > message.deadline) {
      settle(() => channel.ack(delivery));
      return;
    }
    if (this.draining) {
      settle(() => channel.nack(delivery, false, true));
      return;
    }
    this.busy += 1;
    try {
      const messageId = String(delivery.properties.messageId ?? '');
      const answer = await this.results.once(messageId, () => this.handle(rpc, method, message, delivery), definitive);
      await this.reply(delivery, answer);
      const again = method.kind === 'cast' && !answer.ok && !definitive(answer);
      if (again) await this.pause(Math.min(30_000, 250 * 2 ** deliveriesOf(delivery)));
      settle(() => (again ? channel.nack(delivery, false, true) : channel.ack(delivery)));
    } finally {
      this.busy -= 1;
    }
  }

  private async handle(
    rpc: RpcInterface,
    method: RpcMethod,
    message: RpcMessage,
    delivery: ConsumeMessage,
  ): Promise<RpcAnswer> {
    const invalid = this.invalid(rpc, method, message);
    if (invalid !== null) return { ok: false, error: invalid };
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
      this.checkReply(method.reply, message, answer.reply);
    return answer;
  }

  /** Why the arguments are refused, or null. */
  private invalid(rpc: RpcInterface, method: RpcMethod, message: RpcMessage): WireError | null {
    const [major = 0, minor = 0] = rpc.version.split('.').map(Number);
    const [askedMajor = 0, askedMinor = 0] = message.version.split('.').map(Number);
    if (askedMajor !== major || askedMinor > minor) {
      return {
        kind: 'unsupported',
        code: 'UnsupportedVersion',
        args: {},
        message: `Specified RPC version, ${message.version}, not supported by this endpoint.`,
      };
    }
    const validate = this.validator(method.args);
    if (validate(message.args)) return null;
    return {
      kind: 'badRequest',
      code: 'InvalidArguments',
      args: {},
      message: `${message.method}: ${this.ajv.errorsText(validate.errors)}`,
    };
  }

  private validator(schema: TSchema): ValidateFunction {
    let validate = this.validators.get(schema);
    if (validate === undefined) {
      validate = this.ajv.compile(schema as object);
      this.validators.set(schema, validate);
    }
    return validate;
  }

  private checkReply(schema: TSchema, message: RpcMessage, reply: unknown): void {
    const validate = this.validator(schema);
    // As it will be on the wire: undefined fields are not there.
    if (validate(JSON.parse(JSON.stringify(reply)))) return;
    throw new Error(`the reply of ${message.method} does not fit its schema: ${this.ajv.errorsText(validate.errors)}`);
  }

  /** Waits, but not into a shutdown. */
  private async pause(ms: number): Promise<void> {
    const end = Date.now() + ms;
    while (!this.draining && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, Math.min(100, ms)));
  }

  private async reply(delivery: ConsumeMessage, answer: RpcAnswer): Promise<void> {
    const { replyTo, correlationId } = delivery.properties as { replyTo?: string; correlationId?: string };
    if (replyTo === undefined) return;
    const error = answer.ok ? null : DomainError.fromWire(answer.error).toWire();
    const body = Buffer.from(JSON.stringify(error === null ? answer : { ok: false, error }));
    await this.options.broker
      .publish(
        '',
        replyTo,
        body,
        { messageId: `${correlationId ?? ''}:reply`, correlationId: correlationId ?? '', persistent: false },
        Date.now() + 10_000,
      )
      .catch((failure: unknown) => this.options.log.warn(null, 'rpc.reply_lost', { error: String(failure) }));
  }
}

/** Whether asking again would give the same answer. */
function definitive(answer: RpcAnswer): boolean {
  return answer.ok || (answer.error.kind !== 'unavailable' && answer.error.kind !== 'bug');
}

/** How often a message came before; quorum queues count it. */
function deliveriesOf(delivery: ConsumeMessage): number {
  const count: unknown = (delivery.properties.headers as Record<string, unknown> | undefined)?.['x-delivery-count'];
  return typeof count === 'number' ? count : 0;
}
