/** Writes values as XDR (RFC 4506): big-endian, padded to four bytes. */
export class XdrWriter {
  private readonly parts: Buffer[] = [];

  int(value: number): this {
    const word = Buffer.alloc(4);
    word.writeInt32BE(value);
    this.parts.push(word);
    return this;
  }

  uint(value: number): this {
    const word = Buffer.alloc(4);
    word.writeUInt32BE(value);
    this.parts.push(word);
    return this;
  }

  /** Bytes whose number both sides know. */
  fixed(bytes: Buffer): this {
    this.parts.push(bytes, Buffer.alloc(padding(bytes.length)));
    return this;
  }

  text(value: string): this {
    const bytes = Buffer.from(value, 'utf8');
    return this.uint(bytes.length).fixed(bytes);
  }

  /** A value that may be absent. */
  optional<T>(value: T | null, write: (value: T) => void): this {
    this.uint(value === null ? 0 : 1);
    if (value !== null) write(value);
    return this;
  }

  bytes(): Buffer {
    return Buffer.concat(this.parts);
  }
}

/** Reads them back; throws RangeError when the bytes end too early. */
export class XdrReader {
  private at = 0;

  constructor(private readonly buffer: Buffer) {}

  int(): number {
    const value = this.buffer.readInt32BE(this.at);
    this.at += 4;
    return value;
  }

  uint(): number {
    const value = this.buffer.readUInt32BE(this.at);
    this.at += 4;
    return value;
  }

  hyper(): bigint {
    const value = this.buffer.readBigInt64BE(this.at);
    this.at += 8;
    return value;
  }

  uhyper(): bigint {
    const value = this.buffer.readBigUInt64BE(this.at);
    this.at += 8;
    return value;
  }

  double(): number {
    const value = this.buffer.readDoubleBE(this.at);
    this.at += 8;
    return value;
  }

  fixed(length: number): Buffer {
    const end = this.at + length;
    if (end > this.buffer.length) throw new RangeError('the message ends too early');
    const bytes = this.buffer.subarray(this.at, end);
    this.at = end + padding(length);
    return bytes;
  }

  text(): string {
    return this.fixed(this.uint()).toString('utf8');
  }

  optional<T>(read: () => T): T | null {
    return this.uint() === 0 ? null : read();
  }

  list<T>(read: () => T): T[] {
    const length = this.uint();
    // Each item has four bytes at least: a count that cannot be true is not believed.
    if (length > (this.buffer.length - this.at) / 4) throw new RangeError('the message ends too early');
    return Array.from({ length }, read);
  }
}

function padding(length: number): number {
  return (4 - (length % 4)) % 4;
}
