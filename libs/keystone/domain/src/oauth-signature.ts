import { createHmac, timingSafeEqual } from 'node:crypto';
import { KeystoneError } from '@nestack/keystone/contract';

/** A request as its sender signed it. */
export interface SignedRequest {
  readonly method: string;
  /** Absolute, with the query. */
  readonly url: string;
  /** The value of the Authorization header. */
  readonly authorization: string | undefined;
}

/** The parameters of an OAuth header (`oauth_token`…), without its realm. */
export type OAuthParams = ReadonlyMap<string, string>;

/** How far a sender's clock may be off, seconds. upstream: oauthlib's timestamp_lifetime */
const CLOCK_S = 600;
const DIGESTS: Readonly<Record<string, string>> = {
  'HMAC-SHA1': 'sha1',
  'HMAC-SHA256': 'sha256',
  'HMAC-SHA512': 'sha512',
};

/** Reads the header. Throws ValidationError without one, or without one of the wanted parameters. RFC 5849, 3.5.1 */
export function oauthParams<Key extends string>(
  request: SignedRequest,
  ...wanted: readonly Key[]
): { readonly all: OAuthParams } & Readonly<Record<Key, string>> {
  const [, list] = /^OAuth\s+(.*)$/is.exec(request.authorization ?? '') ?? [];
  if (list === undefined) throw KeystoneError.ValidationError({ attribute: 'Authorization', target: 'headers' });
  const all = new Map<string, string>();
  for (const [, key = '', value = ''] of list.matchAll(/([^\s,=]+)="([^"]*)"/g)) {
    if (key.toLowerCase() !== 'realm') all.set(decoded(key), decoded(value));
  }
  for (const key of wanted) {
    if ((all.get(key) ?? '') === '') throw KeystoneError.ValidationError({ attribute: key, target: 'request' });
  }
  return { all, ...(Object.fromEntries(wanted.map((key) => [key, all.get(key) ?? ''])) as Record<Key, string>) };
}

/** Throws InvalidInput for a request that no signature could make good: a stale one, or one of another kind. RFC 5849, 3.2 */
export function assertSignable(params: OAuthParams, now: Date): void {
  const refuse = (detail: string): never => {
    throw KeystoneError.InvalidInput({
      reason: `Validation failed with errors: invalid_request, detail message is: ${detail}.`,
    });
  };
  for (const key of ['oauth_signature', 'oauth_signature_method', 'oauth_nonce', 'oauth_timestamp'])
    if ((params.get(key) ?? '') === '') refuse('Missing mandatory OAuth parameters');
  if ((params.get('oauth_version') ?? '1.0') !== '1.0') refuse('Invalid OAuth version');
  const method = params.get('oauth_signature_method') ?? '';
  if (!Object.hasOwn(DIGESTS, method) && method !== 'PLAINTEXT') refuse('Invalid signature method');
  const timestamp = params.get('oauth_timestamp') ?? '';
  if (!/^\d{10}$/.test(timestamp)) refuse('Invalid timestamp size');
  if (Math.abs(now.getTime() / 1000 - Number(timestamp)) > CLOCK_S)
    refuse('Timestamp given is invalid, differ from allowed by over 600 seconds');
}

/** Whether the request was signed with these secrets. RFC 5849, 3.4 */
export function isSigned(
  request: SignedRequest,
  params: OAuthParams,
  consumerSecret: string,
  tokenSecret: string,
): boolean {
  const key = `${encoded(consumerSecret)}&${encoded(tokenSecret)}`;
  const digest = DIGESTS[params.get('oauth_signature_method') ?? ''];
  const right =
    digest === undefined ? key : createHmac(digest, key).update(signatureBase(request, params)).digest('base64');
  return isSecret(params.get('oauth_signature') ?? '', right);
}

/** Whether what was sent is the secret, in a time that tells nothing of where they differ. */
export function isSecret(sent: string, secret: string): boolean {
  const [given, expected] = [Buffer.from(sent), Buffer.from(secret)];
  return given.length === expected.length && timingSafeEqual(given, expected);
}

/** What is signed. RFC 5849, 3.4.1 */
export function signatureBase({ method, url }: SignedRequest, params: OAuthParams): string {
  const { origin, pathname, searchParams } = new URL(url);
  const pairs = [...params, ...searchParams]
    .filter(([key]) => key !== 'oauth_signature')
    .map(([key, value]) => [encoded(key), encoded(value)] as const)
    .sort(([a, x], [b, y]) => compare(a, b) || compare(x, y))
    .map(([key, value]) => `${key}=${value}`);
  return [method.toUpperCase(), encoded(`${origin}${pathname}`), encoded(pairs.join('&'))].join('&');
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Percent-encoding as OAuth has it: everything but letters, digits and `-._~`. */
function encoded(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw KeystoneError.ValidationError({ attribute: 'Authorization', target: 'headers' }, { cause });
  }
}
