import type { Options } from 'amqplib';
import type { RpcInterface } from './define-rpc';
import type { RpcQueues } from './handles-rpc';

/** Tries of one cast before it goes to the dead letters. */
export const TRIES = 20;

/** Header that counts them: classic queues count nothing, and quorum queues not the same in each version. */
export const TRIES_HEADER = 'x-tries';

/**
 * Type of the shared queues. `classic` is right for one node: what a persistent message's confirmation promises outlives a
 * killed broker in every version, which quorum queues promise only from RabbitMQ 4.0 on (ADR 4). `quorum` is for clusters.
 */
export type QueueType = 'classic' | 'quorum';

/** A queue as the servers of an interface share it. */
export interface SharedQueue {
  readonly name: string;
  readonly key: string;
  readonly options: Options.AssertQueue;
}

/** Routing key of a cast: the topic, or one host of it. */
export function castKey(topic: string, host: string | undefined): string {
  return host === undefined ? topic : `${topic}.${host}`;
}

/** Routing key of a call. */
export function callKey(topic: string, host: string | undefined): string {
  return `call.${castKey(topic, host)}`;
}

/** Fanout exchange of a topic. */
export function fanoutExchange(rpc: RpcInterface): string {
  return `${rpc.exchange}.${rpc.topic}_fanout`;
}

/** Exchange and queue of what could not be worked on. */
export function deadLetters(exchange: string): string {
  return `${exchange}.dead-letter`;
}

/**
 * The durable queues of an interface. Casts are commands that nobody waits for: they are persistent, and end among the dead
 * letters when they cannot be worked on. A call is worth nothing without its caller, who repeats it when the broker was lost:
 * its messages are transient and end with its deadline.
 */
export function sharedQueues(rpc: RpcInterface, queues: RpcQueues, host: string, type: QueueType): SharedQueue[] {
  const hosts = [...(queues === 'host' ? [] : [undefined]), ...(queues === 'topic' ? [] : [host])];
  const kinds = new Set(Object.values(rpc.methods).map((method) => method.kind));
  const queue = (key: string, more: Record<string, unknown>): SharedQueue => ({
    name: `${rpc.exchange}.${key}`,
    key,
    options: { durable: true, arguments: { 'x-queue-type': type, ...patient, ...more } },
  });
  const castArguments = {
    'x-dead-letter-exchange': deadLetters(rpc.exchange),
    ...(type === 'quorum' ? { 'x-delivery-limit': TRIES } : {}),
  };
  return hosts.flatMap((one) => [
    ...(kinds.has('cast') ? [queue(castKey(rpc.topic, one), castArguments)] : []),
    ...(kinds.has('call') ? [queue(callKey(rpc.topic, one), {})] : []),
  ]);
}

/** Long commands hold their delivery: a day instead of the broker's half hour. Brokers before 3.12 have one setting for all. */
const patient = { 'x-consumer-timeout': 86_400_000 };

/** The dead letters of an exchange: kept until somebody looks, the oldest dropped when there are too many. */
export function deadLetterQueue(type: QueueType): Options.AssertQueue {
  return { durable: true, arguments: { 'x-queue-type': type, 'x-max-length': 10_000 } };
}
