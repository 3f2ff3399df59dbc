import { createHash, generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import { NovaError } from '@nestack/nova/contract';

/** MD5 of the key blob in pairs, as nova shows it. Throws InvalidKeypair for what is no public key. */
export function fingerprint(publicKey: string): string {
  const [type, blob] = publicKey.trim().split(/\s+/);
  const bytes = Buffer.from(blob ?? '', 'base64');
  const length = bytes.length >= 4 ? bytes.readUInt32BE(0) : 0;
  if (
    type === undefined ||
    length === 0 ||
    length > 64 ||
    bytes.length <= 4 + length ||
    bytes.toString('latin1', 4, 4 + length) !== type
  ) {
    throw NovaError.InvalidKeypair({ reason: 'failed to generate fingerprint' });
  }
  return pairs(createHash('md5').update(bytes).digest('hex'));
}

/** SHA-1 over a certificate's DER, for x509 pairs. */
export function certificateFingerprint(pem: string): string {
  const body = /-----BEGIN CERTIFICATE-----([\s\S]+?)-----END CERTIFICATE-----/.exec(pem)?.[1];
  if (body === undefined)
    throw NovaError.InvalidKeypair({ reason: 'failed to generate X509 fingerprint. Error message: not a certificate' });
  return pairs(createHash('sha1').update(Buffer.from(body, 'base64')).digest('hex'));
}

function pairs(hex: string): string {
  return (hex.match(/../g) ?? []).join(':');
}

/** A new RSA pair: the private key in PEM (shown once, never stored), the public one as in authorized_keys. */
export async function generateSshKey(): Promise<{ readonly private_key: string; readonly public_key: string }> {
  const { privateKey, publicKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 });
  const jwk = publicKey.export({ format: 'jwk' });
  const part = (bytes: Buffer): Buffer => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return Buffer.concat([length, bytes]);
  };
  const integer = (base64: string | undefined): Buffer => {
    const bytes = Buffer.from(base64 ?? '', 'base64url');
    return (bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes;
  };
  const blob = Buffer.concat([part(Buffer.from('ssh-rsa')), part(integer(jwk.e)), part(integer(jwk.n))]);
  return {
    private_key: privateKey.export({ type: 'pkcs1', format: 'pem' }).toString(),
    public_key: `ssh-rsa ${blob.toString('base64')} Generated-by-Nova`,
  };
}
