import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { TestPlacement, told, type Answer, type CallOptions } from './test-app';

process.env['NESTACK_CHECK_RESPONSES'] = '1';

let placement: TestPlacement;
const call = (method: string, path: string, options?: CallOptions): Promise<Answer> =>
  placement.call(method, path, options);

beforeAll(async () => {
  placement = await TestPlacement.start();
});

afterAll(async () => {
  await placement.close();
});

describe('the service', () => {
  it('tells its versions and speaks the one that is asked', async () => {
    const root = await call('GET', '/', { version: '', as: '' });
    expect([root.status, root.json]).toEqual([
      200,
      {
        versions: [
          {
            id: 'v1.0',
            min_version: '1.0',
            max_version: '1.39',
            status: 'CURRENT',
            links: [{ rel: 'self', href: '' }],
          },
        ],
      },
    ]);
    const plain = await call('GET', '/resource_providers', { version: '' });
    expect([plain.headers['openstack-api-version'], plain.headers['vary']]).toEqual([
      'placement 1.0',
      'OpenStack-API-Version',
    ]);
    expect((await call('GET', '/resource_providers', { version: 'latest' })).headers['openstack-api-version']).toBe(
      'placement 1.39',
    );
    const unknown = await call('GET', '/resource_providers', { version: '1.99' });
    expect(unknown.status).toBe(406);
    expect(told(unknown)).toMatchObject({ min_version: '1.0', max_version: '1.39', title: 'Not Acceptable' });
    expect((await call('GET', '/traits', { version: '1.5' })).status).toBe(404);
    expect((await call('DELETE', `/resource_providers/${randomUUID()}/inventories`, { version: '1.4' })).status).toBe(
      405,
    );
    const posted = await call('PUT', '/resource_providers', { body: {} });
    expect([posted.status, posted.headers['allow']]).toEqual([405, 'GET, HEAD, POST']);
    expect((await call('GET', '/resource_classes', { headers: { accept: 'text/plain' } })).status).toBe(406);
    expect((await call('GET', '/resource_classes', { headers: { accept: '' } })).status).toBe(200);
  });

  it('is for administrators and services', async () => {
    expect((await call('GET', '/resource_providers', { as: 'p1:service' })).status).toBe(200);
    const member = await call('GET', '/resource_providers', { as: 'p1:member' });
    expect([member.status, told(member).detail]).toEqual([
      403,
      'Access was denied to this resource.\n\n Policy does not allow placement:resource_providers:list to be performed.  ',
    ]);
    expect((await call('GET', '/usages?project_id=p1', { as: 'p1:reader' })).status).toBe(200);
    expect((await call('GET', '/usages?project_id=p2', { as: 'p1:reader' })).status).toBe(403);
    expect((await call('GET', '/resource_providers', { as: '' })).status).toBe(401);
    expect((await call('POST', '/reshaper', { body: {}, as: 'x:admin' })).status).toBe(403);
  });

  it('tells errors in its own envelope, with a code since 1.23', async () => {
    const uuid = randomUUID();
    const missing = await call('GET', `/resource_providers/${uuid}`);
    expect(told(missing)).toEqual({
      status: 404,
      title: 'Not Found',
      detail: `The resource could not be found.\n\n No resource provider with uuid ${uuid} found  `,
      request_id: missing.headers['x-openstack-request-id'],
      code: 'placement.undefined_code',
    });
    expect(told(await call('GET', `/resource_providers/${uuid}`, { version: '1.22' })).code).toBeUndefined();
    const broken = await call('POST', '/resource_providers', { body: { name: 1 } });
    expect([broken.status, told(broken).detail]).toEqual([
      400,
      "The server could not comply with the request since it is either malformed or otherwise incorrect.\n\n JSON does not validate: 1 is not of type 'string'  ",
    ]);
    const typed = await call('POST', '/resource_providers', { body: {}, headers: { 'content-type': 'text/plain' } });
    expect(typed.status).toBe(415);
    expect((await call('GET', '/resource_providers?nothing=1')).status).toBe(400);
  });
});

