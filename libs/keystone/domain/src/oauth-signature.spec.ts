import { createHmac } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { assertSignable, isSigned, oauthParams, signatureBase } from './oauth-signature';

const NOW = new Date('2026-01-01T00:00:00Z');
const TIME = String(NOW.getTime() / 1000);

function header(fields: Readonly<Record<string, string>>): string {
  const list = Object.entries(fields).map(([key, value]) => `${key}="${encodeURIComponent(value)}"`);
  return `OAuth realm="", ${list.join(', ')}`;
}

const FIELDS = {
  oauth_consumer_key: 'key',
  oauth_nonce: '17',
  oauth_timestamp: TIME,
  oauth_signature_method: 'HMAC-SHA1',
  oauth_signature: 'x',
};
const request = (fields: Readonly<Record<string, string>> = FIELDS, url = 'http://h:5000/v3/a') => ({
  method: 'POST',
  url,
  authorization: header(fields),
});
const verdict = (fields: Readonly<Record<string, string>>): string | null => {
  try {
    assertSignable(oauthParams(request(fields)).all, NOW);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
};

describe('the signature of a consumer', () => {
  it('covers method, address, query and parameters, in the order of RFC 5849', () => {
    const signed = request({ ...FIELDS, oauth_token: 'a b' }, 'HTTP://H:80/v3/a?z=%2F&a=2&a=1');
    expect(signatureBase(signed, oauthParams(signed).all)).toBe(
      'POST&http%3A%2F%2Fh%2Fv3%2Fa&a%3D1%26a%3D2%26oauth_consumer_key%3Dkey%26oauth_nonce%3D17%26' +
        `oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D${TIME}%26oauth_token%3Da%2520b%26z%3D%252F`,
    );
  });

  it.each([
    ['HMAC-SHA1', 'sha1'],
    ['HMAC-SHA256', 'sha256'],
    ['HMAC-SHA512', 'sha512'],
  ])('is good with the right secrets alone: %s', (method, digest) => {
    const unsigned = request({ ...FIELDS, oauth_signature_method: method });
    const base = signatureBase(unsigned, oauthParams(unsigned).all);
    const oauth_signature = createHmac(digest, 'one%21&two').update(base).digest('base64');
    const signed = request({ ...FIELDS, oauth_signature_method: method, oauth_signature });
    const { all } = oauthParams(signed);
    expect(isSigned(signed, all, 'one!', 'two')).toBe(true);
    expect(isSigned(signed, all, 'one!', 'three')).toBe(false);
    expect(isSigned({ ...signed, url: `${signed.url}b` }, all, 'one!', 'two')).toBe(false);
  });

  it('needs its parameters, a known method and a clock that is nearly right', () => {
    expect(verdict(FIELDS)).toBeNull();
    expect(verdict({ ...FIELDS, oauth_nonce: '' })).toContain('Missing mandatory OAuth parameters');
    expect(verdict({ ...FIELDS, oauth_version: '2.0' })).toContain('Invalid OAuth version');
    expect(verdict({ ...FIELDS, oauth_signature_method: 'RSA-SHA1' })).toContain('Invalid signature method');
    expect(verdict({ ...FIELDS, oauth_timestamp: '12' })).toContain('Invalid timestamp size');
    expect(verdict({ ...FIELDS, oauth_timestamp: String(Number(TIME) - 601) })).toContain('over 600 seconds');
    expect(() => oauthParams({ ...request(), authorization: 'Basic x' })).toThrow('Authorization');
    expect(() => oauthParams({ ...request(), authorization: 'OAuth a="%"' })).toThrow('Authorization');
    expect(() => oauthParams(request(), 'oauth_token')).toThrow('oauth_token');
  });
});
