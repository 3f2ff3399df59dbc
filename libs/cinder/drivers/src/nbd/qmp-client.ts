import { connect, type Socket } from 'node:net';
import { DomainError } from '@nestack/kernel/errors';

/** An answer other than success. */
export class QmpError extends Error {
  constructor(
    readonly command: string,
    readonly errorClass: string,
    readonly description: string,
  ) {
    super(`${command}: ${description}`);
    this.name = 'QmpError';
  }
}

export interface QmpEvent {
  readonly event: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

interface Waiting {
  readonly command: string;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

const TIMEOUT_MS = 30_000;

/** One connection to the control socket of a QEMU program. Its end fails what waits; a new one is made then. */
export class QmpClient {
  private readonly waiting = new Map<number, Waiting>();
  private readonly listeners = new Set<(event: QmpEvent) => void>();
  private next = 1;
  private text = '';
  private greeted: (() => void) | null = null;
  private ended = false;

  private constructor(private readonly socket: Socket) {
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => this.receive(chunk));
    socket.on('error', () => this.end());
    socket.on('close', () => this.end());
    // A service that ends need not wait for a program that stays.
    socket.unref();
  }

  /** Connects and negotiates; throws `unavailable` when nobody answers. */
  static async open(path: string): Promise<QmpClient> {
    const socket = connect(path);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', (error) => reject(gone(error)));
    });
    const client = new QmpClient(socket);
    await client.negotiate();
    return client;
  }

  get alive(): boolean {
    return !this.ended;
  }

  /** Runs a command; throws QmpError when it is refused, `unavailable` when the program goes away. */
  execute(command: string, args: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    if (this.ended) return Promise.reject(gone());
    const id = this.next++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting.delete(id);
        reject(gone(new Error(`${command} took longer than ${String(TIMEOUT_MS)} ms`)));
      }, TIMEOUT_MS);
      this.waiting.set(id, { command, resolve, reject, timer });
      this.socket.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`);
    });
  }

  onEvent(listener: (event: QmpEvent) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Called once when the connection has ended, however that came. */
  onEnd(listener: () => void): void {
    this.socket.once('close', listener);
  }

  close(): void {
    this.socket.destroy();
    this.end();
  }

  private async negotiate(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(gone(new Error('no greeting'))), TIMEOUT_MS);
      this.greeted = () => {
        clearTimeout(timer);
        if (this.ended) reject(gone());
        else resolve();
      };
    });
    await this.execute('qmp_capabilities');
  }

  private receive(chunk: string): void {
    this.text += chunk;
    for (let at = this.text.indexOf('\n'); at >= 0; at = this.text.indexOf('\n')) {
      const line = this.text.slice(0, at).trim();
      this.text = this.text.slice(at + 1);
      if (line !== '') this.message(JSON.parse(line) as Readonly<Record<string, unknown>>);
    }
  }

  private message(message: Readonly<Record<string, unknown>>): void {
    if ('QMP' in message) {
      this.greeted?.();
      return;
    }
    if (typeof message['event'] === 'string') {
      for (const listener of this.listeners) listener(message as unknown as QmpEvent);
      return;
    }
    const id = message['id'];
    const waiting = typeof id === 'number' ? this.waiting.get(id) : undefined;
    if (waiting === undefined || typeof id !== 'number') return;
    this.waiting.delete(id);
    clearTimeout(waiting.timer);
    const error = message['error'] as { class?: string; desc?: string } | undefined;
    if (error === undefined) waiting.resolve(message['return']);
    else waiting.reject(new QmpError(waiting.command, error.class ?? '', error.desc ?? ''));
  }

  private end(): void {
    if (this.ended) return;
    this.ended = true;
    this.greeted?.();
    for (const { reject, timer } of this.waiting.values()) {
      clearTimeout(timer);
      reject(gone());
    }
    this.waiting.clear();
  }
}

function gone(cause?: Error): DomainError {
  return new DomainError({
    kind: 'unavailable',
    code: 'StorageDaemonUnavailable',
    message: 'The storage backend is temporarily unavailable.',
    ...(cause === undefined ? {} : { detail: cause.message, cause }),
  });
}
