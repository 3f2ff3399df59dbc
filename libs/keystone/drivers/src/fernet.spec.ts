import { mkdtempSync, utimesSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import type { Claims } from '@nestack/keystone/domain';
import { open, seal } from './fernet';
import { FernetCodec } from './fernet-codec';
import { FernetKeys } from './fernet-keys';
import { pack, unpack } from './msgpack';

const now = Math.floor(Date.now() / 1000);
const claims: Claims = {
  sub: 'a'.repeat(32),
  iat: now + 0.123,
  exp: now + 3600,
  openstack_methods: ['password', 'token'],
  openstack_audit_ids: ['AAECAwQFBgcICQoLDA0ODw', 'EBESExQVFhcYGRobHB0eHw'],
};

async function keys(): Promise<FernetKeys> {
  const made = new FernetKeys(join(mkdtempSync(join(tmpdir(), 'fernet-')), 'keys'));
  await made.ensure();
  return made;
}

describe('msgpack', () => {
  it('gives back what it took', () => {
    for (const value of [0, 127, 128, 70_000, 1.5, true, false, 'x', 'y'.repeat(300), [1, ['a', true]]]) {
      expect(unpack(pack(value))).toEqual(value);
    }
    expect(unpack(pack(Buffer.from([1, 2])))).toEqual(Buffer.from([1, 2]));
  });

  it('refuses what it does not know or what ends too early', () => {
    for (const hex of ['', 'c1', '92', 'd905', '0000', '9191919191', 'ffffff']) {
      expect(() => unpack(Buffer.from(hex, 'hex'))).toThrow(RangeError);
    }
  });
});

describe('fernet', () => {
  it('reads the example of its specification', () => {
    const key = Buffer.from('cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=', 'base64url');
    const token =
      'gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==';
    expect(open([key], token)).toEqual({ payload: Buffer.from('hello'), seconds: 499_162_800 });
    expect(open([Buffer.alloc(32)], token)).toBeNull();
    expect(open([key], seal(key, Buffer.from('x'), 5))).toEqual({ payload: Buffer.from('x'), seconds: 5 });
  });

  it('carries all claims of a token', async () => {
    const codec = new FernetCodec(await keys());
    const scopes: Partial<Claims>[] = [
      {},
      { openstack_project_id: 'b'.repeat(32) },
      { openstack_domain_id: 'default' },
      { openstack_system: 'all' },
      { openstack_project_id: 'b'.repeat(32), openstack_trust_id: 'c'.repeat(32) },
      { openstack_project_id: 'not-hex', openstack_app_cred_id: 'd'.repeat(32) },
    ];
    for (const scope of scopes) {
      const token = await codec.sign({ ...claims, ...scope });
      expect(token).toMatch(/^gAAAA[\w-]+$/);
      expect(token.length).toBeLessThan(255);
      expect(await codec.verify(token, { allowExpired: false })).toEqual({ ...claims, ...scope });
    }
  });

  it('refuses forged, foreign and expired tokens', async () => {
    const codec = new FernetCodec(await keys());
    const token = await codec.sign(claims);
    const foreign = await new FernetCodec(await keys()).sign(claims);
    const flipped = `${token.slice(0, 60)}${token[60] === 'A' ? 'B' : 'A'}${token.slice(61)}`;
    for (const bad of [foreign, flipped, '', 'gAAAA', token.slice(0, -4), `${token}AAAA`]) {
      await expect(codec.verify(bad, { allowExpired: false })).rejects.toMatchObject({ kind: 'unauthenticated' });
    }
    const expired = await codec.sign({ ...claims, iat: now - 7200, exp: now - 3600 });
    await expect(codec.verify(expired, { allowExpired: false })).rejects.toMatchObject({ kind: 'unauthenticated' });
    expect((await codec.verify(expired, { allowExpired: true })).sub).toBe(claims.sub);
  });

  it('rotates its keys and still opens what older ones sealed', async () => {
    const repository = await keys();
    const token = await new FernetCodec(repository).sign(claims);
    const names: (string | null)[] = [];
    for (let round = 0; round < 6; round += 1) {
      const current = Math.max(...(await readdir(repository.directory)).map(Number));
      utimesSync(join(repository.directory, String(current)), 1, 1);
      names.push(await repository.rotateIfOld(1000, new Date()));
      if (round === 1) expect(await new FernetCodec(repository).verify(token, { allowExpired: false })).toBeTruthy();
    }
    expect(names).toEqual(['2', '3', '4', '5', '6', '7']);
    expect(await repository.rotateIfOld(1000, new Date())).toBeNull();
    expect((await readdir(repository.directory)).sort()).toEqual(['0', '4', '5', '6', '7']);
    await expect(new FernetCodec(repository).verify(token, { allowExpired: false })).rejects.toThrow();
  });
});
