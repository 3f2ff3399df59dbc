import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newUuid } from '@nestack/kernel/ids';
import { TestKeystone, type Answer } from './testing';

process.env['NESTACK_CHECK_RESPONSES'] = '1';

/** What comes at once: one of the requests is done, the others hear why not, and nothing is lost. */
let keystone: TestKeystone;

beforeAll(async () => {
  keystone = await TestKeystone.start();
}, 60_000);

afterAll(() => keystone.close());

describe('many requests at once', () => {
  it('make what bears one name once, and delete it once', async () => {
    const name = `contended-${newUuid().slice(0, 8)}`;
    const many = (count: number, one: () => Promise<Answer>) => Promise.all(Array.from({ length: count }, one));
    const statuses = (answers: readonly Answer[]): Record<string, number> => {
      const counts: Record<string, number> = {};
      for (const { status } of answers) counts[String(status)] = (counts[String(status)] ?? 0) + 1;
      return counts;
    };
    const { user, project, token } = await keystone.someone(`contender-${name}`);
    const service = await keystone.make('services', 'service', { type: name, name });
    const domain_id = 'default';
    const kinds: readonly (readonly [string, string, unknown, string?])[] = [
      ['/users', 'user', { name, domain_id }],
      ['/projects', 'project', { name, domain_id }],
      ['/groups', 'group', { name, domain_id }],
      ['/roles', 'role', { name }],
      ['/domains', 'domain', { name }],
      ['/regions', 'region', { id: name }],
      [`/users/${user}/application_credentials`, 'application_credential', { name }, token],
      ['/registered_limits', 'registered_limits', [{ service_id: service, resource_name: name, default_limit: 1 }]],
      ['/limits', 'limits', [{ project_id: project, service_id: service, resource_name: name, resource_limit: 2 }]],
    ];
    for (const [path, key, fields, as] of kinds) {
      const options = { body: { [key]: fields }, ...(as === undefined ? {} : { token: as }) };
      // A secret is hashed for each of these.
      const count = key === 'application_credential' ? 10 : 50;
      const answers = await many(count, () => keystone.call('POST', path, options));
      expect([path, statuses(answers)]).toEqual([path, { 201: 1, 409: count - 1 }]);
      for (const { status, json } of answers)
        if (status === 409) expect(json).toMatchObject({ error: { code: 409, title: 'Conflict' } });
    }
    // Of services there may be several of one name and type. upstream: keystone/catalog/backends/sql.py Service
    const services = await many(10, () =>
      keystone.call('POST', '/services', { body: { service: { type: name, name } } }),
    );
    expect(statuses(services)).toEqual({ 201: 10 });
    const found = async (path: string, key: string) =>
      String((await keystone.call('GET', `${path}?name=${name}`)).json[key]?.[0]?.['id']);
    const role = await found('/roles', 'roles');
    const group = await found('/groups', 'groups');
    const paths = [
      `/projects/${project}/users/${user}/roles/${role}`,
      `/groups/${group}/users/${user}`,
      `/projects/${project}/groups/${group}/roles/${role}`,
      `/projects/${project}/tags/${name}`,
    ];
    for (const path of paths) {
      const created = path.includes('/tags/') ? 201 : 204;
      expect([path, statuses(await many(20, () => keystone.call('PUT', path)))]).toEqual([path, { [created]: 20 }]);
      expect([path, statuses(await many(20, () => keystone.call('DELETE', path)))]).toEqual([
        path,
        { 204: 1, 404: 19 },
      ]);
    }
    // What is added to a list at once is all there.
    await Promise.all(
      Array.from({ length: 20 }, (_, at) => keystone.call('PUT', `/projects/${project}/tags/t${String(at)}`)),
    );
    expect((await keystone.call('GET', `/projects/${project}/tags`)).json['tags']).toHaveLength(20);
    await Promise.all(
      Array.from({ length: 20 }, (_, at) =>
        keystone.call('PATCH', `/projects/${project}`, { body: { project: { [`extra${String(at)}`]: 'x' } } }),
      ),
    );
    const shown = (await keystone.call('GET', `/projects/${project}`)).json['project'];
    expect(Object.keys(shown ?? {}).filter((key) => key.startsWith('extra'))).toHaveLength(20);
    const at = `/users/${user}/application_credentials`;
    const [credential] = (await keystone.call('GET', at, { token })).json['application_credentials'] ?? [];
    const own = `${at}/${String(credential?.['id'])}`;
    expect(statuses(await many(20, () => keystone.call('DELETE', own, { token })))).toEqual({ 204: 1, 404: 19 });
    const names = [`/roles/${role}`, `/groups/${group}`, `/users/${await found('/users', 'users')}`];
    for (const path of [...names, `/projects/${await found('/projects', 'projects')}`, `/regions/${name}`])
      expect([path, statuses(await many(20, () => keystone.call('DELETE', path)))]).toEqual([
        path,
        { 204: 1, 404: 19 },
      ]);
  }, 60_000);

  it('log in without holding up others', async () => {
    const { token } = await keystone.someone('crowd');
    let done = 0;
    const logins = Array.from({ length: 40 }, async () => {
      const made = await keystone.login('crowd', 'crowd-password');
      done += 1;
      return made;
    });
    expect(await keystone.alive(token)).toBe(200);
    expect(done).toBeLessThan(40);
    expect(new Set(await Promise.all(logins)).size).toBe(40);
  }, 60_000);
});
