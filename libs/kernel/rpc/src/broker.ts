import { setTimeout as delay } from 'node:timers/promises';
import { DomainError } from '@nestack/kernel/errors';
import type { Logger } from '@nestack/kernel/log';
import amqp, { type Channel, type ChannelModel, type ConfirmChannel, type ConsumeMessage, type Options } from 'amqplib';
import { brokerUnavailable, unroutable } from './broker-errors';

/** Declares a shared queue; one that stands there with other arguments is replaced when it is empty and unused, else kept. */
export type DeclareQueue = (name: string, options: Options.AssertQueue) => Promise<void>;

/** Queues, bindings and consumers of one participant; set up again on every new connection. */
export type Topology = (channel: Channel, declare: DeclareQueue) => Promise<void>;

/** A participant's place on the connection. */
export interface Seat {
  /** The present channel, null while the broker is away. */
  channel(): Channel | null;
  leave(): Promise<void>;
}

interface Place {
  readonly prefetch: number;
  channel: Channel | null;
  settingUp: { readonly link: Link; readonly done: Promise<void> } | null;
}

/** One connection while it lasts. Requests on one that breaks may never be answered: they are waited for through `alive`. */
interface Link {
  readonly connection: ChannelModel;
  alive<T>(promise: Promise<T>): Promise<T>;
}

/** How a message is published. */
export interface Publish extends Options.Publish {
  readonly messageId: string;
  /** Until when it is tried, milliseconds since the epoch. */
  readonly deadline: number;
  /** The exchange's type, to have it made when it is not there yet. */
  readonly declare?: 'topic' | 'fanout';
  /** Never send it twice: a connection that is lost in the middle is a failure. */
  readonly once?: boolean;
}

interface Unconfirmed {
  readonly reject: (error: Error) => void;
}

const DIRECT_REPLY = 'amq.rabbitmq.reply-to';
/** AMQP's code for a declaration that differs from what exists. */
const PRECONDITION_FAILED = 406;

/**
 * One connection to RabbitMQ, shared by everything in a process that speaks to the same broker: a confirm channel for
 * publishing (and the replies to its calls), a channel per consuming participant. It reconnects with growing pauses and
 * restores every topology; what was published but not confirmed is published again.
 */
export class Broker {
  private link: Link | null = null;
  private channel: ConfirmChannel | null = null;
  private connecting: Promise<void> | null = null;
  private closed = false;
  private before = false;
  private readonly topologies = new Map<Topology, Place>();
  private readonly returned = new Map<string, () => void>();
  private readonly unconfirmed = new Set<Unconfirmed>();
  private readonly exchanges = new Set<string>();
  private readonly listeners = new Set<{ readonly lost: () => void; readonly back: () => void }>();
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

