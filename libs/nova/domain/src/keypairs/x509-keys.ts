import { createHash, createHmac, generateKeyPair, randomBytes, sign, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { bits, integer, nothing, octets, oid, sequence, setOf, tagged, time, utf8 } from './der';

const OID = {
  commonName: '2.5.4.3',
  extendedKeyUsage: '2.5.29.37',
  subjectAltName: '2.5.29.17',
  clientAuth: '1.3.6.1.5.5.7.3.2',
  /** Windows' user principal name. */
  principalName: '1.3.6.1.4.1.311.20.2.3',
  sha256WithRsa: '1.2.840.113549.1.1.11',
  sha256: '2.16.840.1.101.3.4.2.1',
  pkcs7Data: '1.2.840.113549.1.7.1',
  localKeyId: '1.2.840.113549.1.9.21',
  x509Certificate: '1.2.840.113549.1.9.22.1',
  shroudedKeyBag: '1.2.840.113549.1.12.10.1.2',
  certificateBag: '1.2.840.113549.1.12.10.1.3',
} as const;

const VALID_DAYS = 3650;
const MAC_ROUNDS = 2048;

/**
 * A new RSA pair with a certificate of ten years that it has signed itself, with which the user logs in to Windows guests
 * (WinRM): the certificate in PEM, and the private key as PKCS #12 with an empty password in base64, shown once and never
 * stored. upstream: nova/crypto.py generate_winrm_x509_cert
 */
export async function generateX509(
  userId: string,
  now: Date,
): Promise<{ readonly private_key: string; readonly public_key: string }> {
  const { privateKey, publicKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 });
  const certificate = certificateOf(userId, now, { privateKey, publicKey });
  const base64 = certificate.toString('base64').replace(/.{1,64}/g, '$&\n');
  return {
    public_key: `-----BEGIN CERTIFICATE-----\n${base64}-----END CERTIFICATE-----\n`,
    private_key: keyStoreOf(certificate, privateKey).toString('base64'),
  };
}

/** The certificate in DER (RFC 5280). */
function certificateOf(userId: string, now: Date, keys: { privateKey: KeyObject; publicKey: KeyObject }): Buffer {
  const algorithm = sequence(oid(OID.sha256WithRsa), nothing());
  const name = sequence(setOf(sequence(oid(OID.commonName), utf8(userId))));
  const serial = randomBytes(20);
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  const principal = tagged(0, oid(OID.principalName), tagged(0, utf8(`${userId}@localhost`)));
  const extensions = sequence(
    sequence(oid(OID.extendedKeyUsage), octets(sequence(oid(OID.clientAuth)))),
    sequence(oid(OID.subjectAltName), octets(sequence(principal))),
  );
  const signed = sequence(
    tagged(0, integer(2)),
    integer(serial),
    algorithm,
    name,
    sequence(time(now), time(new Date(now.getTime() + VALID_DAYS * 86_400_000))),
    name,
    keys.publicKey.export({ type: 'spki', format: 'der' }),
    tagged(3, extensions),
  );
  return sequence(signed, algorithm, bits(sign('sha256', signed, keys.privateKey)));
}

/** Certificate and key in one PKCS #12 store (RFC 7292) with an empty password. */
function keyStoreOf(certificate: Buffer, key: KeyObject): Buffer {
  const id = octets(createHash('sha1').update(certificate).digest());
  const attributes = setOf(sequence(oid(OID.localKeyId), setOf(id)));
  const shrouded = key.export({ type: 'pkcs8', format: 'der', cipher: 'aes-256-cbc', passphrase: '' });
  const bags = sequence(
    sequence(
      oid(OID.certificateBag),
      tagged(0, sequence(oid(OID.x509Certificate), tagged(0, octets(certificate)))),
      attributes,
    ),
    sequence(oid(OID.shroudedKeyBag), tagged(0, shrouded), attributes),
  );
  const safe = sequence(data(bags));
  const salt = randomBytes(16);
  const mac = createHmac('sha256', macKey(salt)).update(safe).digest();
  const digest = sequence(sequence(oid(OID.sha256), nothing()), octets(mac));
  return sequence(integer(3), data(safe), sequence(digest, octets(salt), integer(MAC_ROUNDS)));
}

const data = (content: Buffer): Buffer => sequence(oid(OID.pkcs7Data), tagged(0, octets(content)));

/** PKCS #12's own derivation (RFC 7292, B.2) for the empty password: one block, since the key is as long as the digest. */
function macKey(salt: Buffer): Buffer {
  const purpose = Buffer.alloc(64, 3);
  // Salt and password fill whole blocks; the password is the final zero of its UTF-16 form.
  const salted = Buffer.alloc(64, salt);
  let key: Buffer = Buffer.concat([purpose, salted, Buffer.alloc(64)]);
  for (let round = 0; round < MAC_ROUNDS; round++) key = createHash('sha256').update(key).digest();
  return key;
}
