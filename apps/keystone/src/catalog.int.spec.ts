import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { TestKeystone } from './testing';

process.env['NESTACK_CHECK_RESPONSES'] = '1';

let keystone: TestKeystone;
beforeAll(async () => {
  keystone = await TestKeystone.start();
}, 30_000);
afterAll(() => keystone.close(), 30_000);

const UNKNOWN = 'f'.repeat(32);

describe('unified limits', () => {
  it('are registered for all and set for single projects, which see their own', async () => {
    const service = await keystone.make('services', 'service', { type: 'compute', name: 'nova' });
    const { project, token } = await keystone.someone('limited');
    const limits = (fields: Record<string, unknown> = {}) =>
      keystone.call('POST', '/limits', {
        body: {
          limits: [{ project_id: project, service_id: service, resource_name: 'vcpus', resource_limit: 5, ...fields }],
        },
      });
    expect((await limits()).status).toBe(403);
    const body = { registered_limits: [{ service_id: service, resource_name: 'vcpus', default_limit: 10 }] };
    const registered = await keystone.call('POST', '/registered_limits', { body });
    expect(registered.status).toBe(201);
    expect(registered.json['registered_limits']).toMatchObject([
      { default_limit: 10, region_id: null, description: null },
    ]);
    expect((await keystone.call('POST', '/registered_limits', { body })).status).toBe(409);
    const made = await limits();
    expect(made.status).toBe(201);
    const id = String(made.json['limits']?.[0]?.['id']);
    expect((await limits()).status).toBe(409);
    expect((await limits({ domain_id: 'default' })).status).toBe(400);
    expect((await limits({ project_id: UNKNOWN })).status).toBe(404);
    expect((await keystone.call('GET', '/limits', { token })).json['limits']).toMatchObject([
      { id, resource_limit: 5 },
    ]);
    const stranger = await keystone.someone('unlimited');
    expect((await keystone.call('GET', '/limits', { token: stranger.token })).json['limits']).toEqual([]);
    expect((await keystone.call('GET', `/limits/${id}`, { token: stranger.token })).status).toBe(403);
    expect(
      (await keystone.call('PATCH', `/limits/${id}`, { token, body: { limit: { resource_limit: 9 } } })).status,
    ).toBe(403);
    const raised = await keystone.call('PATCH', `/limits/${id}`, { body: { limit: { resource_limit: 9 } } });
    expect(raised.json['limit']).toMatchObject({ resource_limit: 9 });
    const first = `/registered_limits/${String(registered.json['registered_limits']?.[0]?.['id'])}`;
    expect((await keystone.call('DELETE', first)).status).toBe(403);
    expect((await keystone.call('DELETE', `/limits/${id}`)).status).toBe(204);
    expect((await keystone.call('DELETE', first)).status).toBe(204);
    expect((await keystone.call('GET', '/limits/model', { token })).json['model']).toMatchObject({ name: 'flat' });
  });
});

describe('what others refer to', () => {
  it('may go before a limit does, and what refers to nothing is refused', async () => {
    const service = await keystone.make('services', 'service', { type: 'referred', name: 'referred' });
    const region = await keystone.make('regions', 'region', {});
    const limit = { service_id: service, region_id: region, resource_name: 'things', default_limit: 1 };
    const registered = await keystone.call('POST', '/registered_limits', { body: { registered_limits: [limit] } });
    expect(registered.status).toBe(201);
    const path = `/registered_limits/${String(registered.json['registered_limits']?.[0]?.['id'])}`;
    expect((await keystone.call('DELETE', `/regions/${region}`)).status).toBe(204);
    expect((await keystone.call('DELETE', `/services/${service}`)).status).toBe(204);
    expect((await keystone.call('GET', path)).json['registered_limit']).toMatchObject(limit);
    expect((await keystone.call('DELETE', path)).status).toBe(204);
    const { user } = await keystone.someone('owner');
    const credential = await keystone.make('credentials', 'credential', { type: 'cert', blob: 'x', user_id: user });
    const given = await keystone.call('PATCH', `/credentials/${credential}`, {
      body: { credential: { user_id: UNKNOWN } },
    });
    expect([given.status, given.json['error']?.['message']]).toEqual([404, `Could not find user: ${UNKNOWN}.`]);
  });
});

