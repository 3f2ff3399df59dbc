import { randomUUID } from 'node:crypto';
import type { Logger } from '@nestack/kernel/log';
import type { Channel, ConsumeMessage } from 'amqplib';
import type { Broker, Seat } from './broker';

/** Announcements to whoever listens now, beside RPC: token revocations, doorbells. */
export interface FanoutBus {
  /** Resolves when the broker has it. */
  publish(exchange: string, message: unknown): Promise<void>;
  /**
   * Calls the handler for each message from now on, over reconnections; messages sent while the broker was away are missed.
   * Answers how to stop it.
   */
  subscribe(exchange: string, handler: FanoutHandler): Promise<() => void>;
  /** Called with false when messages begin to be missed, with true when they arrive again. Answers how to stop it. */
  onFeed(listener: (alive: boolean) => void): () => void;
}

export type FanoutHandler = (message: unknown) => void;

/** Nest injection token of `FanoutBus`. */
export const FANOUT = Symbol('FanoutBus');

/** What all subscribers of one connection share: a channel and a queue, bound to every exchange that somebody listens to. */
class Subscriptions {
  private readonly handlers = new Map<string, Set<FanoutHandler>>();
  private seat: Promise<Seat> | null = null;
  private current: Channel | null = null;
  private queue = '';

  constructor(
    private readonly broker: Broker,
    private readonly log: Logger,
  ) {}

  async add(exchange: string, handler: FanoutHandler): Promise<() => void> {
    const known = this.handlers.get(exchange);
    const set = known ?? new Set();
    set.add(handler);
    this.handlers.set(exchange, set);
    this.seat ??= this.broker
      .join((channel) => this.topology(channel), 0)
      .catch((error: unknown) => {
        this.seat = null;
        throw error;
      });
    await this.seat;
    const channel = this.current;
    try {
      if (channel !== null) await this.bind(channel, exchange);
    } catch (error) {
      // The connection broke meanwhile: coming back, the topology binds everything.
      if (channel === this.current) throw error;
    }
    return () => set.delete(handler);
  }

  private async topology(channel: Channel): Promise<void> {
    const { queue } = await channel.assertQueue('', { exclusive: true, autoDelete: true });
    this.queue = queue;
    this.current = channel;
    channel.once('close', () => {
      if (this.current === channel) this.current = null;
    });
    for (const exchange of this.handlers.keys()) await this.bind(channel, exchange);
    await channel.consume(queue, (delivery) => delivery !== null && this.deliver(delivery), { noAck: true });
  }

  private async bind(channel: Channel, exchange: string): Promise<void> {
    await channel.assertExchange(exchange, 'fanout', { durable: true });
    await channel.bindQueue(this.queue, exchange, '');
  }

  private deliver(delivery: ConsumeMessage): void {
    const { exchange } = delivery.fields;
    for (const handler of this.handlers.get(exchange) ?? []) {
      try {
        handler(JSON.parse(delivery.content.toString('utf8')));
      } catch (error) {
        this.log.warn(null, 'fanout.handler_failed', { exchange, error: String(error) });
      }
    }
  }
}

const subscriptions = new WeakMap<Broker, Subscriptions>();

export function createFanoutBus(broker: Broker, log: Logger): FanoutBus {
  const shared = subscriptions.get(broker) ?? new Subscriptions(broker, log);
  subscriptions.set(broker, shared);
  return {
    publish: (exchange, message) =>
      broker.publish(exchange, '', Buffer.from(JSON.stringify(message)), {
        messageId: randomUUID(),
        persistent: false,
        deadline: Date.now() + 10_000,
        declare: 'fanout',
      }),
    onFeed: (listener) =>
      broker.watch(
        () => listener(false),
        () => listener(true),
      ),
    subscribe: (exchange, handler) => shared.add(exchange, handler),
  };
}
