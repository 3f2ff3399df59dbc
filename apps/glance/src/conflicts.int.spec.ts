import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { startTestGlance, type Answer, type TestGlance } from './testing';

jest.setTimeout(60_000);

/** What comes at once, or at the wrong time: one of them is done, the others hear why not, and no data are left. */
let glance: TestGlance;
const MIB = 1 << 20;

beforeAll(async () => {
  glance = await startTestGlance({
    image_size_cap: 32 * MIB,
    user_storage_quota: 7 * MIB,
    image_member_quota: 6,
    image_tag_quota: 6,
    image_property_quota: 6,
  });
});

afterAll(() => glance.close());

const PATCH = { 'content-type': 'application/openstack-images-v2.1-json-patch' };
const many = <T>(count: number, one: (at: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, at) => one(at)));
const upload = (id: string, data: Buffer, as = 'p1:member') =>
  glance.call('PUT', `/v2/images/${id}/file`, { as, data });
const show = (id: string, as = 'p1:member') => glance.call('GET', `/v2/images/${id}`, { as });

async function create(as = 'p1:member', fields: Record<string, unknown> = {}): Promise<string> {
  const body = { name: 'x', disk_format: 'raw', container_format: 'bare', ...fields };
  const answer = await glance.call('POST', '/v2/images', { as, body });
  expect(answer.status).toBe(201);
  return answer.json['id'] as string;
}

/** How many were done, and with which statuses the others were refused. */
function outcome(answers: readonly Answer[]): readonly [number, readonly number[]] {
  const refused = answers.filter(({ status }) => status >= 300);
  return [answers.length - refused.length, [...new Set(refused.map(({ status }) => status))].sort()];
}

describe('an image', () => {
  it('takes data once, of however many uploads, stagings and imports at once', async () => {
    const id = await create();
    const answers = await many(8, (at) => upload(id, Buffer.alloc(MIB, at + 1)));
    expect(outcome(answers)).toEqual([1, [409]]);
    const winner = answers.findIndex(({ status }) => status === 204);
    const { json } = await show(id);
    expect([json['status'], json['size']]).toEqual(['active', MIB]);
    const { bytes } = await glance.call('GET', `/v2/images/${id}/file`);
    expect(bytes.equals(Buffer.alloc(MIB, winner + 1))).toBe(true);
    const again = await upload(id, Buffer.from('x'));
    expect([again.status, again.bytes.toString()]).toEqual([
      409,
      expect.stringContaining('Image status transition from active to saving is not allowed'),
    ]);
    expect((await glance.call('GET', `/v2/images/${id}/file`)).bytes.length).toBe(MIB);

    const staged = await create();
    const mixed = await Promise.all([
      ...Array.from({ length: 4 }, () => upload(staged, Buffer.from('uploaded'))),
      ...Array.from({ length: 4 }, () =>
        glance.call('PUT', `/v2/images/${staged}/stage`, { data: Buffer.from('staged') }),
      ),
    ]);
    expect(outcome(mixed)).toEqual([1, [409]]);
    await glance.call('DELETE', `/v2/images/${id}`);
    await glance.call('DELETE', `/v2/images/${staged}`);
    expect(
      readdirSync(glance.directory, { recursive: true, withFileTypes: true }).filter((one) => one.isFile()),
    ).toEqual([]);
  });

  it('that is deleted while data come is gone, and so are the data', async () => {
    for (let round = 0; round < 4; round += 1) {
      const id = await create();
      const [sent, ...deleted] = await Promise.all([
        upload(id, Buffer.alloc(4 * MIB, 1)),
        ...Array.from({ length: 3 }, () => glance.call('DELETE', `/v2/images/${id}`)),
      ]);
      expect([204, 404, 410]).toContain(sent.status);
      expect(outcome(deleted)).toEqual([1, [404]]);
      expect((await show(id)).status).toBe(404);
      expect((await glance.call('GET', `/v2/images/${id}/file`)).status).toBe(404);
    }
    expect(
      readdirSync(glance.directory, { recursive: true, withFileTypes: true }).filter((one) => one.isFile()),
    ).toEqual([]);
  });

  it('that is protected stays, whatever is asked at once', async () => {
    const id = await create('p1:member', { protected: true });
    const refused = await many(4, () => glance.call('DELETE', `/v2/images/${id}`));
    expect(refused.map(({ status }) => status)).toEqual([403, 403, 403, 403]);
    expect(refused[0]?.bytes.toString()).toContain(`Image ${id} is protected and cannot be deleted.`);
    const change = (value: boolean) =>
      glance.call('PATCH', `/v2/images/${id}`, {
        headers: PATCH,
        body: [{ op: 'replace', path: '/protected', value }],
      });
    const [opened, gone] = await Promise.all([change(false), glance.call('DELETE', `/v2/images/${id}`)]);
    expect([
      [200, 204],
      [200, 403],
    ]).toContainEqual([opened.status, gone.status]);
    if (gone.status === 403) expect((await glance.call('DELETE', `/v2/images/${id}`)).status).toBe(204);
  });

  it('keeps every change that many make at once, and names ids once', async () => {
    const id = await create();
    const patched = await many(6, (at) =>
      glance.call('PATCH', `/v2/images/${id}`, {
        headers: PATCH,
        body: [{ op: 'add', path: `/k${String(at)}`, value: 'v' }],
      }),
    );
    expect(outcome(patched)).toEqual([6, []]);
    const { json } = await show(id);
    expect(Object.keys(json).filter((key) => /^k\d$/.test(key))).toHaveLength(6);
    const twin = '5e0d0b3c-5b0e-4b5c-9d0e-00000000abcd';
    const made = await many(10, () => glance.call('POST', '/v2/images', { body: { id: twin } }));
    expect(outcome(made)).toEqual([1, [409]]);
    const space = await many(10, () =>
      glance.call('POST', '/v2/metadefs/namespaces', { as: 'p1:admin', body: { namespace: 'twin' } }),
    );
    expect(outcome(space)).toEqual([1, [409]]);
    const shared = await create('p1:member', { visibility: 'shared' });
    const members = await many(10, () =>
      glance.call('POST', `/v2/images/${shared}/members`, { body: { member: 'p2' } }),
    );
    expect(outcome(members)).toEqual([1, [409]]);
    const off = await many(6, () => glance.call('POST', `/v2/images/${shared}/actions/deactivate`, { as: 'p1:admin' }));
    // Without data there is nothing to deactivate.
    expect(outcome(off)).toEqual([0, [403]]);
  });
});