describe('resource providers', () => {
  it('are created, shown, listed, renamed and deleted', async () => {
    const old = await call('POST', '/resource_providers', { body: { name: 'old' }, version: '1.19' });
    expect(old.status).toBe(201);
    expect(old.headers['location']).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/resource_providers\/[0-9a-f-]{36}$/);
    const uuid = randomUUID();
    const created = await call('POST', '/resource_providers', {
      body: { name: 'rp', uuid: uuid.replaceAll('-', '').toUpperCase() },
    });
    expect(created.json).toEqual({
      uuid,
      name: 'rp',
      generation: 0,
      parent_provider_uuid: null,
      root_provider_uuid: uuid,
      links: ['', '/inventories', '/usages', '/aggregates', '/traits', '/allocations'].map((rel) => ({
        rel: rel === '' ? 'self' : rel.slice(1),
        href: `/resource_providers/${uuid}${rel}`,
      })),
    });
    expect(created.headers).toMatchObject({ 'cache-control': 'no-cache' });
    expect(new Date(String(created.headers['last-modified'])).getTime()).toBeGreaterThan(Date.now() - 60_000);
    const first = (await call('GET', `/resource_providers/${uuid}`, { version: '1.0' })).json;
    expect([Object.keys(first).sort(), (first['links'] as unknown[]).length]).toEqual([
      ['generation', 'links', 'name', 'uuid'],
      3,
    ]);
    const twice = await call('POST', '/resource_providers', { body: { name: 'rp' } });
    expect([twice.status, told(twice).code, told(twice).detail]).toEqual([
      409,
      'placement.duplicate_name',
      'There was a conflict when trying to complete your request.\n\n Conflicting resource provider name: rp already exists.  ',
    ]);
    expect((await call('POST', '/resource_providers', { body: { name: '' } })).status).toBe(400);
    expect((await call('GET', '/resource_providers?name=rp')).json['resource_providers']).toHaveLength(1);
    expect((await call('GET', `/resource_providers?uuid=${uuid}`)).json['resource_providers']).toHaveLength(1);
    const renamed = await call('PUT', `/resource_providers/${uuid}`, { body: { name: 'rp2' } });
    expect([renamed.status, renamed.json['name']]).toEqual([200, 'rp2']);
    expect((await call('PUT', `/resource_providers/${uuid}`, { body: { name: 'old' } })).status).toBe(409);
    expect((await call('DELETE', `/resource_providers/${uuid}`)).status).toBe(204);
    const gone = await call('DELETE', `/resource_providers/${uuid}`);
    expect([gone.status, told(gone).detail]).toEqual([
      404,
      `The resource could not be found.\n\n No resource provider with uuid ${uuid} found for delete  `,
    ]);
    expect((await call('GET', '/resource_providers/nothing')).status).toBe(404);
  });

  it('form trees', async () => {
    const root = await placement.provider('t-root');
    const child = await placement.provider('t-child', { parent_provider_uuid: root });
    const grandchild = await placement.provider('t-grandchild', { parent_provider_uuid: child });
    const shown = async (uuid: string): Promise<unknown[]> => {
      const { json } = await call('GET', `/resource_providers/${uuid}`);
      return [json['parent_provider_uuid'], json['root_provider_uuid']];
    };
    expect(await shown(grandchild)).toEqual([child, root]);
    const inTree = (await call('GET', `/resource_providers?in_tree=${grandchild}`)).json['resource_providers'];
    expect(inTree).toHaveLength(3);
    const parent = await call('DELETE', `/resource_providers/${child}`);
    expect([parent.status, told(parent).code]).toEqual([409, 'placement.resource_provider.cannot_delete_parent']);
    const put = (uuid: string, parentUuid: string | null, version = '1.39') =>
      call('PUT', `/resource_providers/${uuid}`, {
        body: { name: `t-${uuid}`, parent_provider_uuid: parentUuid },
        version,
      });
    expect((await put(child, null, '1.36')).status).toBe(400);
    expect((await put(child, grandchild)).status).toBe(400);
    expect((await put(child, randomUUID())).status).toBe(400);
    expect((await put(child, null)).status).toBe(200);
    expect(await shown(grandchild)).toEqual([child, child]);
    expect((await put(child, root)).status).toBe(200);
    expect(await shown(grandchild)).toEqual([child, root]);
  });

  it('have aggregates and traits', async () => {
    const uuid = await placement.provider('with-traits');
    const aggregate = randomUUID().replaceAll('-', '');
    const path = `/resource_providers/${uuid}`;
    const old = await call('PUT', `${path}/aggregates`, { body: [aggregate], version: '1.1' });
    expect([old.json, await placement.generation(uuid)]).toEqual([{ aggregates: [aggregate] }, 0]);
    const set = await call('PUT', `${path}/aggregates`, {
      body: { aggregates: [aggregate], resource_provider_generation: 0 },
    });
    expect(set.json).toEqual({ aggregates: [aggregate], resource_provider_generation: 1 });
    const stale = await call('PUT', `${path}/aggregates`, {
      body: { aggregates: [], resource_provider_generation: 0 },
    });
    expect([stale.status, told(stale).code]).toEqual([409, 'placement.concurrent_update']);
    expect((await call('GET', `${path}/aggregates`)).json).toEqual(set.json);
    const members = await call('GET', `/resource_providers?member_of=in:${aggregate},${randomUUID()}`);
    expect(members.json['resource_providers']).toHaveLength(1);
    expect((await call('GET', `/resource_providers?member_of=${aggregate},x`)).status).toBe(400);

    expect((await call('PUT', '/traits/CUSTOM_GOLD')).status).toBe(201);
    expect((await call('PUT', '/traits/CUSTOM_GOLD')).status).toBe(204);
    expect((await call('PUT', '/traits/GOLD')).status).toBe(400);
    expect((await call('GET', '/traits/CUSTOM_GOLD')).status).toBe(204);
    expect((await call('GET', '/traits/CUSTOM_NONE')).status).toBe(404);
    const traits = await call('PUT', `${path}/traits`, {
      body: { traits: ['HW_CPU_X86_VMX', 'CUSTOM_GOLD'], resource_provider_generation: 1 },
    });
    expect(traits.json).toEqual({ traits: ['CUSTOM_GOLD', 'HW_CPU_X86_VMX'], resource_provider_generation: 2 });
    const unknown = { traits: ['CUSTOM_NONE'], resource_provider_generation: 2 };
    expect((await call('PUT', `${path}/traits`, { body: unknown })).status).toBe(400);
    const found = async (query: string) =>
      ((await call('GET', `/resource_providers?${query}`)).json['resource_providers'] as { name: string }[])
        .map((one) => one.name)
        .includes('with-traits');
    expect(await found('required=CUSTOM_GOLD')).toBe(true);
    expect(await found('required=!CUSTOM_GOLD')).toBe(false);
    expect(await found('required=in:CUSTOM_GOLD,STORAGE_DISK_SSD&required=HW_CPU_X86_VMX')).toBe(true);
    expect((await call('GET', '/resource_providers?required=CUSTOM_NONE')).status).toBe(400);
    expect((await call('GET', '/traits?associated=true')).json['traits']).toEqual(['CUSTOM_GOLD', 'HW_CPU_X86_VMX']);
    expect((await call('GET', '/traits?name=startswith:CUSTOM')).json['traits']).toEqual(['CUSTOM_GOLD']);
    expect((await call('GET', '/traits?name=in:STORAGE_DISK_SSD,X')).json['traits']).toEqual(['STORAGE_DISK_SSD']);
    expect((await call('DELETE', '/traits/CUSTOM_GOLD')).status).toBe(409);
    expect((await call('DELETE', '/traits/STORAGE_DISK_SSD')).status).toBe(400);
    expect((await call('DELETE', `${path}/traits`)).status).toBe(204);
    expect((await call('DELETE', '/traits/CUSTOM_GOLD')).status).toBe(204);
    expect((await call('GET', `${path}/traits`)).json).toEqual({ traits: [], resource_provider_generation: 3 });
  });
});

