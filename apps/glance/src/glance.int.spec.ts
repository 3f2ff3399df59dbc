import { createHash, randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { until } from '@nestack/kernel/testing';
import { startTestGlance, type Answer, type CallOptions, type TestGlance } from './testing';

let glance: TestGlance;
let web: ReturnType<typeof createServer>;

beforeAll(async () => {
  web = createServer((_request, response) => response.end(raw));
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
  glance = await startTestGlance({
    image_size_cap: 32 << 20,
    import_filtering: { allowed_ports: [(web.address() as AddressInfo).port] },
  });
}, 60_000);

afterAll(async () => {
  await glance.close();
  web.close();
});

const call = (method: string, path: string, options?: CallOptions): Promise<Answer> =>
  glance.call(method, path, options);

const PATCH = { 'content-type': 'application/openstack-images-v2.1-json-patch' };
const raw = Buffer.concat([Buffer.from('some raw data '), Buffer.alloc(5 << 20, 3)]);

async function create(fields: Record<string, unknown> = {}, as?: string): Promise<string> {
  const answer = await call('POST', '/v2/images', {
    body: { name: 'cirros', disk_format: 'raw', container_format: 'bare', ...fields },
    ...(as === undefined ? {} : { as }),
  });
  expect(answer.status).toBe(201);
  return answer.json['id'] as string;
}

async function status(id: string): Promise<unknown> {
  return (await call('GET', `/v2/images/${id}`)).json['status'];
}

function qcow2(fields: { backing?: boolean; dataFile?: boolean } = {}): Buffer {
  const head = Buffer.alloc(65_536);
  head.write('QFI\xfb', 'latin1');
  head.writeUInt32BE(3, 4);
  if (fields.backing === true) head.writeBigUInt64BE(1024n, 8);
  head.writeBigUInt64BE(1n << 30n, 24);
  if (fields.dataFile === true) head.writeBigUInt64BE(4n, 72);
  return head;
}

describe('images', () => {
  it('are created, uploaded, shown, downloaded and deleted', async () => {
    const created = await call('POST', '/v2/images', {
      body: {
        name: 'cirros',
        disk_format: 'raw',
        container_format: 'bare',
        tags: ['a'],
        'owner_specified.openstack.md5': '',
      },
    });
    const id = created.json['id'] as string;
    expect(created.headers['location']).toBe(`${glance.url}/v2/images/${id}`);
    expect(created.headers['openstack-image-import-methods']).toBe('glance-direct,web-download');
    expect(created.json).toEqual({
      id,
      name: 'cirros',
      status: 'queued',
      visibility: 'shared',
      protected: false,
      os_hidden: false,
      checksum: null,
      os_hash_algo: null,
      os_hash_value: null,
      owner: 'p1',
      size: null,
      virtual_size: null,
      container_format: 'bare',
      disk_format: 'raw',
      min_ram: 0,
      min_disk: 0,
      tags: ['a'],
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/) as unknown,
      updated_at: expect.stringMatching(/Z$/) as unknown,
      self: `/v2/images/${id}`,
      file: `/v2/images/${id}/file`,
      schema: '/v2/schemas/image',
      'owner_specified.openstack.md5': '',
    });
    expect((await call('GET', `/v2/images/${id}/file`)).status).toBe(204);
    expect((await call('PUT', `/v2/images/${id}/file`, { data: raw })).status).toBe(204);
    const shown = await call('GET', `/v2/images/${id}`);
    const md5 = createHash('md5').update(raw).digest('hex');
    expect(shown.json).toMatchObject({
      status: 'active',
      size: raw.length,
      virtual_size: raw.length,
      checksum: md5,
      os_hash_algo: 'sha512',
      os_hash_value: createHash('sha512').update(raw).digest('hex'),
    });
    expect(readdirSync(glance.directory)).toContain(id);
    const file = await call('GET', `/v2/images/${id}/file`, { headers: { accept: '*/*' } });
    expect(file.headers).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-length': String(raw.length),
      'content-md5': md5,
    });
    expect(file.bytes.equals(raw)).toBe(true);
    const part = await call('GET', `/v2/images/${id}/file`, { headers: { range: 'bytes=5-9' } });
    expect([part.status, part.headers['content-range'], part.bytes.toString()]).toEqual([
      206,
      `bytes 5-9/${String(raw.length)}`,
      'raw d',
    ]);
    expect((await call('GET', `/v2/images/${id}/file`, { headers: { range: 'bytes=99999999-' } })).status).toBe(416);
    expect((await call('PUT', `/v2/images/${id}/file`, { data: raw })).status).toBe(409);
    expect((await call('DELETE', `/v2/images/${id}`)).status).toBe(204);
    expect((await call('GET', `/v2/images/${id}`)).json).toMatchObject({ code: '404 Not Found', title: 'Not Found' });
    expect(readdirSync(glance.directory)).not.toContain(id);
    expect((await call('POST', '/v2/images', { body: { id } })).status).toBe(409);
  });

  it('are changed by patches of both forms, and only where that is allowed', async () => {
    const id = await create();
    const patch = (body: unknown, headers = PATCH) => call('PATCH', `/v2/images/${id}`, { body, headers });
    const changed = await patch([
      { op: 'replace', path: '/name', value: 'new' },
      { op: 'add', path: '/os.distro', value: 'debian' },
      { op: 'add', path: '/a~1b', value: 'x' },
      { op: 'replace', path: '/tags', value: ['x', 'y', 'x'] },
    ]);
    expect(changed.json).toMatchObject({ name: 'new', 'os.distro': 'debian', 'a/b': 'x', tags: ['x', 'y'] });
    expect((await patch([{ op: 'remove', path: '/os.distro' }])).json).not.toHaveProperty('os.distro');
    expect(
      (
        await patch([{ replace: '/min_ram', value: 64 }], {
          'content-type': 'application/openstack-images-v2.0-json-patch',
        })
      ).json,
    ).toMatchObject({ min_ram: 64 });
    expect((await patch([{ op: 'replace', path: '/nothing', value: 'x' }])).status).toBe(409);
    expect((await patch([{ op: 'replace', path: '/status', value: 'active' }])).status).toBe(403);
    expect((await patch([{ op: 'remove', path: '/name' }])).status).toBe(403);
    expect((await patch([{ op: 'add', path: '/locations/-', value: {} }])).status).toBe(403);
    expect((await patch([{ op: 'replace', path: '/visibility', value: 'public' }])).status).toBe(403);
    expect((await patch([{ op: 'replace', path: '/disk_format', value: 'nonsense' }])).status).toBe(400);
    expect((await patch([{ op: 'add', path: '/number', value: 4 }])).status).toBe(400);
    expect((await patch({ op: 'add' })).status).toBe(400);
    expect((await call('PATCH', `/v2/images/${id}`, { body: [] })).status).toBe(415);
    expect(
      (
        await call('PATCH', `/v2/images/${id}`, {
          body: [{ op: 'replace', path: '/name', value: 'x' }],
          headers: PATCH,
          as: 'p2:member',
        })
      ).status,
    ).toBe(404);
    await patch([{ op: 'replace', path: '/protected', value: true }]);
    expect((await call('DELETE', `/v2/images/${id}`)).status).toBe(403);
    await patch([{ op: 'replace', path: '/protected', value: false }]);
    expect((await call('PUT', `/v2/images/${id}/tags/z`)).status).toBe(204);
    expect((await call('DELETE', `/v2/images/${id}/tags/nothing`)).status).toBe(404);
    expect((await call('POST', '/v2/images', { body: { number: 4 } })).status).toBe(400);
    expect((await call('POST', '/v2/images', { body: { size: '4' } })).status).toBe(403);
    expect((await call('DELETE', `/v2/images/${id}`)).status).toBe(204);
  });

  it('are what their bytes say', async () => {
    const upload = async (format: string, data: Buffer) => {
      const id = await create({ disk_format: format });
      const answer = await call('PUT', `/v2/images/${id}/file`, { data });
      return [answer.status, await status(id), (await call('GET', `/v2/images/${id}`)).json['virtual_size']];
    };
    expect(await upload('qcow2', qcow2())).toEqual([204, 'active', 1 << 30]);
    expect(await upload('qcow2', raw)).toEqual([415, 'queued', null]);
    expect(await upload('raw', qcow2())).toEqual([415, 'queued', null]);
    expect(await upload('qcow2', qcow2({ backing: true }))).toEqual([415, 'queued', null]);
    expect(await upload('qcow2', qcow2({ dataFile: true }))).toEqual([415, 'queued', null]);
    expect(await upload('raw', Buffer.alloc(0))).toEqual([204, 'active', 0]);
    expect(await upload('raw', randomBytes(3000))).toEqual([204, 'active', 3000]);
    expect(await upload('raw', Buffer.alloc(33 << 20))).toEqual([413, 'queued', null]);
    expect(readdirSync(join(glance.directory, 'tmp'))).toEqual([]);
  });

  it('need their formats before their data', async () => {
    const id = (await call('POST', '/v2/images', { body: {} })).json['id'] as string;
    expect((await call('PUT', `/v2/images/${id}/file`, { data: raw })).status).toBe(400);
  });

  it('go back to queued when the client leaves in the middle', async () => {
    const id = await create();
    const { port } = new URL(glance.url);
    const socket = connect(Number(port), '127.0.0.1');
    socket.write(
      `PUT /v2/images/${id}/file HTTP/1.1\r\nhost: x\r\nx-auth-token: p1:member\r\ncontent-type: application/octet-stream\r\ncontent-length: 9000000\r\n\r\n`,
    );
    socket.write(Buffer.alloc(2_000_000));
    await until('the image to be saving', async () => (await status(id)) === 'saving');
    socket.destroy();
    await until('the image to be queued', async () => (await status(id)) === 'queued');
    await until('what was received to be removed', async () => readdirSync(join(glance.directory, 'tmp')).length === 0);
    expect((await call('PUT', `/v2/images/${id}/file`, { data: raw })).status).toBe(204);
  });

  it('go back to queued when the process that uploads is gone, and imports go on', async () => {
    const id = await create();
    const imported = await create();
    const port = String((web.address() as AddressInfo).port);
    await call('POST', `/v2/images/${imported}/import`, {
      body: { method: { name: 'web-download', uri: `http://127.0.0.1:${port}/x` } },
    });
    await until('the image to be active', async () => (await status(imported)) === 'active');
    await glance.test.database.run('as a killed process leaves it', async (tx) => {
      const { execute } = await import('@nestack/kernel/db');
      const lost = "transfer_token = gen_random_uuid(), transfer_until = now() - interval '1 second'";
      await execute(tx, `UPDATE image SET status = 'saving', ${lost} WHERE id = $1`, [id]);
      await execute(tx, `UPDATE image SET status = 'importing', size = NULL, ${lost} WHERE id = $1`, [imported]);
      await execute(tx, `UPDATE task SET status = 'processing' WHERE image_id = $1`, [imported]);
    });
    await until('the image to be queued', async () => (await status(id)) === 'queued');
    await until('the image to be active', async () => (await status(imported)) === 'active');
    await until('the import to end so', async () => {
      const tasks = (await call('GET', `/v2/images/${imported}/tasks`)).json['tasks'] as { status: string }[];
      return tasks[0]?.status === 'success';
    });
  });

  it('are imported from staging, with a task', async () => {
    const id = await create();
    const start = (body: unknown) => call('POST', `/v2/images/${id}/import`, { body });
    expect((await start({ method: { name: 'glance-direct' } })).status).toBe(409);
    expect((await start({ method: { name: 'copy-image' } })).status).toBe(400);
    expect((await start({ method: { name: 'web-download', uri: 'http://127.0.0.1:22/' } })).status).toBe(400);
    expect((await call('PUT', `/v2/images/${id}/stage`, { data: raw })).status).toBe(204);
    expect(await status(id)).toBe('uploading');
    const accepted = await start({ method: { name: 'glance-direct' } });
    expect(accepted.status).toBe(202);
    await until('the image to be active', async () => (await status(id)) === 'active');
    expect((await call('GET', `/v2/images/${id}/file`)).bytes.equals(raw)).toBe(true);
    await until('the import to end so', async () => {
      const tasks = (await call('GET', `/v2/images/${id}/tasks`)).json['tasks'] as {
        status: string;
        request_id: string;
      }[];
      expect(tasks[0]?.request_id).toBe(accepted.headers['x-openstack-request-id']);
      return tasks[0]?.status === 'success';
    });
  });

  it('are deactivated and reactivated', async () => {
    const id = await create();
    expect((await call('POST', `/v2/images/${id}/actions/deactivate`)).status).toBe(403);
    await call('PUT', `/v2/images/${id}/file`, { data: raw });
    expect((await call('POST', `/v2/images/${id}/actions/deactivate`)).status).toBe(204);
    expect((await call('GET', `/v2/images/${id}/file`)).status).toBe(403);
    expect((await call('GET', `/v2/images/${id}/file`, { as: 'admin:admin' })).status).toBe(200);
    expect((await call('POST', `/v2/images/${id}/actions/reactivate`)).status).toBe(204);
    expect((await call('GET', `/v2/images/${id}/file`)).status).toBe(200);
  });
});

