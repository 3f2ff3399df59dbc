import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { until } from '../cloud';
import { connectDatabase } from './database';
import { Lab, type Rows } from './lab';

jest.setTimeout(120_000);

let lab: Lab;
let file: string;
const BYTES = 1024 * 1024;

beforeAll(async () => {
  lab = await Lab.up();
  file = lab.cloud.file(
    'cirros.qcow2',
    Buffer.concat([Buffer.from('QFI\xfb', 'latin1'), Buffer.from([0, 0, 0, 3]), Buffer.alloc(BYTES - 8)]),
  );
}, 240_000);

afterAll(async () => {
  await lab.end();
}, 120_000);

const stored = (id: string): string => path.join(lab.cloud.state, 'glance', id);

describe('chapter 6, Glance', () => {
  it('S-6.4.1.4 an image is uploaded with progress, and becomes active', async () => {
    const raw = lab.cloud.file('cirros.raw', Buffer.alloc(BYTES, 6));
    const said = await lab.admin.run(
      `image create cirros --file ${raw} --disk-format raw --container-format bare --progress`,
    );
    expect(said).toContain('cirros');
    const image = await lab.admin.json<{ id: string; checksum: string }>('image show cirros');
    expect(image).toMatchObject({ status: 'active', size: BYTES, checksum: expect.stringMatching(/^[0-9a-f]{32}$/) });
    expect(statSync(stored(image.id)).size).toBe(BYTES);
  });

  it('S-6.3.1 glance-api answers', async () => {
    const session = await lab.cloud.session('demo');
    const reply = await session.send<{ versions: { id: string }[] }>('GET', `${session.endpoint('image')}/`, {
      token: null,
    });
    expect(reply.status).toBe(300);
    expect(reply.body.versions[0]?.id).toMatch(/^v2\.\d+$/);
    expect((await lab.logs('glance')).length).toBeGreaterThan(0);
  });

  it('S-6.3.2 there is no glance-registry any more', async () => {
    const session = await lab.cloud.session('demo');
    // As for every version that is not there: a choice of others.
    const reply = await session.send<{ versions: { id: string }[] }>('GET', `${session.endpoint('image')}/v1/images`);
    expect(reply.status).toBe(300);
    expect(reply.body.versions.filter((version) => version.id.startsWith('v1'))).toEqual([]);
    expect(await lab.logs('glance-registry')).toEqual([]);
  });

  it('S-6.3.6 the store has one file per image, named by its id', async () => {
    const ids = await lab.admin.column('image list', 'ID');
    const files = readdirSync(path.join(lab.cloud.state, 'glance')).filter(
      (name) => name !== 'tmp' && name !== 'staging',
    );
    expect(files.sort()).toEqual(ids.sort());
  });

  it('S-6.3.4 the database has a row for each image', async () => {
    const database = await connectDatabase(lab.cloud, 'glance');
    try {
      const { rows } = await database.query('SELECT name, status, size FROM image WHERE name = $1', ['cirros']);
      expect(rows).toEqual([{ name: 'cirros', status: 'active', size: String(BYTES) }]);
    } finally {
      await database.end();
    }
  });

  it('S-6.2.1, S-6.4.1.3 metadata is shown and data fetched, whole', async () => {
    const image = await lab.admin.json<{ checksum: string }>('image show cirros');
    expect(image).toMatchObject({ disk_format: 'raw', container_format: 'bare', visibility: 'shared', name: 'cirros' });
    const copy = path.join(lab.cloud.state, 'copy');
    // The client compares the checksum itself.
    await lab.admin.run(`image save cirros --file ${copy}`);
    expect(statSync(copy).size).toBe(BYTES);
  });

  it('S-6.3.3 known formats are taken, others refused', async () => {
    const session = await lab.cloud.session('demo');
    const made = async (disk: string, container: string): Promise<number> => {
      const body = { name: `as-${disk}`, disk_format: disk, container_format: container };
      return (await session.send('POST', `${session.endpoint('image')}/v2/images`, { body })).status;
    };
    for (const format of ['raw', 'qcow2', 'vhd', 'vhdx', 'vmdk', 'vdi', 'iso', 'ploop'])
      expect([format, await made(format, 'bare')]).toEqual([format, 201]);
    for (const format of ['aki', 'ari', 'ami']) expect([format, await made(format, format)]).toEqual([format, 201]);
    for (const container of ['ovf', 'ova', 'docker'])
      expect([container, await made('raw', container)]).toEqual([container, 201]);
    expect(await made('floppy', 'bare')).toBe(400);
    expect(await made('raw', 'crate')).toBe(400);
  });

  it('S-6.4.1.2 public images are seen by all, protected ones stay', async () => {
    expect(await lab.demo.column('image list --name cirros', 'Name')).toEqual([]);
    await lab.admin.run('image set --public --protected cirros');
    expect(await lab.demo.column('image list --name cirros', 'Name')).toEqual(['cirros']);
    expect(await lab.demo.refused('image set --public as-raw')).toMatch(/More than one|403/);
    const [own = ''] = await lab.demo.column('image list --name as-iso', 'ID');
    expect(await lab.demo.refused(`image set --public ${own}`)).toMatch(/403/);
  });

  it('S-6.4.2.3 a protected image cannot be deleted', async () => {
    expect(await lab.admin.refused('image delete cirros')).toMatch(/403|protected/i);
    expect(await lab.admin.field('image show cirros', 'status')).toBe('active');
  });

  it('S-6.1.1 a server becomes an image, from which others start', async () => {
    const { demo } = lab;
    await lab.newDemo.boot('server create --image cirros --flavor m1.tiny --nic none master');
    await demo.run('server image create --name golden master');
    await demo.becomes('image show golden', 'active');
    expect(await demo.json('image show golden')).toMatchObject({
      status: 'active',
      properties: expect.objectContaining({ image_type: 'snapshot' }),
    });
    await lab.newDemo.boot('server create --image golden --flavor m1.tiny --nic none --min 3 --max 3 copy', [
      'copy-1',
      'copy-2',
      'copy-3',
    ]);
    expect((await demo.column('server list --status ACTIVE --name ^copy', 'Name')).sort()).toEqual([
      'copy-1',
      'copy-2',
      'copy-3',
    ]);
    await demo.deleteServers('master', 'copy-1', 'copy-2', 'copy-3');
  });

  it('S-6.4.2.2 an image is deleted, and its file with it', async () => {
    await lab.admin.run('image set --unprotected cirros');
    const id = await lab.admin.field('image show cirros', 'id');
    await lab.admin.run(`image delete ${id}`);
    expect(await lab.admin.column('image list', 'ID')).not.toContain(id);
    expect(existsSync(stored(id))).toBe(false);
    const database = await connectDatabase(lab.cloud, 'glance');
    try {
      const { rows } = await database.query('SELECT deleted_at FROM image WHERE id = $1', [id]);
      expect(rows).toEqual([{ deleted_at: expect.any(Date) }]);
    } finally {
      await database.end();
    }
  });

  it('S-6.5.1 clients find their way from environment variables', async () => {
    const demo = lab.user('demo', lab.cloud.password('demo'), 'demo');
    expect(await demo.json<Rows>('image list')).toEqual(expect.any(Array));
    expect(await lab.as({ OS_CLOUD: '' }).refused('image list')).toMatch(/auth/i);
  });

  it('S-6.5.2 commands have a regular form and explain themselves', async () => {
    const help = await lab.demo.run('help image create');
    expect(help).toMatch(/usage: .*image create/);
    expect(help).toContain('--disk-format');
    for (const verb of ['create', 'list', 'show', 'set', 'delete'])
      expect(await lab.demo.run(`help image ${verb}`)).toContain('usage:');
  });

  it("S-6.6.1 Glance's log has a line for each request", async () => {
    const session = await lab.cloud.session('demo');
    const reply = await session.send('GET', `${session.endpoint('image')}/v2/images?limit=1`);
    const request = reply.headers.get('x-openstack-request-id') ?? '';
    await until('its line', async () => (await lab.logs('glance')).some((line) => line.request_id === request));
  });

  it('S-6.6.2 an upload cut short leaves no active image', async () => {
    const session = await lab.cloud.session('demo');
    const image = await session.ask<{ id: string }>('POST', `${session.endpoint('image')}/v2/images`, {
      name: 'cut',
      disk_format: 'raw',
      container_format: 'bare',
    });
    const url = `${session.endpoint('image')}/v2/images/${image.id}`;
    const cut = new AbortController();
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        controller.enqueue(new Uint8Array(65_536));
        if ((controller.desiredSize ?? 0) <= 0) setImmediate(() => cut.abort());
      },
    });
    const sent = fetch(`${url}/file`, {
      method: 'PUT',
      headers: { 'x-auth-token': session.token, 'content-type': 'application/octet-stream' },
      body,
      duplex: 'half',
      signal: cut.signal,
    } as RequestInit);
    await expect(sent).rejects.toThrow();
    await until(
      'the upload to be given up',
      async () => (await session.get<{ status: string }>(url)).status === 'queued',
    );
    expect(await lab.demo.column('image list --status active --name cut', 'Name')).toEqual([]);
    expect(existsSync(stored(image.id))).toBe(false);
    expect(existsSync(file)).toBe(true);
  });
});