  /** `lost` is called when the connection breaks, `back` when everything is there again. Answers how to stop it. */
  watch(lost: () => void, back: () => void = () => undefined): () => void {
    const listener = { lost, back };
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
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

  /** Adds a participant: its topology is set up now and after each reconnection. `prefetch` 0 is unlimited. */
  async join(topology: Topology, prefetch: number): Promise<Seat> {
    const place: Place = { prefetch, channel: null, settingUp: null };
    this.topologies.set(topology, place);
    while (place.channel === null) {
      await this.connect();
      const { link } = this;
      try {
        await this.setUp(topology, place);
      } catch (error) {
        // The connection broke meanwhile: the next one sets it up. Otherwise the broker refuses the topology itself.
        if (link !== null && this.link === link) {
          this.topologies.delete(topology);
          throw error;
        }
      }
    }
    return {
      channel: () => place.channel,
      leave: async () => {
        const { channel } = place;
        this.topologies.delete(topology);
        place.channel = null;
        await channel?.close().catch(() => undefined);
      },
    };
  }

  /**
   * Publishes with confirmation, persistently unless told otherwise. With `mandatory` a message that no queue takes is
   * refused. Tried again over reconnections until the deadline; then `unavailable`.
   */
  async publish(exchange: string, key: string, body: Buffer, options: Publish): Promise<void> {
    const { deadline, declare, once, ...properties } = options;
    for (let sent = false; ;) {
      try {
        if (this.channel === null) await within(this.connect(), deadline);
        if (declare !== undefined && !this.exchanges.has(exchange))
          await within(this.declareExchange(exchange, declare), deadline);
        sent = true;
        await within(this.publishOnce(exchange, key, body, properties), deadline);
        return;
      } catch (error) {
        const refused = error instanceof DomainError && error.code === 'MessagingUnroutable';
        if (this.closed || refused || (sent && once === true) || Date.now() + 50 >= deadline)
          throw error instanceof DomainError ? error : brokerUnavailable(String(error));
        await delay(50);
      }
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.connecting?.catch(() => undefined);
    await this.link?.connection.close().catch(() => undefined);
    this.channel = null;
  }

  private async declareExchange(exchange: string, type: 'topic' | 'fanout'): Promise<void> {
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
      let refused = false;
      if (options.mandatory === true)
        this.returned.set(options.messageId, () => {
          refused = true;
        });
      const confirmed = (error: unknown): void => {
        this.unconfirmed.delete(pending);
        this.returned.delete(options.messageId);
        if (refused) reject(unroutable(exchange, key));
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
      } catch (error) {
        if (tries % 20 === 0)
          this.log.warn(null, 'broker.waiting', { error: error instanceof Error ? error.message : String(error) });
        await delay(Math.min(1000, 50 * 1.5 ** tries));
        continue;
      }
      if (this.before) {
        this.log.info(null, 'broker.back');
        for (const listener of this.listeners) listener.back();
      }
      this.before = true;
      return;
    }
    throw brokerUnavailable('closed');
  }

  private async openOnce(): Promise<void> {
    const connection = await amqp.connect(withHeartbeat(this.url), { timeout: 5000, noDelay: true });
    connection.on('error', () => undefined);
    const link = linkOf(connection);
    connection.once('close', () => this.lost(link));
    this.link = link;
    try {
      const channel = await link.alive(connection.createConfirmChannel());
      channel.on('error', (error: unknown) => this.log.warn(null, 'broker.channel_error', { error: String(error) }));
      channel.on('return', (message: { properties: { messageId?: string } }) =>
        this.returned.get(message.properties.messageId ?? '')?.(),
      );
      // Without its publishing channel a connection is of no use: it is made anew.
      channel.once('close', () => this.link === link && void connection.close().catch(() => undefined));
      await link.alive(
        channel.consume(DIRECT_REPLY, (message) => message !== null && this.onReply(message), { noAck: true }),
      );
      this.exchanges.clear();
      for (const [topology, place] of this.topologies) await this.setUp(topology, place);
      if (this.link !== link) throw brokerUnavailable('the connection was lost while it was set up');
      this.channel = channel;
    } catch (error) {
      // Half a topology must not stay: its consumers would take messages for nobody.
      connection.close().catch(() => undefined);
      throw error;
    }
  }

  /** Once for each connection, however many ask. */
  private setUp(topology: Topology, place: Place): Promise<void> {
    const { link } = this;
    if (place.channel !== null) return Promise.resolve();
    if (link === null) return Promise.reject(brokerUnavailable('not connected'));
    if (place.settingUp?.link !== link) {
      const done = link.alive(this.setUpOnce(link, topology, place)).finally(() => {
        if (place.settingUp?.link === link) place.settingUp = null;
      });
      place.settingUp = { link, done };
    }
    return place.settingUp.done;
  }

  private async setUpOnce(link: Link, topology: Topology, place: Place): Promise<void> {
    const { connection } = link;
    const channel = await connection.createChannel();
    channel.on('error', (error: unknown) => this.log.warn(null, 'broker.channel_error', { error: String(error) }));
    await channel.prefetch(place.prefetch);
    await topology(channel, (name, options) => this.declareQueue(connection, name, options));
    if (this.link !== link) return;
    if (!this.topologies.has(topology)) {
      await channel.close().catch(() => undefined);
      return;
    }
    place.channel = channel;
    channel.once('close', () => {
      // The broker closed this channel alone (a delivery held too long, a queue removed): what it held comes again.
      if (this.closed || this.link !== link || place.channel !== channel) return;
      place.channel = null;
      this.setUp(topology, place).catch(() => void connection.close().catch(() => undefined));
    });
  }

  /** On a channel of its own, since a refused declaration closes its channel. */
  private async declareQueue(
    connection: ChannelModel,
    name: string,
    options: Options.AssertQueue,
    again = true,
  ): Promise<void> {
    const channel = await connection.createChannel();
    channel.on('error', () => undefined);
    try {
      await channel.assertQueue(name, options);
      await channel.close();
    } catch (error) {
      if (!again || (error as { code?: unknown }).code !== PRECONDITION_FAILED) throw error;
      const replaceable = await this.removeIfIdle(connection, name);
      this.log.warn(null, 'broker.queue_differs', { queue: name, replaced: replaceable });
      if (replaceable) await this.declareQueue(connection, name, options, false);
    }
  }

  private async removeIfIdle(connection: ChannelModel, name: string): Promise<boolean> {
    const channel = await connection.createChannel();
    channel.on('error', () => undefined);
    const { messageCount, consumerCount } = await channel.checkQueue(name);
    const idle = messageCount === 0 && consumerCount === 0;
    if (idle) await channel.deleteQueue(name);
    await channel.close();
    return idle;
  }

  private lost(link: Link): void {
    if (this.link !== link) return;
    this.link = null;
    this.channel = null;
    for (const place of this.topologies.values()) place.channel = null;
    for (const pending of [...this.unconfirmed]) pending.reject(brokerUnavailable('the connection was lost'));
    if (this.closed) return;
    this.log.warn(null, 'broker.lost');
    for (const listener of this.listeners) listener.lost();
    void this.connect().catch(() => undefined);
  }
}

function linkOf(connection: ChannelModel): Link {
  const broken = new Promise<never>((_, reject) => {
    connection.once('close', () => reject(brokerUnavailable('the connection was lost')));
  });
  broken.catch(() => undefined);
  return { connection, alive: (promise) => Promise.race([promise, broken]) };
}

/** Ten seconds: a dead broker is noticed within twenty. */
function withHeartbeat(url: string): string {
  const parsed = new URL(url);
  if (!parsed.searchParams.has('heartbeat')) parsed.searchParams.set('heartbeat', '10');
  return parsed.toString();
}

async function within<T>(promise: Promise<T>, deadline: number): Promise<T> {
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