describe('who sees an image', () => {
  it('follows its visibility and its members', async () => {
    const admin = 'admin:admin';
    const shared = await create({ name: 'vis' });
    const secret = await create({ name: 'vis', visibility: 'private' });
    const open = await create({ name: 'vis', visibility: 'public' }, admin);
    const community = await create({ name: 'vis', visibility: 'community' });
    const hidden = await create({ name: 'vis', visibility: 'public', os_hidden: true }, admin);
    const seen = async (query: string, as: string) =>
      ((await call('GET', `/v2/images?name=vis${query}`, { as })).json['images'] as { id: string }[])
        .map((one) => one.id)
        .sort();
    expect(await seen('', 'p1:member')).toEqual([shared, secret, open, community].sort());
    expect(await seen('', 'p2:member')).toEqual([open]);
    expect(await seen('&visibility=community', 'p2:member')).toEqual([community]);
    expect(await seen('&os_hidden=True', 'p2:member')).toEqual([hidden]);
    expect(await seen('', admin)).toEqual([shared, secret, open, community].sort());
    expect((await call('GET', `/v2/images/${shared}`, { as: 'p2:member' })).status).toBe(404);
    expect((await call('GET', `/v2/images/${community}`, { as: 'p2:member' })).status).toBe(200);
    expect((await call('DELETE', `/v2/images/${open}`, { as: 'p2:member' })).status).toBe(403);
    expect((await call('GET', `/v2/images/${secret}`, { as: 'nova:service' })).status).toBe(200);

    const member = await call('POST', `/v2/images/${shared}/members`, { body: { member: 'p2' } });
    expect([member.status, member.json['status'], member.json['schema']]).toEqual([
      200,
      'pending',
      '/v2/schemas/member',
    ]);
    expect((await call('POST', `/v2/images/${shared}/members`, { body: { member: 'p2' } })).status).toBe(409);
    expect((await call('POST', `/v2/images/${secret}/members`, { body: { member: 'p2' } })).status).toBe(403);
    expect((await call('GET', `/v2/images/${shared}`, { as: 'p2:member' })).status).toBe(200);
    expect(await seen('', 'p2:member')).toEqual([open]);
    expect(await seen('&visibility=shared&member_status=pending', 'p2:member')).toEqual([shared]);
    const path = `/v2/images/${shared}/members/p2`;
    expect((await call('PUT', path, { body: { status: 'accepted' } })).status).toBe(403);
    expect((await call('PUT', path, { body: { status: 'accepted' }, as: 'p2:member' })).status).toBe(200);
    expect(await seen('', 'p2:member')).toEqual([shared, open].sort());
    expect((await call('DELETE', path, { as: 'p2:member' })).status).toBe(403);
    expect((await call('DELETE', path)).status).toBe(204);
    expect((await call('GET', `/v2/images/${shared}`, { as: 'p2:member' })).status).toBe(404);
  });
});

