import { Worker } from 'node:worker_threads';

/** Runs in a thread for each algorithm; plain text because a bundle has no file of its own for it. */
const WORKER = `
const { parentPort, workerData } = require('node:worker_threads');
const { createHash } = require('node:crypto');
const open = new Map();
parentPort.on('message', (m) => {
  if (m.op === 'update') {
    let hash = open.get(m.stream);
    if (hash === undefined) open.set(m.stream, (hash = createHash(workerData.algorithm)));
    hash.update(new Uint8Array(m.buffer, 0, m.length));
    parentPort.postMessage({ stream: m.stream, call: m.call });
  } else {
    const hash = open.get(m.stream) ?? createHash(workerData.algorithm);
    open.delete(m.stream);
    parentPort.postMessage({ stream: m.stream, call: m.call, digest: m.op === 'end' ? hash.digest('hex') : '' });
  }
});
`;

type Algorithm = 'md5' | 'sha512';

/**
 * MD5 and SHA-512 of streams, each in its own thread: together they take longer than a disk does, and on the event loop they
 * would hold up every other request. The threads start at first use and do not keep the process alive.
 */
export class Hasher {
  #threads: readonly HashThread[] | null = null;
  #next = 0;

  /** Begins the sums of one stream. */
  begin(): HashedStream {
    this.#threads ??= [new HashThread('md5'), new HashThread('sha512')];
    this.#next += 1;
    return new HashedStream(this.#threads, this.#next);
  }

  async close(): Promise<void> {
    const threads = this.#threads ?? [];
    this.#threads = null;
    await Promise.all(threads.map((thread) => thread.close()));
  }
}

/** The sums of one stream. Calls are awaited in order, so that a buffer may be used again as soon as `update` resolves. */
export class HashedStream {
  constructor(
    private readonly threads: readonly HashThread[],
    private readonly id: number,
  ) {}

  async update(buffer: SharedArrayBuffer, length: number): Promise<void> {
    await Promise.all(this.threads.map((thread) => thread.call({ op: 'update', stream: this.id, buffer, length })));
  }

  async digest(): Promise<{ readonly md5: string; readonly sha512: string }> {
    const [md5 = '', sha512 = ''] = await Promise.all(
      this.threads.map((thread) => thread.call({ op: 'end', stream: this.id })),
    );
    return { md5, sha512 };
  }

  /** Forgets a stream that will not end. */
  async drop(): Promise<void> {
    await Promise.all(this.threads.map((thread) => thread.call({ op: 'drop', stream: this.id })));
  }
}

interface Answer {
  readonly call: number;
  readonly digest?: string;
}

class HashThread {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, { resolve: (digest: string) => void; reject: (error: Error) => void }>();
  #calls = 0;

  constructor(algorithm: Algorithm) {
    this.#worker = new Worker(WORKER, { eval: true, workerData: { algorithm } });
    this.#worker.unref();
    this.#worker.on('message', (answer: Answer) => {
      const waiting = this.#waiting.get(answer.call);
      this.#waiting.delete(answer.call);
      waiting?.resolve(answer.digest ?? '');
    });
    this.#worker.on('error', (error) => this.#fail(error instanceof Error ? error : new Error(String(error))));
    this.#worker.on('exit', () => this.#fail(new Error('the hashing thread has ended')));
  }

  call(message: {
    readonly op: string;
    readonly stream: number;
    readonly buffer?: SharedArrayBuffer;
    readonly length?: number;
  }): Promise<string> {
    this.#calls += 1;
    const call = this.#calls;
    return new Promise((resolve, reject) => {
      this.#waiting.set(call, { resolve, reject });
      this.#worker.postMessage({ ...message, call });
    });
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #fail(error: Error): void {
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
  }
}
