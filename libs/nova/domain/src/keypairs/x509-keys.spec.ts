import { X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { describe, expect, it } from '@jest/globals';
import { certificateFingerprint } from './ssh-keys';
import { generateX509 } from './x509-keys';

describe('a generated x509 pair', () => {
  it('is a certificate of the user, signed by itself, and its key in a store without a password', async () => {
    const now = new Date('2026-03-04T05:06:07.890Z');
    const pair = await generateX509('0a1b2c', now);
    const certificate = new X509Certificate(pair.public_key);
    expect(certificate.subject).toBe('CN=0a1b2c');
    expect(certificate.issuer).toBe('CN=0a1b2c');
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    expect(new Date(certificate.validFrom)).toEqual(new Date('2026-03-04T05:06:07Z'));
    expect(new Date(certificate.validTo)).toEqual(new Date('2036-03-01T05:06:07Z'));
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
    expect(certificate.subjectAltName).toContain('0a1b2c@localhost');
    expect(certificate.publicKey.asymmetricKeyDetails?.modulusLength).toBe(2048);
    expect(certificateFingerprint(pair.public_key)).toBe(certificate.fingerprint.toLowerCase());
    const pfx = Buffer.from(pair.private_key, 'base64');
    // OpenSSL checks the store's MAC, opens the key and that it belongs to the certificate.
    expect(() => createSecureContext({ pfx, passphrase: '' })).not.toThrow();
    expect(() => createSecureContext({ pfx, passphrase: 'wrong' })).toThrow(/mac verify failure/i);
  });

  it('has a four-digit year from 2050 on', async () => {
    const pair = await generateX509('u', new Date('2049-01-01T00:00:00Z'));
    expect(new Date(new X509Certificate(pair.public_key).validTo).getUTCFullYear()).toBe(2058);
  });
});
