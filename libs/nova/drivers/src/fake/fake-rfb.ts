import type { Duplex } from 'node:stream';
import { HEIGHT, WIDTH, type FakeScreen } from './fake-screen';

const VERSION = 'RFB 003.008\n';
/** Ink and ground. */
const COLOURS = [
  [0x10, 0x14, 0x18],
  [0xd0, 0xd6, 0xdc],
] as const;

interface PixelFormat {
  readonly bytes: number;
  readonly bigEndian: boolean;
  readonly max: readonly [number, number, number];
  readonly shift: readonly [number, number, number];
}

/** 32 bits, blue first. */
const NATIVE: PixelFormat = { bytes: 4, bigEndian: false, max: [255, 255, 255], shift: [16, 8, 0] };

/** Length of a viewer's message by its type; a longer one tells the rest itself. */
const LENGTHS: Readonly<Record<number, number>> = { 0: 20, 2: 4, 3: 10, 4: 8, 5: 6, 6: 8 };
/** The longest rest of a message that is taken: what is pasted. */
const MAX_REST = 1024 * 1024;

/** Shows a simulated guest's screen to one viewer, by RFB 3.8 (RFC 6143): no login, true colours, raw encoding. */
export function serveRfb(stream: Duplex, screen: FakeScreen, name: string): void {
  const session = new RfbSession(stream, screen, name);
  stream.on('data', (chunk: Buffer) => session.take(chunk));
  stream.on('error', () => stream.destroy());
  stream.once('close', () => session.end());
  stream.once('end', () => stream.end());
  stream.write(VERSION);
}

class RfbSession {
  private received: Buffer = Buffer.alloc(0);
  /** What is expected next. */
  private step: (() => boolean) | null = () => this.version();
  private format = NATIVE;
  /** The viewer waits for a change. */
  private waits = false;
  /** The screen has changed since it was sent. */
  private stale = true;
  private readonly unwatch: () => void;

  constructor(
    private readonly stream: Duplex,
    private readonly screen: FakeScreen,
    private readonly name: string,
  ) {
    this.unwatch = screen.watch(() => {
      this.stale = true;
      if (this.waits) this.update();
    });
  }

  /** Bytes of the viewer. */
  take(chunk: Buffer): void {
    this.received = Buffer.concat([this.received, chunk]);
    while (this.step?.() === true);
  }

  end(): void {
    this.unwatch();
    this.step = null;
  }

  private version(): boolean {
    const answer = this.bytes(VERSION.length);
    if (answer === null) return false;
    if (answer.toString('latin1') !== VERSION) return this.drop();
    this.stream.write(Buffer.from([1, 1]));
    return this.next(() => this.security());
  }

  private security(): boolean {
    const chosen = this.bytes(1);
    if (chosen === null) return false;
    if (chosen[0] !== 1) return this.drop();
    this.stream.write(Buffer.alloc(4));
    return this.next(() => this.clientInit());
  }

  private clientInit(): boolean {
    if (this.bytes(1) === null) return false;
    const init = Buffer.alloc(24);
    init.writeUInt16BE(WIDTH, 0);
    init.writeUInt16BE(HEIGHT, 2);
    init.set([32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0], 4);
    const title = Buffer.from(this.name, 'utf8');
    init.writeUInt32BE(title.length, 20);
    this.stream.write(Buffer.concat([init, title]));
    return this.next(() => this.message());
  }

  private message(): boolean {
    const type = this.received[0];
    if (type === undefined) return false;
    const length = LENGTHS[type];
    if (length === undefined) return this.drop();
    if (this.received.length < length) return false;
    const rest = this.restOf(type);
    if (rest > MAX_REST) return this.drop();
    const message = this.bytes(length + rest);
    if (message === null) return false;
    if (type === 0) this.setPixelFormat(message);
    else if (type === 3) this.request(message[1] !== 0);
    else if (type === 4 && message[1] !== 0) this.screen.press(message.readUInt32BE(4));
    return true;
  }

  /** Encodings and pasted text are of any length. */
  private restOf(type: number): number {
    if (type === 2) return this.received.readUInt16BE(2) * 4;
    return type === 6 ? Math.abs(this.received.readInt32BE(4)) : 0;
  }

  private setPixelFormat(message: Buffer): void {
    const bytes = (message[4] ?? 0) / 8;
    // A colour map is what nobody asks for any more.
    if (![1, 2, 4].includes(bytes) || message[7] === 0) return void this.drop();
    this.format = {
      bytes,
      bigEndian: message[6] !== 0,
      max: [message.readUInt16BE(8), message.readUInt16BE(10), message.readUInt16BE(12)],
      shift: [message[14] ?? 0, message[15] ?? 0, message[16] ?? 0],
    };
    this.stale = true;
  }

  private request(incremental: boolean): void {
    this.waits = true;
    if (this.stale || !incremental) this.update();
  }

  private update(): void {
    this.waits = false;
    this.stale = false;
    const header = Buffer.alloc(16);
    header.writeUInt16BE(1, 2);
    header.writeUInt16BE(WIDTH, 8);
    header.writeUInt16BE(HEIGHT, 10);
    this.stream.write(Buffer.concat([header, this.picture()]));
  }

  private picture(): Buffer {
    const { bytes } = this.format;
    const colours = COLOURS.map((colour) => this.encoded(colour));
    const picture = this.screen.pixels();
    const data = Buffer.alloc(picture.length * bytes);
    picture.forEach((pixel, at) => colours[pixel]?.copy(data, at * bytes));
    return data;
  }

  private encoded(colour: readonly [number, number, number]): Buffer {
    const { bytes, bigEndian, max, shift } = this.format;
    const value = colour.reduce(
      (sum, part, at) => sum + Math.round((part * (max[at] ?? 0)) / 255) * 2 ** (shift[at] ?? 0),
      0,
    );
    const data = Buffer.alloc(4);
    data.writeUInt32LE(value % 2 ** 32);
    const pixel = data.subarray(0, bytes);
    return bigEndian ? Buffer.from(pixel).reverse() : pixel;
  }

  private bytes(count: number): Buffer | null {
    if (this.received.length < count) return null;
    const taken = this.received.subarray(0, count);
    this.received = this.received.subarray(count);
    return taken;
  }

  private next(step: () => boolean): true {
    this.step = step;
    return true;
  }

  private drop(): false {
    this.stream.destroy();
    return false;
  }
}
