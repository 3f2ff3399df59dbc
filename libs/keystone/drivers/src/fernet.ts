import { createCipheriv, createDecipheriv, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

const VERSION = 0x80;
const IV = 16;
const MAC = 32;
/** Version, time and initialisation vector. */
const HEAD = 1 + 8 + IV;

/** A Fernet token: encrypted under the second half of the key, authenticated with the first. `seconds` since the epoch. */
export function seal(key: Buffer, payload: Buffer, seconds: number): string {
  const head = Buffer.alloc(HEAD);
  head[0] = VERSION;
  head.writeBigUInt64BE(BigInt(seconds), 1);
  randomBytes(IV).copy(head, 9);
  const cipher = createCipheriv('aes-128-cbc', key.subarray(16), head.subarray(9));
  const signed = Buffer.concat([head, cipher.update(payload), cipher.final()]);
  return Buffer.concat([signed, macOf(key, signed)]).toString('base64url');
}

/** What was sealed with one of the keys, and when; null when none of them did. */
export function open(
  keys: readonly Buffer[],
  token: string,
): { readonly payload: Buffer; readonly seconds: number } | null {
  const bytes = Buffer.from(token.replace(/=+$/, ''), 'base64url');
  if (bytes.length < HEAD + IV + MAC || bytes[0] !== VERSION || (bytes.length - HEAD - MAC) % IV !== 0) return null;
  const signed = bytes.subarray(0, -MAC);
  const key = keys.find((one) => timingSafeEqual(macOf(one, signed), bytes.subarray(-MAC)));
  if (key === undefined) return null;
  const cipher = createDecipheriv('aes-128-cbc', key.subarray(16), signed.subarray(9, HEAD));
  const payload = Buffer.concat([cipher.update(signed.subarray(HEAD)), cipher.final()]);
  return { payload, seconds: Number(signed.readBigUInt64BE(1)) };
}

function macOf(key: Buffer, signed: Buffer): Buffer {
  return createHmac('sha256', key.subarray(0, 16)).update(signed).digest();
}
