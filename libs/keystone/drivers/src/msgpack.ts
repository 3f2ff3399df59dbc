/** What a token's payload is made of. */
export type Packed = boolean | number | string | Buffer | readonly Packed[];

/** Packs a value as MessagePack, as far as tokens need it. Whole numbers are unsigned and below 2^32. */
export function pack(value: Packed): Buffer {
  if (typeof value === 'boolean') return Buffer.from([value ? 0xc3 : 0xc2]);
  if (typeof value === 'number') return packNumber(value);
  if (typeof value === 'string') {
    const bytes = Buffer.from(value);
    return Buffer.concat([header(bytes.length, { fix: 0xa0, fixMax: 31, one: 0xd9, two: 0xda }), bytes]);
  }
  if (Buffer.isBuffer(value)) return Buffer.concat([header(value.length, { one: 0xc4, two: 0xc5 }), value]);
  if (value.length > 15) throw new RangeError('the list is too long');
  return Buffer.concat([Buffer.from([0x90 | value.length]), ...value.map(pack)]);
}

function packNumber(value: number): Buffer {
  if (Number.isInteger(value) && value >= 0 && value < 0x80) return Buffer.from([value]);
  if (Number.isInteger(value) && value >= 0 && value <= 0xffffffff) {
    const bytes = Buffer.alloc(5);
    bytes[0] = 0xce;
    bytes.writeUInt32BE(value, 1);
    return bytes;
  }
  return packFloat(value);
}

/** A number as a double, whole or not. */
export function packFloat(value: number): Buffer {
  const bytes = Buffer.alloc(9);
  bytes[0] = 0xcb;
  bytes.writeDoubleBE(value, 1);
  return bytes;
}

function header(
  length: number,
  codes: { readonly fix?: number; readonly fixMax?: number; readonly one: number; readonly two: number },
): Buffer {
  if (codes.fix !== undefined && length <= (codes.fixMax ?? 0)) return Buffer.from([codes.fix | length]);
  if (length <= 0xff) return Buffer.from([codes.one, length]);
  if (length > 0xffff) throw new RangeError('the text is too long');
  return Buffer.from([codes.two, length >> 8, length & 0xff]);
}

/** Reads what `pack` (or Python's msgpack) wrote. Throws RangeError for anything else. */
export function unpack(bytes: Buffer): Packed {
  const reader = new Reader(bytes);
  const value = reader.value(0);
  if (!reader.done) throw new RangeError('bytes after the end');
  return value;
}

const DEEPEST = 4;

class Reader {
  #at = 0;

  constructor(private readonly bytes: Buffer) {}

  get done(): boolean {
    return this.#at === this.bytes.length;
  }

  value(depth: number): Packed {
    const code = this.#take(1).readUInt8(0);
    if (code < 0x80) return code;
    if ((code & 0xf0) === 0x90) {
      if (depth >= DEEPEST) throw new RangeError('too deep');
      return Array.from({ length: code & 0x0f }, () => this.value(depth + 1));
    }
    if ((code & 0xe0) === 0xa0) return this.#take(code & 0x1f).toString('utf8');
    switch (code) {
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
        return this.#take(this.#take(1).readUInt8(0));
      case 0xc5:
        return this.#take(this.#take(2).readUInt16BE(0));
      case 0xcb:
        return this.#take(8).readDoubleBE(0);
      case 0xcc:
        return this.#take(1).readUInt8(0);
      case 0xcd:
        return this.#take(2).readUInt16BE(0);
      case 0xce:
        return this.#take(4).readUInt32BE(0);
      case 0xd9:
        return this.#take(this.#take(1).readUInt8(0)).toString('utf8');
      case 0xda:
        return this.#take(this.#take(2).readUInt16BE(0)).toString('utf8');
      default:
        throw new RangeError(`code 0x${code.toString(16)}`);
    }
  }

  #take(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.bytes.length) throw new RangeError('it ends too early');
    const part = this.bytes.subarray(this.#at, end);
    this.#at = end;
    return part;
  }
}