describe('resource classes', () => {
  it('are standard or custom', async () => {
    const listed = (await call('GET', '/resource_classes')).json['resource_classes'] as { name: string }[];
    expect(listed.slice(0, 3).map((one) => one.name)).toEqual(['VCPU', 'MEMORY_MB', 'DISK_GB']);
    expect((await call('PUT', '/resource_classes/CUSTOM_BAREMETAL')).status).toBe(201);
    expect((await call('PUT', '/resource_classes/CUSTOM_BAREMETAL')).status).toBe(204);
    expect((await call('PUT', '/resource_classes/BAREMETAL')).status).toBe(400);
    expect((await call('POST', '/resource_classes', { body: { name: 'CUSTOM_BAREMETAL' } })).status).toBe(409);
    expect((await call('POST', '/resource_classes', { body: { name: 'custom_x' } })).status).toBe(400);
    expect((await call('GET', '/resource_classes/CUSTOM_BAREMETAL')).json).toEqual({
      name: 'CUSTOM_BAREMETAL',
      links: [{ rel: 'self', href: '/resource_classes/CUSTOM_BAREMETAL' }],
    });
    const renamed = await call('PUT', '/resource_classes/CUSTOM_BAREMETAL', {
      body: { name: 'CUSTOM_METAL' },
      version: '1.6',
    });
    expect(renamed.json['name']).toBe('CUSTOM_METAL');
    const uuid = await placement.provider('with-metal');
    await placement.inventory(uuid, { CUSTOM_METAL: { total: 1 } });
    expect((await call('DELETE', '/resource_classes/CUSTOM_METAL')).status).toBe(409);
    expect((await call('DELETE', `/resource_providers/${uuid}/inventories`)).status).toBe(204);
    expect((await call('DELETE', '/resource_classes/CUSTOM_METAL')).status).toBe(204);
    expect((await call('DELETE', '/resource_classes/VCPU')).status).toBe(400);
    expect((await call('DELETE', '/resource_classes/CUSTOM_METAL')).status).toBe(404);
  });
});

