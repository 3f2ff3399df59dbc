import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { Operation } from '@nestack/kernel/http';
import { sql } from '@nestack/kernel/db';
import { exampleOf } from '@nestack/kernel/testing';
import { glanceApi } from '@nestack/glance/contract';
import { startTestGlance, type Answer, type TestGlance } from './testing';

jest.setTimeout(60_000);

/** What a stranger gets who names another project's images and namespaces, in every operation. */
let glance: TestGlance;
const owned: Record<string, string> = {
  member_id: 'friend',
  tag_value: 'mine',
  namespace_name: 'secret',
  object_name: 'o',
  property_name: 'p',
  tag_name: 't',
  resource_type_name: 'OS::R',
};

async function made(method: string, path: string, body: unknown, as = 'owner:member'): Promise<Answer> {
  const answer = await glance.call(method, path, { as, body });
  if (answer.status >= 300) throw new Error(`${path}: ${answer.bytes.toString()}`);
  return answer;
}

beforeAll(async () => {
  glance = await startTestGlance();
  const image = { name: 'x', disk_format: 'raw', container_format: 'bare', tags: ['mine'] };
  const at = '/v2/metadefs/namespaces';
  owned['image_id'] = String((await made('POST', '/v2/images', { ...image, visibility: 'shared' })).json['id']);
  owned['open'] = String(
    (await made('POST', '/v2/images', { ...image, visibility: 'public', owner: 'owner' }, 'root:admin')).json['id'],
  );
  await glance.call('PUT', `/v2/images/${owned['image_id']}/file`, { as: 'owner:member', data: Buffer.from('x') });
  await glance.call('PUT', `/v2/images/${owned['open']}/file`, { as: 'root:admin', data: Buffer.from('x') });
  await made('POST', `/v2/images/${owned['image_id']}/members`, { member: 'friend' });
  await made('POST', at, { namespace: 'secret', visibility: 'private' }, 'root:admin');
  await made('POST', `${at}/secret/objects`, { name: 'o' }, 'root:admin');
  await made('POST', `${at}/secret/properties`, { name: 'p', title: 'P', type: 'string' }, 'root:admin');
  await glance.call('POST', `${at}/secret/tags/t`, { as: 'root:admin' });
  await made('POST', `${at}/secret/resource_types`, { name: 'OS::R' }, 'root:admin');
  owned['task_id'] = '5e0d0b3c-5b0e-4b5c-9d0e-000000000001';
});

afterAll(() => glance.close());

const operations = glanceApi.operations.filter(
  (one) => one.path.includes('{') && !one.path.startsWith('/schemas/') && one.public !== true,
);

function ask(operation: Operation, ids: Readonly<Record<string, string>>, as: string): Promise<Answer> {
  const path = operation.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const id = ids[name];
    if (id === undefined) throw new Error(`${operation.id}: the test has nothing for ${name}`);
    return encodeURIComponent(id);
  });
  if (operation.bodyType === 'raw') return glance.call(operation.method, `/v2${path}`, { as, data: Buffer.from('y') });
  if (operation.bodyType === 'patch')
    return glance.call(operation.method, `/v2${path}`, {
      as,
      headers: { 'content-type': 'application/openstack-images-v2.1-json-patch' },
      body: [{ op: 'replace', path: '/name', value: 'mine now' }],
    });
  if (operation.id === 'importImage')
    return glance.call('POST', `/v2${path}`, { as, body: { method: { name: 'glance-direct' } } });
  const schema = Array.isArray(operation.body) ? (operation.body.at(-1) as { schema: unknown }).schema : operation.body;
  return glance.call(operation.method, `/v2${path}`, schema === undefined ? { as } : { as, body: exampleOf(schema) });
}

/** All that glance keeps. */
function everything(): Promise<unknown> {
  return glance.test.database.read('test', async (tx) => {
    const tables = await sql<{ name: string }>(
      tx,
      'SELECT table_name AS name FROM information_schema.tables WHERE table_schema = current_schema() ORDER BY 1',
    );
    const found: unknown[] = [];
    for (const { name } of tables)
      found.push([name, await sql(tx, `SELECT to_jsonb(t) FROM "${name}" t ORDER BY to_jsonb(t)::text`)]);
    return found;
  });
}

