import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestGlance, type Answer, type TestGlance } from './testing';

let glance: TestGlance;
const BASE = '/v2/metadefs/namespaces';
const admin = 'p1:admin';

beforeAll(async () => {
  glance = await startTestGlance();
});
afterAll(() => glance.close());

const asked = (method: string, path: string, body?: unknown, as = admin, headers = {}): Promise<Answer> =>
  glance.call(method, path, { as, headers, ...(body === undefined ? {} : { body }) });
const names = (answer: Answer, list: string, key = 'name'): unknown[] =>
  (answer.json[list] as Record<string, unknown>[]).map((one) => one[key]);

describe('metadata definitions', () => {
  it('come as a whole, are shown with a prefix for a resource type, and go as a whole', async () => {
    const created = await asked('POST', BASE, {
      namespace: 'OS::Compute::Test',
      display_name: 'Test',
      visibility: 'public',
      resource_type_associations: [{ name: 'OS::Glance::Image', prefix: 'hw_' }, { name: 'OS::Nova::Flavor' }],
      properties: { cpu: { title: 'Processors', type: 'integer', minimum: 1, default: 2 } },
      objects: [
        { name: 'disk', required: ['bus'], properties: { bus: { title: 'Bus', type: 'string', enum: ['virtio'] } } },
      ],
      tags: [{ name: 'fast' }, { name: 'slow' }],
    });
    expect(created.status).toBe(201);
    expect(created.headers['location']).toBe(`${BASE}/OS::Compute::Test`);
    const shown = await asked('GET', `${BASE}/OS::Compute::Test`, undefined, 'p2:reader');
    expect(shown.json).toMatchObject({
      namespace: 'OS::Compute::Test',
      display_name: 'Test',
      owner: 'p1',
      protected: false,
      self: `${BASE}/OS::Compute::Test`,
      schema: '/v2/schemas/metadefs/namespace',
      properties: { cpu: { title: 'Processors', type: 'integer', minimum: 1, default: 2 } },
      objects: [{ name: 'disk', required: ['bus'], self: `${BASE}/OS::Compute::Test/objects/disk` }],
    });
    expect(shown.json).not.toHaveProperty('description');
    expect(names(shown, 'tags').sort()).toEqual(['fast', 'slow']);
    const image = await asked('GET', `${BASE}/OS::Compute::Test?resource_type=OS::Glance::Image`);
    expect(Object.keys(image.json['properties'] as object)).toEqual(['hw_cpu']);
    expect(image.json['objects']).toMatchObject([{ required: ['hw_bus'], properties: { hw_bus: { type: 'string' } } }]);
    const property = `${BASE}/OS::Compute::Test/properties`;
    expect((await asked('GET', `${property}/hw_cpu?resource_type=OS::Glance::Image`)).json['name']).toBe('cpu');
    expect((await asked('GET', `${property}/cpu?resource_type=OS::Glance::Image`)).status).toBe(404);

    expect((await asked('DELETE', `${BASE}/OS::Compute::Test`)).status).toBe(204);
    expect((await asked('GET', `${BASE}/OS::Compute::Test`)).status).toBe(404);
    expect(names(await asked('GET', '/v2/metadefs/resource_types'), 'resource_types')).toEqual([
      'OS::Glance::Image',
      'OS::Nova::Flavor',
    ]);
  });

  it('leave nothing behind when a part of a new namespace is there twice', async () => {
    const answer = await asked('POST', BASE, { namespace: 'broken', tags: [{ name: 'a' }, { name: 'A' }] });
    expect(answer.status).toBe(409);
    expect(answer.bytes.toString()).toContain('A metadata tag with name=A already exists in namespace=broken.');
    expect((await asked('GET', `${BASE}/broken`)).status).toBe(404);
  });

  it('are listed by pages, visibility and resource type', async () => {
    for (const [name, more] of [
      ['list-a', { visibility: 'public', resource_type_associations: [{ name: 'OS::Cinder::Volume' }] }],
      ['list-b', { visibility: 'private' }],
      ['list-c', { visibility: 'public' }],
    ] as const)
      expect((await asked('POST', BASE, { namespace: name, ...more })).status).toBe(201);
    const first = await asked('GET', `${BASE}?limit=2&sort_key=namespace&sort_dir=asc`);
    expect(names(first, 'namespaces', 'namespace')).toEqual(['list-a', 'list-b']);
    expect(first.json['namespaces']).toMatchObject([
      { resource_type_associations: [{ name: 'OS::Cinder::Volume' }] },
      {},
    ]);
    const second = await asked('GET', String(first.json['next']));
    expect(names(second, 'namespaces', 'namespace')).toEqual(['list-c']);
    expect(second.json).not.toHaveProperty('next');
    const ofVolumes = await asked('GET', `${BASE}?resource_types=OS::Cinder::Volume,OS::None`);
    expect(names(ofVolumes, 'namespaces', 'namespace')).toEqual(['list-a']);
    expect(names(await asked('GET', BASE, undefined, 'p2:member'), 'namespaces', 'namespace')).toEqual([
      'list-c',
      'list-a',
    ]);
    expect((await asked('GET', `${BASE}?visibility=shared`)).status).toBe(400);
    expect((await asked('GET', `${BASE}?marker=none`)).status).toBe(404);
  });

  it('belong to whom they belong to: others find private ones nowhere, and only administrators change any', async () => {
    await asked('POST', BASE, { namespace: 'mine', properties: { a: { title: 'A', type: 'string' } } });
    for (const path of ['', '/properties', '/properties/a', '/objects', '/tags', '/resource_types'])
      expect([path, (await asked('GET', `${BASE}/mine${path}`, undefined, 'p2:member')).status]).toEqual([path, 404]);
    expect((await asked('GET', `${BASE}/mine/properties/a`, undefined, 'p1:reader')).status).toBe(200);
    expect((await asked('POST', BASE, { namespace: 'other' }, 'p1:member')).status).toBe(403);
    expect((await asked('PUT', `${BASE}/mine`, { namespace: 'mine' }, 'p1:member')).status).toBe(403);
    expect((await asked('POST', `${BASE}/mine/tags/t`, undefined, 'p1:member')).status).toBe(403);
    expect((await asked('DELETE', `${BASE}/mine/properties/a`, undefined, 'p1:member')).status).toBe(403);
  });

  it('change: a namespace is replaced, parts are added, renamed and removed', async () => {
    await asked('POST', BASE, { namespace: 'change', description: 'before', visibility: 'public' });
    const changed = await asked('PUT', `${BASE}/change`, { namespace: 'changed', protected: true });
    expect(changed.json).toMatchObject({ namespace: 'changed', visibility: 'private', protected: true });
    expect(changed.json).not.toHaveProperty('description');
    const at = `${BASE}/changed`;

    expect((await asked('POST', `${at}/objects`, { name: 'o', description: 'd' })).json).toMatchObject({
      name: 'o',
      description: 'd',
      required: [],
      properties: {},
    });
    expect((await asked('POST', `${at}/objects`, { name: 'o' })).status).toBe(409);
    expect((await asked('PUT', `${at}/objects/o`, { name: 'p' })).json).not.toHaveProperty('description');
    expect(names(await asked('GET', `${at}/objects`), 'objects')).toEqual(['p']);

    const made = await asked('POST', `${at}/properties`, {
      name: 'x',
      title: 'X',
      type: 'array',
      items: { type: 'string' },
    });
    expect([made.status, made.json['items']]).toEqual([201, { type: 'string' }]);
    expect((await asked('PUT', `${at}/properties/x`, { name: 'y', title: 'Y', type: 'boolean' })).status).toBe(200);
    expect((await asked('GET', `${at}/properties`)).json).toEqual({
      properties: { y: { name: 'y', title: 'Y', type: 'boolean' } },
    });

    expect((await asked('POST', `${at}/tags`, { tags: [{ name: 'one' }, { name: 'two' }] })).status).toBe(201);
    await asked('POST', `${at}/tags`, { tags: [{ name: 'three' }] }, admin, { 'x-openstack-append': 'true' });
    expect(names(await asked('GET', `${at}/tags?sort_key=name&sort_dir=asc&limit=2`), 'tags')).toEqual([
      'one',
      'three',
    ]);
    expect(names(await asked('GET', `${at}/tags?sort_key=name&sort_dir=asc&marker=three`), 'tags')).toEqual(['two']);
    expect((await asked('POST', `${at}/tags/ONE`)).status).toBe(409);
    expect((await asked('PUT', `${at}/tags/One`, { name: 'four' })).json['name']).toBe('four');
    await asked('POST', `${at}/tags`, { tags: [{ name: 'only' }] });
    expect((await asked('GET', `${at}/tags`)).json).toEqual({ tags: [{ name: 'only' }] });
    expect((await asked('POST', `${at}/tags/${'t'.repeat(81)}`)).status).toBe(400);

    expect((await asked('POST', `${at}/resource_types`, { name: 'OS::R', prefix: 'r_' })).json).toMatchObject({
      name: 'OS::R',
      prefix: 'r_',
    });
    expect((await asked('POST', `${at}/resource_types`, { name: 'OS::R' })).status).toBe(409);
    expect((await asked('DELETE', `${at}/resource_types/OS::Other`)).status).toBe(404);

    // It is protected, so nothing of it can be removed.
    for (const path of [
      '',
      '/objects',
      '/objects/p',
      '/properties',
      '/properties/y',
      '/tags/only',
      '/resource_types/OS::R',
    ])
      expect([path, (await asked('DELETE', `${at}${path}`)).status]).toEqual([path, 403]);
    await asked('PUT', at, { namespace: 'changed' });
    for (const path of ['/objects', '/properties/y', '/tags', '/resource_types/OS::R', ''])
      expect([path, (await asked('DELETE', `${at}${path}`)).status]).toEqual([path, 204]);
  });

  it('refuse what their schemas do not have, and what only the service sets', async () => {
    await asked('POST', BASE, { namespace: 'strict' });
    const at = `${BASE}/strict`;
    expect((await asked('POST', BASE, { namespace: 'strict' })).status).toBe(409);
    expect((await asked('POST', BASE, { namespace: 'a', schema: 'x' })).status).toBe(403);
    expect((await asked('POST', BASE, { display_name: 'a' })).status).toBe(400);
    expect((await asked('POST', BASE, { namespace: 'a', colour: 'x' })).status).toBe(400);
    expect((await asked('POST', `${at}/objects`, { name: 'o', properties: { x: { title: 'X' } } })).status).toBe(400);
    expect((await asked('POST', `${at}/properties`, { name: 'p', title: 'P', type: 'thing' })).status).toBe(400);
    expect(
      (await asked('POST', `${at}/properties`, { name: 'p', title: 'P', type: 'string', updated_at: 'x' })).status,
    ).toBe(403);
  });

  it('have schemas', async () => {
    for (const [name, title] of [
      ['namespace', 'namespace'],
      ['objects', 'objects'],
      ['property', 'property'],
      ['tags', 'tags'],
      ['resource_types', 'resource_type_associations'],
    ])
      expect((await asked('GET', `/v2/schemas/metadefs/${name}`)).json['name']).toBe(title);
    expect((await asked('GET', '/v2/schemas/metadefs/none')).status).toBe(404);
  });
});
