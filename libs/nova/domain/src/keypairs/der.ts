/** The little of DER (ITU-T X.690) that certificates and key stores need to be written. */

function element(tag: number, content: Buffer): Buffer {
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), content]);
  const bytes = length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...bytes]), content]);
}

export const sequence = (...parts: readonly Buffer[]): Buffer => element(0x30, Buffer.concat(parts));
export const setOf = (...parts: readonly Buffer[]): Buffer => element(0x31, Buffer.concat(parts));
/** A context-specific, constructed element: `[number]`. */
export const tagged = (number: number, ...parts: readonly Buffer[]): Buffer =>
  element(0xa0 | number, Buffer.concat(parts));
export const octets = (bytes: Buffer): Buffer => element(0x04, bytes);
/** A bit string of whole bytes. */
export const bits = (bytes: Buffer): Buffer => element(0x03, Buffer.concat([Buffer.from([0]), bytes]));
export const utf8 = (text: string): Buffer => element(0x0c, Buffer.from(text));
export const nothing = (): Buffer => Buffer.from([0x05, 0x00]);

/** A non-negative integer below 2^31, or one of bytes, the highest first. */
export function integer(value: number | Buffer): Buffer {
  let bytes = value;
  if (typeof bytes === 'number') {
    const four = Buffer.alloc(4);
    four.writeInt32BE(bytes);
    bytes = four;
  }
  let from = 0;
  while (from < bytes.length - 1 && bytes[from] === 0 && (bytes[from + 1] ?? 0) < 0x80) from++;
  const trimmed = bytes.subarray(from);
  return element(0x02, (trimmed[0] ?? 0) < 0x80 ? trimmed : Buffer.concat([Buffer.from([0]), trimmed]));
}

/** An object identifier in its dotted form. */
export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes = [first * 40 + second, ...rest].flatMap((part) => {
    const digits = [part & 0x7f];
    for (let left = part >>> 7; left > 0; left >>>= 7) digits.unshift(0x80 | (left & 0x7f));
    return digits;
  });
  return element(0x06, Buffer.from(bytes));
}

/** A time in seconds; X.509 wants the form with two digits for the year until 2049. */
export function time(value: Date): Buffer {
  const text = `${value.toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`;
  return value.getUTCFullYear() < 2050 ? element(0x17, Buffer.from(text.slice(2))) : element(0x18, Buffer.from(text));
}
