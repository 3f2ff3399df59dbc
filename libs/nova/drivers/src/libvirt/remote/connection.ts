import { connect, type Socket } from 'node:net';
import { DomainError } from '@nestack/kernel/errors';
import { XdrReader, XdrWriter } from './xdr';

/** Numbers of libvirt's remote protocol and of its part for QEMU; both are of version 1 and kept from release to release for older clients. */
export const PROGRAM = { remote: 0x20008086, qemu: 0x20008087 } as const;
const VERSION = 1;
const HEADER = 24;
const MAX_MESSAGE = 32 * 1024 * 1024;

const TYPE = { call: 0, reply: 1, event: 2 } as const;
const STATUS_OK = 0;

/** libvirt's own refusal of a call. */
export class LibvirtError extends Error {
  constructor(
    /** virErrorNumber */
    readonly code: number,
    message: string,
  ) {
    super(message);
    this.name = 'LibvirtError';
  }
}

/** Error numbers that are told apart. */
export const LIBVIRT_ERROR = { noDomain: 42, operationInvalid: 55, deviceMissing: 99 } as const;

interface Pending {
  readonly resolve: (reply: XdrReader) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/** libvirt cannot be asked now. */
export function libvirtUnavailable(reason: string): DomainError {
  return new DomainError({
    kind: 'unavailable',
    code: 'HypervisorUnavailable',
    message: 'Connection to the hypervisor is broken on host',
    detail: reason,
  });
}

/** One connection to libvirt's daemon over its unix socket, speaking its remote protocol. */
export class RemoteConnection {
  private readonly pending = new Map<number, Pending>();
  private received: Buffer[] = [];
  private receivedBytes = 0;
  private serial = 0;
  private failure: string | null = null;

  private constructor(
    private readonly socket: Socket,
    private readonly onEvent: (procedure: number, body: XdrReader) => void,
    private readonly onClose: (reason: string) => void,
  ) {
    socket.on('data', (chunk: Buffer) => this.receive(chunk));
    socket.on('error', (error) => this.end(error.message));
    socket.on('close', () => this.end('libvirt closed the connection'));
  }

  static open(
    path: string,
    onEvent: (procedure: number, body: XdrReader) => void,
    onClose: (reason: string) => void,
  ): Promise<RemoteConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect(path);
      const refuse = (error: Error): void => reject(libvirtUnavailable(error.message));
      socket.once('error', refuse);
      socket.once('connect', () => {
        socket.off('error', refuse);
        resolve(new RemoteConnection(socket, onEvent, onClose));
      });
    });
  }

  /** Calls a procedure. Throws LibvirtError when libvirt refuses, `unavailable` when no answer comes. */
  call(
    procedure: number,
    args: XdrWriter | null,
    timeoutMs: number,
    program: number = PROGRAM.remote,
  ): Promise<XdrReader> {
    if (this.failure !== null) return Promise.reject(libvirtUnavailable(this.failure));
    this.serial += 1;
    const serial = this.serial;
    const body = args?.bytes() ?? Buffer.alloc(0);
    const head = new XdrWriter()
      .uint(HEADER + 4 + body.length)
      .uint(program)
      .uint(VERSION)
      .int(procedure)
      .int(TYPE.call)
      .uint(serial)
      .int(STATUS_OK);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.pending.delete(serial);
        reject(libvirtUnavailable(`no answer to procedure ${procedure} within ${timeoutMs} ms`));
      }, timeoutMs);
      this.pending.set(serial, { resolve, reject, timer });
      this.socket.write(Buffer.concat([head.bytes(), body]));
    });
  }

  close(): void {
    this.end('closed');
  }

  private receive(chunk: Buffer): void {
    this.received.push(chunk);
    this.receivedBytes += chunk.length;
    if (this.receivedBytes < 4) return;
    let buffer = this.received.length === 1 ? chunk : Buffer.concat(this.received);
    while (buffer.length >= 4) {
      const length = buffer.readUInt32BE(0);
      if (length < HEADER + 4 || length > MAX_MESSAGE) {
        this.end(`a message of ${length} bytes`);
        return;
      }
      if (buffer.length < length) break;
      this.dispatch(buffer.subarray(4, length));
      buffer = buffer.subarray(length);
    }
    this.received = [buffer];
    this.receivedBytes = buffer.length;
  }

  private dispatch(message: Buffer): void {
    const header = new XdrReader(message.subarray(0, HEADER));
    const [program, , procedure, type, serial, status] = [
      header.uint(),
      header.uint(),
      header.int(),
      header.int(),
      header.uint(),
      header.int(),
    ];
    const body = new XdrReader(message.subarray(HEADER));
    if (type === TYPE.event) {
      if (program === PROGRAM.remote) this.onEvent(procedure, body);
      return;
    }
    const waiting = this.pending.get(serial);
    if (type !== TYPE.reply || waiting === undefined) return;
    this.pending.delete(serial);
    clearTimeout(waiting.timer);
    if (status === STATUS_OK) waiting.resolve(body);
    else waiting.reject(errorFrom(body));
  }

  private end(reason: string): void {
    if (this.failure !== null) return;
    this.failure = reason;
    this.socket.destroy();
    for (const { reject, timer } of this.pending.values()) {
      clearTimeout(timer);
      reject(libvirtUnavailable(reason));
    }
    this.pending.clear();
    this.onClose(reason);
  }
}

function errorFrom(body: XdrReader): Error {
  const code = body.int();
  body.int();
  return new LibvirtError(code, body.optional(() => body.text()) ?? `libvirt's error ${code}`);
}
