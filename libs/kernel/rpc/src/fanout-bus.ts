import { randomUUID } from 'node:crypto';
import type { Logger } from '@nestack/kernel/log';
import type { Broker } from './broker';

/** Announcements to whoever listens now, beside RPC: token revocations, doorbells. */
export interface FanoutBus {
  /** Resolves when the broker has it. */
  publish(exchange: string, message: unknown): Promise<void>;
  /** Calls the handler for each message from now on, over reconnections; messages sent while the broker was away are missed. */
  subscribe(exchange: string, handler: (message: unknown) => void): Promise<void>;
  /** Called with false when messages begin to be missed, with true when they arrive again. */
  onFeed(listener: (alive: boolean) => void): void;
}

/** Nest injection token of `FanoutBus`. */
export const FANOUT = Symbol('FanoutBus');

export function createFanoutBus(broker: Broker, log: Logger): FanoutBus {
  return {
    publish: (exchange, message) =>
      broker.publish(
        exchange,
        '',
        Buffer.from(JSON.stringify(message)),
        { messageId: randomUUID() },
        Date.now() + 10_000,
        { type: 'fanout' },
      ),
    onFeed: (listener) =>
      broker.watch(
        () => listener(false),
        () => listener(true),
      ),
    subscribe: async (exchange, handler) => {
      await broker.join(async (channel) => {
        await channel.assertExchange(exchange, 'fanout', { durable: true });
        const { queue } = await channel.assertQueue('', { exclusive: true, autoDelete: true });
        await channel.bindQueue(queue, exchange, '');
        await channel.consume(
          queue,
          (delivery) => {
            if (delivery === null) return;
            try {
              handler(JSON.parse(delivery.content.toString('utf8')));
            } catch (error) {
              log.warn(null, 'fanout.handler_failed', { exchange, error: String(error) });
            }
          },
          { noAck: true },
        );
      }, 100);
    },
  };
}