describe('lists', () => {
  it('are paged, sorted and filtered', async () => {
    const as = 'lister:member';
    const ids: string[] = [];
    for (const name of ['b', 'a', 'c, d', 'a', 'e'])
      ids.push(await create({ name, os_type: name === 'a' ? 'linux' : 'other', tags: [name.slice(0, 1), 't'] }, as));
    const list = async (query: string) => (await call('GET', `/v2/images?visibility=shared&${query}`, { as })).json;
    const found = async (query: string) =>
      ((await list(query))['images'] as { id: string }[]).map((one) => ids.indexOf(one.id));
    expect(await found('')).toEqual([4, 3, 2, 1, 0]);
    expect((await found('sort=name:asc')).map((at) => ['b', 'a', 'c, d', 'a', 'e'][at])).toEqual([
      'a',
      'a',
      'b',
      'c, d',
      'e',
    ]);
    expect(await found('name=in:b,%22c,%20d%22')).toEqual([2, 0]);
    expect((await found('os_type=linux')).sort()).toEqual([1, 3]);
    expect(await found('tag=t&tag=e')).toEqual([4]);
    expect(await found(`id=in:${String(ids[0])},x,${String(ids[2])}`)).toEqual([2, 0]);
    expect(await found('created_at=gt:2100-01-01T00:00:00Z')).toEqual([]);
    const { created_at } = (await call('GET', `/v2/images/${String(ids[0])}`, { as })).json as { created_at: string };
    expect(await found(`created_at=eq:${created_at}`)).toContain(0);
    expect(await found('limit=0')).toEqual([]);
    const walked: number[] = [];
    let next: string | undefined = '/v2/images?visibility=shared&limit=2&sort_key=name&sort_dir=asc';
    let pages = 0;
    while (next !== undefined) {
      const page: Record<string, unknown> = (await call('GET', next, { as })).json;
      walked.push(...(page['images'] as { id: string }[]).map((one) => ids.indexOf(one.id)));
      next = page['next'] as string | undefined;
      pages += 1;
    }
    expect(pages).toBe(3);
    expect([...walked].sort()).toEqual([0, 1, 2, 3, 4]);
    expect((await call('GET', '/v2/images?marker=nothing', { as })).status).toBe(400);
    expect((await call('GET', '/v2/images?sort_key=nothing', { as })).status).toBe(400);
    expect((await call('GET', '/v2/images?limit=-1', { as })).status).toBe(400);
  });
});

