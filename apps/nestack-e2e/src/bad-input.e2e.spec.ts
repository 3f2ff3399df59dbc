import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Cloud, SIMULATED } from './cloud';
import { connectSession, type Session } from './session';

/** What no good client sends: each gets upstream's clear error, and changes nothing. */
let cloud: Cloud;
let demo: Session;
let admin: Session;
/** A member of a project that owns nothing. */
let stranger: Session;

interface Service {
  readonly name: string;
  readonly type: string;
  /** A collection below the endpoint, and the key of a create request. */
  readonly collection: string;
  readonly key: string;
  /** The message in an error's envelope. */
  readonly message: (body: Record<string, unknown>) => unknown;
}

const first = (body: Record<string, unknown>): unknown =>
  (Object.values(body)[0] as { message?: unknown } | undefined)?.message;

const SERVICES: readonly Service[] = [
  { name: 'keystone', type: 'identity', collection: '/users', key: 'user', message: first },
  { name: 'nova', type: 'compute', collection: '/servers', key: 'server', message: first },
  { name: 'cinder', type: 'block-storage', collection: '/volumes', key: 'volume', message: first },
  { name: 'neutron', type: 'network', collection: '/v2.0/networks', key: 'network', message: first },
  { name: 'glance', type: 'image', collection: '/v2/images', key: '', message: (body) => body['message'] },
  {
    name: 'placement',
    type: 'placement',
    collection: '/resource_providers',
    key: '',
    message: (body) => (body['errors'] as { detail: string }[] | undefined)?.[0]?.detail,
  },
];

beforeAll(async () => {
  cloud = await Cloud.up(SIMULATED);
  demo = await cloud.session('demo');
  admin = await cloud.session('admin');
  const keystone = cloud.authUrl;
  const { project } = await admin.ask<{ project: { id: string } }>('POST', `${keystone}/projects`, {
    project: { name: 'other', domain_id: 'default' },
  });
  const { user } = await admin.ask<{ user: { id: string } }>('POST', `${keystone}/users`, {
    user: { name: 'stranger', password: 'a long secret', domain_id: 'default' },
  });
  const { roles } = await admin.get<{ roles: { id: string; name: string }[] }>(`${keystone}/roles`);
  const member = roles.find((role) => role.name === 'member')?.id ?? '';
  await admin.ask('PUT', `${keystone}/projects/${project.id}/users/${user.id}/roles/${member}`);
  stranger = await connectSession({ authUrl: keystone, user: 'stranger', password: 'a long secret', project: 'other' });
}, 240_000);

afterAll(async () => {
  await cloud.reset();
}, 120_000);

const urlOf = (session: Session, service: Service): string => `${session.endpoint(service.type)}${service.collection}`;

describe.each(SERVICES)('$name', (service) => {
  it('refuses what is no JSON', async () => {
    const reply = await admin.send('POST', urlOf(admin, service), {
      raw: '{"a": ',
      headers: { 'content-type': 'application/json' },
    });
    expect(reply.status).toBe(400);
    expect(service.message(reply.body)).toEqual(expect.any(String));
  });

  it('refuses bodies of a wrong type', async () => {
    const body = service.key === '' ? { name: { a: 1 } } : { [service.key]: 'text' };
    const reply = await admin.send('POST', urlOf(admin, service), { body });
    expect(reply.status).toBe(400);
    expect(service.message(reply.body)).toEqual(expect.any(String));
  });

  it('refuses bodies that are too large', async () => {
    // Placement takes allocations of many consumers at once, so it takes more than the others.
    const name = 'x'.repeat((service.name === 'placement' ? 24 : 8) * 1024 * 1024);
    const body = service.key === '' ? { name } : { [service.key]: { name } };
    const reply = await admin.send('POST', urlOf(admin, service), { body });
    expect(reply.status).toBe(413);
  });

  it('does not know unknown ids, and hostile ones neither', async () => {
    for (const id of [
      '5f2b3d5e-0000-4000-8000-000000000000',
      '..%2f..%2fetc%2fpasswd',
      "';drop table users;--",
      '%00',
      'é'.repeat(300),
    ]) {
      const reply = await admin.send('GET', `${urlOf(admin, service)}/${id}`);
      expect(`${id}: ${reply.status}`).toMatch(/: 40[04]$/);
    }
  });

  it('refuses missing, forged and tampered tokens', async () => {
    const [head, payload] = admin.token.split('.');
    const none = Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url');
    for (const token of [
      null,
      'gAAAAAnonsense',
      `${none}.${payload ?? ''}.`,
      `${head ?? ''}.${payload ?? ''}.${'A'.repeat(86)}`,
    ]) {
      const reply = await admin.send('GET', urlOf(admin, service), { token });
      expect(reply.status).toBe(401);
      expect(reply.headers.get('www-authenticate')).toMatch(/^Keystone uri=/);
    }
  });
});