describe("other projects' images and namespaces", () => {
  it('are absent in every operation, and nothing is changed', async () => {
    const absent = { ...owned, image_id: '5e0d0b3c-5b0e-4b5c-9d0e-000000000002', namespace_name: 'none' };
    const before = await everything();
    const wrong: string[] = [];
    expect(operations.length).toBeGreaterThan(38);
    for (const operation of operations) {
      for (const as of ['stranger:member', 'stranger:reader']) {
        const theirs = await ask(operation, owned, as);
        const nobodys = await ask(operation, absent, as);
        const told = `${operation.id} ${as}: ${String(theirs.status)} ${String(nobodys.status)}`;
        // Who may not do something at all is told so, of whatever image.
        if (![403, 404].includes(theirs.status) || nobodys.status !== theirs.status)
          wrong.push(`${told} ${theirs.bytes.toString().slice(0, 200)}`);
      }
    }
    expect(wrong).toEqual([]);
    expect(await everything()).toEqual(before);
  });

  it('that are public are seen and stay as they are', async () => {
    const before = await everything();
    const ids = { ...owned, image_id: owned['open'] ?? '' };
    const answers: Record<string, number> = {};
    for (const operation of operations.filter(({ path }) => path.startsWith('/images/')))
      answers[operation.id] = (await ask(operation, ids, 'stranger:member')).status;
    const { showImage, downloadImageFile, ...rest } = answers;
    expect([showImage, downloadImageFile]).toEqual([200, 200]);
    const changes = Object.entries(rest).filter(([, status]) => status !== 403 && status !== 404);
    expect(changes).toEqual([['listImageTasks', 200]]);
    expect(await everything()).toEqual(before);
  });

  it('that are offered are seen by the member, who decides on that alone', async () => {
    const id = owned['image_id'] ?? '';
    const as = 'friend:member';
    const answers: Record<string, number> = {};
    for (const operation of operations.filter(({ path, method }) => path.startsWith('/images/') && method !== 'GET'))
      if (operation.id !== 'updateMember') answers[operation.id] = (await ask(operation, owned, as)).status;
    for (const [operation, status] of Object.entries(answers))
      expect([operation, [403, 404].includes(status)]).toEqual([operation, true]);
    const others = await glance.call('PUT', `/v2/images/${id}/members/stranger`, { as, body: { status: 'accepted' } });
    expect(others.status).toBe(404);
    const own = await glance.call('PUT', `/v2/images/${id}/members/friend`, { as, body: { status: 'accepted' } });
    expect(own.status).toBe(200);
    expect((await glance.call('GET', `/v2/images/${id}`, { as })).json).toMatchObject({
      id,
      status: 'active',
      name: 'x',
    });
  });

  it('are not made, taken over or replaced by naming their owner or id', async () => {
    const id = owned['image_id'] ?? '';
    const as = 'stranger:member';
    const mine = String((await made('POST', '/v2/images', { name: 'own', visibility: 'shared' }, as)).json['id']);
    const patch = (path: string, value: string) =>
      glance.call('PATCH', `/v2/images/${mine}`, {
        as,
        headers: { 'content-type': 'application/openstack-images-v2.1-json-patch' },
        body: [{ op: 'replace', path, value }],
      });
    const before = await everything();
    const image = { disk_format: 'raw', container_format: 'bare' };
    const answers = [
      await glance.call('POST', '/v2/images', { as, body: { ...image, owner: 'owner' } }),
      await glance.call('POST', '/v2/images', { as, body: { ...image, id } }),
      await glance.call('POST', '/v2/images', { as, body: { ...image, visibility: 'public' } }),
      await patch('/owner', 'owner'),
      await patch('/visibility', 'public'),
      // Whoever offers does not accept for the other.
      await glance.call('PUT', `/v2/images/${id}/members/friend`, { as: 'owner:member', body: { status: 'accepted' } }),
      await glance.call('POST', `/v2/images/${id}/members`, { as: 'friend:member', body: { member: 'stranger' } }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([403, 409, 403, 403, 403, 403, 403]);
    const listed = await glance.call('GET', '/v2/images?owner=owner&visibility=shared&member_status=all', { as });
    expect(listed.json['images']).toEqual([]);
    expect(await everything()).toEqual(before);
  });
});
