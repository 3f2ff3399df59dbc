import { setTimeout as delay } from 'node:timers/promises';
import { DomainError } from '@nestack/kernel/errors';
import type { Logger } from '@nestack/kernel/log';
import amqp, { type Channel, type ChannelModel, type ConfirmChannel, type ConsumeMessage, type Options } from 'amqplib';

/** Queues, bindings and consumers of one participant; set up again on every new connection. */
export type Topology = (channel: Channel) => Promise<void>;

interface Seat {
  readonly prefetch: number;
  channel: Channel | null;
  settingUp: Promise<void> | null;
}

interface Unconfirmed {
  readonly reject: (error: Error) => void;
}

const DIRECT_REPLY = 'amq.rabbitmq.reply-to';

/** The broker cannot be reached or cannot route; the work itself is not lost by it. */
export function brokerUnavailable(detail: string): DomainError {
  return new DomainError({
    kind: 'unavailable',
    code: 'MessagingUnavailable',
    message: 'The message broker is temporarily unavailable.',
    detail,
  });
}

/**
 * One connection to RabbitMQ, shared by everything in a process that speaks to the same broker: a confirm channel for
 * publishing (and the replies to its calls), a channel per consuming participant. It reconnects with growing pauses and
 * restores every topology; what was published but not confirmed is published again by its caller.
 */
export class Broker {
  private connection: ChannelModel | null = null;
  private channel: ConfirmChannel | null = null;
  private connecting: Promise<void> | null = null;
  private closed = false;
  private readonly topologies = new Map<Topology, Seat>();
  private readonly returned = new Map<string, () => void>();
  private readonly unconfirmed = new Set<Unconfirmed>();
  private readonly exchanges = new Set<string>();
  private readonly lostListeners = new Set<() => void>();
  private readonly backListeners = new Set<() => void>();
  private onReply: (message: ConsumeMessage) => void = () => undefined;

  constructor(
    private readonly url: string,
    private readonly log: Logger,
  ) {}

  /** Connected now. */
  get connected(): boolean {
    return this.channel !== null;
  }

  /** Who takes the replies to calls made through this connection. */
  set replies(handler: (message: ConsumeMessage) => void) {
    this.onReply = handler;
  }

  /** `lost` is called when the connection breaks, `back` when it is there again. */
  watch(lost: () => void, back: () => void = () => undefined): void {
    this.lostListeners.add(lost);
    this.backListeners.add(back);
  }

  /** Connects, waiting for the broker and saying so. */
  async connect(): Promise<void> {
    if (this.channel !== null) return;
    this.connecting ??= this.open().finally(() => {
      this.connecting = null;
    });
    await this.connecting;
  }

  /** Throws `unavailable` when there is no connection now. */
  async ping(): Promise<void> {
    if (this.channel === null) throw brokerUnavailable('not connected');
    await Promise.resolve();
  }

  /** Adds a participant: its topology is set up now and after each reconnection. Gives its present channel, and its way out. */
  async join(
    topology: Topology,
    prefetch: number,
  ): Promise<{ channel: () => Channel | null; leave: () => Promise<void> }> {
    const entry: Seat = { prefetch, channel: null, settingUp: null };
    this.topologies.set(topology, entry);
    if (this.channel === null) await this.connect();
    if (entry.channel === null) await this.setUp(topology, entry);
    return {
      channel: () => entry.channel,
      leave: async () => {
        const { channel } = entry;
        this.topologies.delete(topology);
        entry.channel = null;
        await channel?.close().catch(() => undefined);
      },
    };
  }