describe('the service', () => {
  it('tells versions, schemas, import methods and errors as clients read them', async () => {
    const root = await call('GET', '/');
    expect(root.status).toBe(300);
    expect((root.json['versions'] as object[])[0]).toEqual({
      id: 'v2.15',
      status: 'CURRENT',
      links: [{ rel: 'self', href: `${glance.url}/v2/` }],
    });
    expect((await call('GET', '/versions')).status).toBe(200);
    for (const name of ['image', 'images', 'member', 'members', 'metadefs/namespace', 'metadefs/resource_type']) {
      expect((await call('GET', `/v2/schemas/${name}`)).status).toBe(200);
    }
    expect((await call('GET', '/v2/schemas/nothing')).status).toBe(404);
    expect((await call('GET', '/v2/info/import')).json).toMatchObject({
      'import-methods': { value: ['glance-direct', 'web-download'] },
    });
    expect((await call('GET', '/v2/info/stores')).status).toBe(404);
    expect((await call('GET', '/v2/tasks')).status).toBe(403);
    expect((await call('GET', '/v2/images/')).status).toBe(404);
    expect((await call('DELETE', '/v2/images/')).status).toBe(404);
    const html = await call('GET', '/v2/images/nothing', { headers: { accept: '*/*' } });
    expect(html.headers['content-type']).toBe('text/html; charset=UTF-8');
    expect(html.bytes.toString()).toContain('No image found with ID nothing');
  });
});