describe('endpoint filters', () => {
  it('show a project the endpoints that it was given, itself or in groups, and no others', async () => {
    const service = await keystone.make('services', 'service', { type: 'image', name: 'glance' });
    const make = (url: string, side: string) =>
      keystone.make('endpoints', 'endpoint', { service_id: service, interface: side, region: 'east', url });
    const [one, two] = [await make('http://one', 'public'), await make('http://two', 'internal')];
    const { project, token } = await keystone.someone('filtered');
    const seen = async (): Promise<string[]> => {
      const catalog = (await keystone.call('GET', '/auth/catalog', { token })).json['catalog'];
      return (catalog as unknown as { endpoints: { id: string }[] }[]).flatMap((entry) =>
        entry.endpoints.map((endpoint) => endpoint.id),
      );
    };
    expect((await seen()).length).toBeGreaterThan(2);
    const direct = `/OS-EP-FILTER/projects/${project}/endpoints/${one}`;
    expect((await keystone.call('GET', direct)).status).toBe(404);
    expect((await keystone.call('PUT', direct)).status).toBe(204);
    expect((await keystone.call('HEAD', direct)).status).toBe(204);
    expect(await seen()).toEqual([one]);
    const group = await keystone.make('OS-EP-FILTER/endpoint_groups', 'endpoint_group', {
      name: 'inside',
      filters: { interface: 'internal', service_id: service },
    });
    const { json } = await keystone.call('GET', `/OS-EP-FILTER/endpoint_groups/${group}`);
    expect(json['endpoint_group']).toMatchObject({ name: 'inside', description: null });
    const grouped = `/OS-EP-FILTER/endpoint_groups/${group}/projects/${project}`;
    expect((await keystone.call('PUT', grouped)).status).toBe(204);
    expect((await seen()).sort()).toEqual([one, two].sort());
    const listed = await keystone.call('GET', `/OS-EP-FILTER/projects/${project}/endpoints`);
    expect(listed.json['endpoints']).toHaveLength(2);
    const members = await keystone.call('GET', `/OS-EP-FILTER/endpoint_groups/${group}/endpoints`);
    expect(members.json['endpoints']).toMatchObject([{ id: two }]);
    const of = await keystone.call('GET', `/OS-EP-FILTER/endpoints/${one}/projects`);
    expect(of.json['projects']).toMatchObject([{ id: project }]);
    await keystone.call('DELETE', `/endpoints/${one}`);
    expect(await seen()).toEqual([two]);
    expect((await keystone.call('DELETE', grouped)).status).toBe(204);
    expect((await seen()).length).toBeGreaterThan(1);
    const bad = { endpoint_group: { name: 'x', filters: { colour: 'red' } } };
    expect((await keystone.call('POST', '/OS-EP-FILTER/endpoint_groups', { body: bad })).status).toBe(400);
    expect((await keystone.call('PUT', grouped, { token })).status).toBe(403);
  });
});

describe("a domain's configuration", () => {
  it('is kept by groups and options, without showing its secrets', async () => {
    const domain = await keystone.make('domains', 'domain', { name: 'configured' });
    const path = `/domains/${domain}/config`;
    const put = (config: unknown) => keystone.call('PUT', path, { body: { config } });
    expect((await keystone.call('GET', path)).status).toBe(404);
    const first = await put({ ldap: { url: 'ldap://x', password: 'secret' } });
    expect([first.status, first.json['config']]).toEqual([201, { ldap: { url: 'ldap://x' } }]);
    expect((await put({ identity: { driver: 'ldap' }, ldap: { url: 'ldap://y' } })).status).toBe(200);
    const changed = await keystone.call('PATCH', `${path}/ldap/url`, { body: { config: { url: 'ldap://z' } } });
    expect(changed.json['config']).toEqual({ identity: { driver: 'ldap' }, ldap: { url: 'ldap://z' } });
    expect((await keystone.call('GET', `${path}/ldap/url`)).json['config']).toEqual({ url: 'ldap://z' });
    expect((await keystone.call('GET', `${path}/identity`)).json['config']).toEqual({ identity: { driver: 'ldap' } });
    expect((await keystone.call('DELETE', `${path}/ldap`)).status).toBe(204);
    expect((await keystone.call('GET', `${path}/ldap`)).status).toBe(404);
    expect((await keystone.call('GET', '/domains/config/identity/driver/default')).json['config']).toEqual({
      driver: 'sql',
    });
    for (const bad of [{}, { nova: { a: 1 } }, { ldap: { nonsense: 1 } }, { ldap: 'x' }]) {
      expect((await put(bad)).status).toBe(403);
    }
    expect(
      (await keystone.call('PUT', `/domains/${UNKNOWN}/config`, { body: { config: { identity: {} } } })).status,
    ).toBe(404);
  });
});