  /**
   * Publishes persistently with confirmation. With `mandatory` a message that no queue takes is refused. Tried again over
   * reconnections until `deadline` (ms since the epoch); then `unavailable`.
   */
  async publish(
    exchange: string,
    key: string,
    body: Buffer,
    options: Options.Publish & { readonly messageId: string },
    deadline: number,
    declare?: { readonly type: 'topic' | 'fanout' },
  ): Promise<void> {
    for (;;) {
      try {
        await withDeadline(this.connect(), deadline);
        if (declare !== undefined) await this.declareExchange(exchange, declare.type);
        await withDeadline(this.publishOnce(exchange, key, body, options), deadline);
        return;
      } catch (error) {
        const unroutable = error instanceof DomainError && error.code === 'MessagingUnroutable';
        if (this.closed || unroutable || Date.now() + 100 >= deadline)
          throw error instanceof DomainError ? error : brokerUnavailable(String(error));
        await delay(50);
      }
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.connecting?.catch(() => undefined);
    await this.connection?.close().catch(() => undefined);
    this.channel = null;
  }

  private async declareExchange(exchange: string, type: 'topic' | 'fanout'): Promise<void> {
    if (this.exchanges.has(exchange)) return;
    await this.channel?.assertExchange(exchange, type, { durable: true });
    this.exchanges.add(exchange);
  }

  private publishOnce(
    exchange: string,
    key: string,
    body: Buffer,
    options: Options.Publish & { readonly messageId: string },
  ): Promise<void> {
    const { channel } = this;
    if (channel === null) return Promise.reject(brokerUnavailable('not connected'));
    return new Promise<void>((resolve, reject) => {
      const pending: Unconfirmed = {
        reject: (error) => {
          this.unconfirmed.delete(pending);
          this.returned.delete(options.messageId);
          reject(error);
        },
      };
      this.unconfirmed.add(pending);
      let unroutable = false;
      this.returned.set(options.messageId, () => {
        unroutable = true;
      });
      const confirmed = (error: unknown): void => {
        this.unconfirmed.delete(pending);
        this.returned.delete(options.messageId);
        if (unroutable) reject(unroutableError(exchange, key));
        else if (error !== null && error !== undefined) reject(brokerUnavailable('the broker refused the message'));
        else resolve();
      };
      try {
        channel.publish(
          exchange,
          key,
          body,
          { persistent: true, contentType: 'application/json', ...options },
          confirmed,
        );
      } catch (error) {
        // The channel has just closed.
        pending.reject(brokerUnavailable(String(error)));
      }
    });
  }

  private async open(): Promise<void> {
    for (let tries = 0; !this.closed; tries += 1) {
      try {
        await this.openOnce();
        return;
      } catch (error) {
        if (tries % 20 === 0)
          this.log.warn(null, 'broker.waiting', { error: error instanceof Error ? error.message : String(error) });
        await delay(Math.min(1000, 50 * 1.5 ** tries));
      }
    }
    throw brokerUnavailable('closed');
  }

  private async openOnce(): Promise<void> {
    const connection = await amqp.connect(withHeartbeat(this.url), { timeout: 5000, noDelay: true });
    connection.on('error', () => undefined);
    connection.once('close', () => this.lost(connection));
    this.connection = connection;
    const channel = await connection.createConfirmChannel();
    channel.on('error', (error: unknown) => this.log.warn(null, 'broker.channel_error', { error: String(error) }));
    channel.on('return', (message: { properties: { messageId?: string } }) =>
      this.returned.get(message.properties.messageId ?? '')?.(),
    );
    // Without its publishing channel a connection is of no use: it is made anew.
    channel.once('close', () => this.connection === connection && void connection.close().catch(() => undefined));
    await channel.consume(DIRECT_REPLY, (message) => message !== null && this.onReply(message), { noAck: true });
    this.exchanges.clear();
    for (const [topology, entry] of this.topologies) await this.setUp(topology, entry);
    if (this.connection !== connection) throw brokerUnavailable('the connection was lost while it was set up');
    this.channel = channel;
  }

  /** Once for each connection, however many ask. */
  private setUp(topology: Topology, entry: Seat): Promise<void> {
    if (entry.channel !== null) return Promise.resolve();
    entry.settingUp ??= this.setUpOnce(topology, entry).finally(() => {
      entry.settingUp = null;
    });
    return entry.settingUp;
  }

  private async setUpOnce(topology: Topology, entry: Seat): Promise<void> {
    const { connection } = this;
    if (connection === null) throw brokerUnavailable('not connected');
    const channel = await connection.createChannel();
    channel.on('error', (error: unknown) => this.log.warn(null, 'broker.channel_error', { error: String(error) }));
    await channel.prefetch(entry.prefetch);
    await topology(channel);
    entry.channel = channel;
    channel.once('close', () => {
      // The broker closed this channel alone (a delivery held too long): what it held is delivered again to a new one.
      if (this.closed || this.connection !== connection || entry.channel !== channel) return;
      entry.channel = null;
      this.setUp(topology, entry).catch(() => void connection.close().catch(() => undefined));
    });
  }

  private lost(connection: ChannelModel): void {
    if (this.connection !== connection) return;
    this.connection = null;
    this.channel = null;
    for (const entry of this.topologies.values()) entry.channel = null;
    for (const pending of [...this.unconfirmed]) pending.reject(brokerUnavailable('the connection was lost'));
    if (this.closed) return;
    this.log.warn(null, 'broker.lost');
    for (const listener of this.lostListeners) listener();
    void this.connect().catch(() => undefined);
  }
}

/** Ten seconds: a dead broker is noticed within twenty. */
function withHeartbeat(url: string): string {
  const parsed = new URL(url);
  if (!parsed.searchParams.has('heartbeat')) parsed.searchParams.set('heartbeat', '10');
  return parsed.toString();
}

function unroutableError(exchange: string, key: string): DomainError {
  return new DomainError({
    kind: 'unavailable',
    code: 'MessagingUnroutable',
    message: `No server is listening for ${exchange} ${key}.`,
  });
}

async function withDeadline<T>(promise: Promise<T>, deadline: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  try {
    return await Promise.race([
      promise,
      new Promise<never>((_, reject) => {
        timer = setTimeout(
          () => reject(brokerUnavailable('the deadline has passed')),
          Math.max(0, deadline - Date.now()),
        );
      }),
    ]);
  } finally {
    clearTimeout(timer);
  }
}

const brokers = new Map<string, { broker: Broker; users: number }>();

/** The process's connection to a broker, shared by all its apps; give it back with `releaseBroker`. */
export function acquireBroker(url: string, log: Logger): Broker {
  const entry = brokers.get(url) ?? { broker: new Broker(url, log), users: 0 };
  entry.users += 1;
  brokers.set(url, entry);
  return entry.broker;
}

export async function releaseBroker(url: string): Promise<void> {
  const entry = brokers.get(url);
  if (entry === undefined) return;
  entry.users -= 1;
  if (entry.users > 0) return;
  brokers.delete(url);
  await entry.broker.close();
}