describe('quotas under fifty requests at once', () => {
  it('are kept for storage, members, tags and properties', async () => {
    const as = 'crowd:member';
    const ids = await many(50, () => create(as));
    const answers = await Promise.all(ids.map((id) => upload(id, Buffer.alloc(MIB, 7), as)));
    expect(outcome(answers)).toEqual([7, [413]]);
    const full = answers.find(({ status }) => status === 413);
    expect(full?.bytes.toString()).toContain('The size of the data 1048576 will exceed the limit. 0 bytes remaining.');
    const images = (await glance.call('GET', '/v2/images?limit=100', { as })).json['images'] as {
      id: string;
      status: string;
      size: number | null;
    }[];
    expect(images.filter(({ status, size }) => status === 'active' && size === MIB)).toHaveLength(7);
    expect(images.filter(({ status, size }) => status === 'queued' && size === null)).toHaveLength(43);
    // What is given back can be used again, by an image that was refused.
    const [active] = images.filter(({ status }) => status === 'active');
    const [queued] = images.filter(({ status }) => status === 'queued');
    await glance.call('DELETE', `/v2/images/${active?.id ?? ''}`, { as });
    expect((await upload(queued?.id ?? '', Buffer.alloc(MIB, 7), as)).status).toBe(204);
    expect((await upload(await create(), Buffer.alloc(MIB, 7))).status).toBe(204);

    const id = await create(as, { visibility: 'shared' });
    const members = await many(50, (at) =>
      glance.call('POST', `/v2/images/${id}/members`, { as, body: { member: `m${String(at)}` } }),
    );
    expect(outcome(members)).toEqual([6, [413]]);
    expect((await glance.call('GET', `/v2/images/${id}/members`, { as })).json['members']).toHaveLength(6);
    const tags = await many(50, (at) => glance.call('PUT', `/v2/images/${id}/tags/t${String(at)}`, { as }));
    expect(outcome(tags)).toEqual([6, [413]]);
    const properties = await many(50, (at) =>
      glance.call('PATCH', `/v2/images/${id}`, {
        as,
        headers: PATCH,
        body: [{ op: 'add', path: `/k${String(at)}`, value: 'v' }],
      }),
    );
    expect(outcome(properties)).toEqual([6, [413]]);
    const { json } = await show(id, as);
    expect([(json['tags'] as string[]).length, Object.keys(json).filter((key) => /^k\d+$/.test(key)).length]).toEqual([
      6, 6,
    ]);
  });
});