describe('inventories', () => {
  it('are set, changed and removed under the generation of their provider', async () => {
    const uuid = await placement.provider('with-inventory');
    const path = `/resource_providers/${uuid}/inventories`;
    const created = await call('POST', path, { body: { resource_class: 'VCPU', total: 4 } });
    expect([created.status, created.json]).toEqual([
      201,
      {
        total: 4,
        reserved: 0,
        min_unit: 1,
        max_unit: 2_147_483_647,
        step_size: 1,
        allocation_ratio: 1,
        resource_provider_generation: 1,
      },
    ]);
    const twice = await call('POST', path, { body: { resource_class: 'VCPU', total: 4 } });
    expect([twice.status, told(twice).code]).toEqual([409, 'placement.concurrent_update']);
    expect((await call('POST', path, { body: { resource_class: 'CUSTOM_NO', total: 4 } })).status).toBe(400);
    const changed = await call('PUT', `${path}/VCPU`, {
      body: { total: 8, allocation_ratio: 16, resource_provider_generation: 1 },
    });
    expect(changed.json).toMatchObject({ total: 8, allocation_ratio: 16, resource_provider_generation: 2 });
    const stale = await call('PUT', `${path}/VCPU`, { body: { total: 8, resource_provider_generation: 1 } });
    expect([stale.status, told(stale).code]).toEqual([409, 'placement.concurrent_update']);
    expect((await call('PUT', `${path}/DISK_GB`, { body: { total: 8, resource_provider_generation: 2 } })).status).toBe(
      400,
    );
    const all = { VCPU: { total: 8, reserved: 8 }, DISK_GB: { total: 100 } };
    const body = { resource_provider_generation: 2, inventories: all };
    expect((await call('PUT', path, { body, version: '1.25' })).status).toBe(400);
    expect((await call('PUT', path, { body })).json['resource_provider_generation']).toBe(3);
    expect((await call('GET', `${path}/DISK_GB`)).json['total']).toBe(100);
    expect((await call('GET', `${path}/MEMORY_MB`)).status).toBe(404);
    expect(Object.keys((await call('GET', path)).json['inventories'] ?? {})).toEqual(['DISK_GB', 'VCPU']);
    const consumer = randomUUID();
    expect((await placement.allocate(consumer, { [uuid]: { DISK_GB: 10 } })).status).toBe(204);
    const inUse = await call('PUT', path, { body: { resource_provider_generation: 4, inventories: {} } });
    expect([inUse.status, told(inUse).code]).toEqual([409, 'placement.inventory.inuse']);
    expect((await call('DELETE', `${path}/DISK_GB`)).status).toBe(409);
    expect((await call('DELETE', `${path}/VCPU`)).status).toBe(204);
    expect((await call('DELETE', `${path}/VCPU`)).status).toBe(404);
    expect((await call('DELETE', `/resource_providers/${uuid}`)).status).toBe(409);
    expect((await call('GET', `/resource_providers/${uuid}/usages`)).json['usages']).toEqual({ DISK_GB: 10 });
    expect((await call('DELETE', `/allocations/${consumer}`)).status).toBe(204);
    expect((await call('DELETE', `/resource_providers/${uuid}`)).status).toBe(204);
  });
});
