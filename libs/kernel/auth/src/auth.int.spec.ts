import { createServer, type Server } from 'node:http';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { silentLogger } from '@nestack/kernel/log';
import {
  RemoteAuthenticator,
  ServiceSession,
  TokenSigner,
  TokenVerifier,
  type RevocationEvent,
  type TokenClaims,
} from './index';

const NOTHING: RevocationEvent = {
  auditId: null,
  userId: null,
  projectId: null,
  domainId: null,
  roleId: null,
  issuedBefore: '2026-01-01T00:00:00Z',
};

let server: Server;
let url: string;
let signer: TokenSigner;
let publicKeys: string;
let logins: number;
let asked: string[];
/** What keystone says about a token: 404 or roles. */
let verdict: (token: string) => string[] | null;
let beforeAnswer: () => Promise<void>;

function claims(fields: Partial<TokenClaims> = {}): TokenClaims {
  const now = Math.floor(Date.now() / 1000);
  return {
    sub: 'u1',
    iat: now,
    exp: now + 3600,
    openstack_methods: ['password'],
    openstack_audit_ids: ['audit-1'],
    openstack_project_id: 'p1',
    ...fields,
  };
}

beforeEach(async () => {
  const root = mkdtempSync(join(tmpdir(), 'auth-'));
  publicKeys = join(root, 'public');
  signer = new TokenSigner(join(root, 'private'), publicKeys);
  await signer.ensureKey();
  logins = 0;
  asked = [];
  verdict = () => ['member'];
  beforeAnswer = async () => undefined;
  server = createServer((request, response) => {
    void (async () => {
      const expires = new Date(Date.now() + 3_600_000).toISOString();
      response.setHeader('content-type', 'application/json');
      if (request.method === 'POST') {
        logins += 1;
        response.statusCode = 201;
        response.setHeader('x-subject-token', `own-${String(logins)}`);
        const endpoints = [
          { interface: 'public', url: 'http://public:9292', region: 'RegionOne' },
          { interface: 'internal', url: 'http://internal:9292/', region: 'RegionOne' },
        ];
        response.end(JSON.stringify({ token: { expires_at: expires, catalog: [{ type: 'image', endpoints }] } }));
        return;
      }
      const token = String(request.headers['x-subject-token']);
      asked.push(token);
      const roles = verdict(token);
      await beforeAnswer();
      if (roles === null) {
        response.statusCode = 404;
        response.end('{}');
        return;
      }
      const domain = { id: 'default', name: 'Default' };
      response.end(
        JSON.stringify({
          token: {
            user: { id: 'u1', name: 'demo', domain },
            project: { id: 'p1', name: 'demo', domain },
            roles: roles.map((name) => ({ id: name, name })),
            audit_ids: ['audit-1'],
            expires_at: expires,
          },
        }),
      );
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/v3`;
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function authenticator(): RemoteAuthenticator {
  const session = new ServiceSession({ keystone_url: url, username: 'nova', password: 'x' }, 'nova-api');
  const made = new RemoteAuthenticator({ session, publicKeysDirectory: publicKeys, log: silentLogger });
  made.feed(true);
  return made;
}

describe('token signatures', () => {
  it('hold for what was signed, with rotated keys too, and for nothing else', async () => {
    const verifier = new TokenVerifier(publicKeys);
    const token = await signer.sign(claims());
    expect((await verifier.verify(token)).sub).toBe('u1');
    const other = mkdtempSync(join(tmpdir(), 'forger-'));
    const forger = new TokenSigner(join(other, 'private'), join(other, 'public'));
    await forger.ensureKey();
    await expect(verifier.verify(await forger.sign(claims()))).rejects.toMatchObject({ kind: 'unauthenticated' });
    const [head, , signature] = token.split('.');
    const body = Buffer.from(JSON.stringify(claims({ sub: 'admin' }))).toString('base64url');
    await expect(verifier.verify(`${String(head)}.${body}.${String(signature)}`)).rejects.toMatchObject({
      kind: 'unauthenticated',
    });
    const none = Buffer.from('{"alg":"none"}').toString('base64url');
    await expect(verifier.verify(`${none}.${body}.x`)).rejects.toMatchObject({ kind: 'unauthenticated' });
    await expect(verifier.verify(await signer.sign(claims({ exp: 1000 })))).rejects.toMatchObject({
      kind: 'unauthenticated',
    });
    const old = await signer.sign(claims({ exp: 1000 }));
    expect((await verifier.verify(old, { allowExpired: true })).sub).toBe('u1');
    // A signature that is remembered makes no token live longer, and is of the whole token.
    await expect(verifier.verify(old)).rejects.toMatchObject({ kind: 'unauthenticated' });
    expect((await verifier.verify(token)).sub).toBe('u1');
    await expect(verifier.verify(`${token.slice(0, -4)}AAAA`)).rejects.toMatchObject({ kind: 'unauthenticated' });
    await signer.rotate();
    const fresh = new TokenVerifier(publicKeys);
    expect((await fresh.verify(await signer.sign(claims()))).sub).toBe('u1');
    expect((await fresh.verify(token)).sub).toBe('u1');
  });
});

describe('the token filter', () => {
  it('asks keystone once for a token, however many requests come at once', async () => {
    const filter = authenticator();
    const token = await signer.sign(claims());
    const answers = await Promise.all(Array.from({ length: 20 }, () => filter.authenticate(token, null)));
    expect(answers[0]?.actor).toMatchObject({ userId: 'u1', projectId: 'p1', roles: ['member'] });
    await filter.authenticate(token, null);
    expect(asked).toHaveLength(1);
    expect(logins).toBe(1);
  });

  it('refuses forged and foreign tokens without asking anybody', async () => {
    const filter = authenticator();
    for (const bad of ['', 'x', 'a.b.c', `${await signer.sign(claims())}x`]) {
      await expect(filter.authenticate(bad, null)).rejects.toMatchObject({ kind: 'unauthenticated' });
    }
    expect(asked).toHaveLength(0);
  });

  it('blocks a revoked token at once, and asks again after other revocations', async () => {
    const filter = authenticator();
    const token = await signer.sign(claims());
    await filter.authenticate(token, null);
    verdict = () => ['reader'];
    filter.revoke({ ...NOTHING, userId: 'somebody else' });
    expect((await filter.authenticate(token, null)).actor.roles).toEqual(['member']);
    filter.revoke({ ...NOTHING, userId: 'u1', projectId: 'p1' });
    expect((await filter.authenticate(token, null)).actor.roles).toEqual(['reader']);
    filter.revoke({ ...NOTHING, auditId: 'audit-1' });
    await expect(filter.authenticate(token, null)).rejects.toMatchObject({ kind: 'unauthenticated' });
  });

  it('does not keep an answer that a revocation overtook', async () => {
    const filter = authenticator();
    const token = await signer.sign(claims());
    let first = true;
    beforeAnswer = async () => {
      if (!first) return;
      first = false;
      filter.revoke({ ...NOTHING, userId: 'u1' });
      verdict = () => null;
    };
    await expect(filter.authenticate(token, null)).rejects.toMatchObject({ kind: 'unauthenticated' });
    expect(asked).toHaveLength(2);
  });

  it('forgets everything when the feed of revocations breaks', async () => {
    const filter = authenticator();
    const token = await signer.sign(claims());
    await filter.authenticate(token, null);
    filter.feed(false);
    await filter.authenticate(token, null);
    expect(asked).toHaveLength(2);
  });

  it('lets a service finish with the expired token of its user', async () => {
    const filter = authenticator();
    const expired = await signer.sign(claims({ exp: 1000 }));
    const service = await signer.sign(claims({ sub: 'nova' }));
    verdict = (token) => (token === service ? ['service'] : ['member']);
    expect(await filter.authenticate(expired, service)).toMatchObject({ serviceRoles: ['service'] });
    await expect(filter.authenticate(expired, null)).rejects.toMatchObject({ kind: 'unauthenticated' });
    verdict = () => ['member'];
    const plain = await signer.sign(claims({ sub: 'demo' }));
    await expect(filter.authenticate(expired, plain)).rejects.toMatchObject({ kind: 'unauthenticated' });
  });

  it('finds endpoints, internal ones first', async () => {
    const session = new ServiceSession(
      { keystone_url: url, username: 'nova', password: 'x', region: 'RegionOne' },
      'nova-api',
    );
    expect(await session.endpoint('image')).toBe('http://internal:9292');
    await expect(session.endpoint('compute')).rejects.toMatchObject({ kind: 'unavailable', code: 'EndpointNotFound' });
  });
});