describe("other projects' resources", () => {
  it('look as if they did not exist', async () => {
    const { network } = await demo.ask<{ network: { id: string } }>(
      'POST',
      `${demo.endpoint('network')}/v2.0/networks`,
      { network: { name: 'mine' } },
    );
    const { volume } = await demo.ask<{ volume: { id: string } }>('POST', `${demo.endpoint('block-storage')}/volumes`, {
      volume: { size: 1, name: 'mine' },
    });
    const image = await demo.ask<{ id: string }>('POST', `${demo.endpoint('image')}/v2/images`, { name: 'mine' });
    const urls = [
      `${stranger.endpoint('network')}/v2.0/networks/${network.id}`,
      `${stranger.endpoint('block-storage')}/volumes/${volume.id}`,
      `${stranger.endpoint('image')}/v2/images/${image.id}`,
    ];
    for (const url of urls) {
      expect((await stranger.send('GET', url)).status).toBe(404);
      expect((await stranger.send('DELETE', url)).status).toBe(404);
    }
    expect((await demo.send('GET', `${demo.endpoint('network')}/v2.0/networks/${network.id}`)).status).toBe(200);
  });

  it('cannot be reached with another project in the path', async () => {
    const url = demo.endpoint('block-storage');
    expect((await stranger.send('GET', `${url}/volumes`)).status).toBe(400);
  });
});

describe('a qcow2 that names another file', () => {
  const header = (fields: { backing?: boolean; dataFile?: boolean }): Uint8Array => {
    const bytes = Buffer.alloc(65_536);
    bytes.write('QFI\xfb', 'latin1');
    bytes.writeUInt32BE(3, 4);
    if (fields.backing === true) {
      bytes.writeBigUInt64BE(1024n, 8);
      bytes.writeUInt32BE(11, 16);
      bytes.write('/etc/shadow', 1024);
    }
    bytes.writeUInt32BE(16, 20);
    bytes.writeBigUInt64BE(1n << 30n, 24);
    if (fields.dataFile === true) bytes.writeBigUInt64BE(4n, 72);
    bytes.writeUInt32BE(104, 100);
    return bytes;
  };

  it.each([{ backing: true }, { dataFile: true }])('is refused: %o', async (fields) => {
    const images = `${demo.endpoint('image')}/v2/images`;
    const image = await demo.ask<{ id: string }>('POST', images, {
      name: 'hostile',
      disk_format: 'qcow2',
      container_format: 'bare',
    });
    const reply = await demo.send('PUT', `${images}/${image.id}/file`, {
      raw: header(fields),
      headers: { 'content-type': 'application/octet-stream' },
    });
    expect(reply.status).toBeGreaterThanOrEqual(400);
    expect(reply.status).toBeLessThan(500);
    expect((await demo.get<{ status: string }>(`${images}/${image.id}`)).status).toBe('queued');
  });
});

describe('tokens', () => {
  it('stop working everywhere within a second once revoked', async () => {
    const session = await cloud.session('demo');
    const urls = SERVICES.filter(({ name }) => name !== 'keystone' && name !== 'placement').map((one) =>
      urlOf(session, one),
    );
    for (const url of urls) expect((await session.send('GET', url)).status).toBe(200);
    const revoked = await session.send('DELETE', `${cloud.authUrl}/auth/tokens`, {
      headers: { 'x-subject-token': session.token },
    });
    expect(revoked.status).toBe(204);
    const end = Date.now() + 1000;
    for (const url of urls) {
      let status = 0;
      while (status !== 401 && Date.now() < end) ({ status } = await session.send('GET', url));
      expect(status).toBe(401);
    }
  });
});
