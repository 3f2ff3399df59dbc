import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { request } from 'undici';
import { TestKeystone, type Json } from './testing';

process.env['NESTACK_CHECK_RESPONSES'] = '1';

let keystone: TestKeystone;
beforeAll(async () => {
  keystone = await TestKeystone.start();
}, 30_000);
afterAll(() => keystone.close(), 30_000);

const UNKNOWN = 'f'.repeat(32);
const names = (list: Json | undefined): string[] =>
  ((list ?? []) as readonly { name: string }[]).map((one) => one.name);

describe('version documents', () => {
  it('lead clients to v3 without a token, with links on the host that they used', async () => {
    const root = keystone.url.replace('/v3', '');
    const choices = await request(root);
    expect(choices.statusCode).toBe(300);
    expect(await choices.body.json()).toMatchObject({
      versions: { values: [{ id: 'v3.14', status: 'stable', links: [{ rel: 'self', href: `${root}/v3/` }] }] },
    });
    for (const path of ['', '/']) {
      const answer = await keystone.call('GET', path, { token: null });
      expect([answer.status, answer.json['version']?.['id']]).toEqual([200, 'v3.14']);
    }
    const served = await request(`${root}/openapi.json`);
    const document = (await served.body.json()) as { openapi: string; paths: Record<string, object> };
    expect(document.openapi).toBe('3.1.0');
    expect(Object.keys(document.paths)).toEqual(expect.arrayContaining(['/', '/v3', '/v3/users', '/v3/auth/tokens']));
    expect(document.paths['/v3/users']).toMatchObject({ head: { operationId: 'listUsers_head' } });
  });
});

describe('users', () => {
  it('are made, found, changed and deleted; what keystone does not know of them is kept', async () => {
    const made = await keystone.call('POST', '/users', {
      body: { user: { name: 'alice', password: 'p', email: 'alice@example.org', description: 'd' } },
    });
    expect(made.status).toBe(201);
    const id = String(made.json['user']?.['id']);
    expect(made.json['user']).toEqual({
      id,
      name: 'alice',
      domain_id: 'default',
      enabled: true,
      email: 'alice@example.org',
      description: 'd',
      password_expires_at: null,
      options: {},
      links: { self: `${keystone.url}/users/${id}` },
    });
    const changed = await keystone.call('PATCH', `/users/${id}`, {
      body: { user: { email: 'a@b.c', name: 'alicia' } },
    });
    expect(changed.json['user']).toMatchObject({ name: 'alicia', email: 'a@b.c', description: 'd' });
    const found = await keystone.call('GET', '/users?name=alicia&enabled=True');
    expect(found.json).toMatchObject({
      users: [{ id }],
      links: { next: null, previous: null, self: `${keystone.url}/users?name=alicia&enabled=True` },
    });
    expect((await keystone.call('GET', '/users?name=alicia&enabled=False')).json['users']).toEqual([]);
    expect(names((await keystone.call('GET', '/users?name__icontains=LICI')).json['users'])).toEqual(['alicia']);
    expect((await keystone.call('HEAD', `/users/${id}`)).status).toBe(200);
    expect((await keystone.call('DELETE', `/users/${id}`)).status).toBe(204);
    const gone = await keystone.call('GET', `/users/${id}`);
    expect([gone.status, gone.json]).toEqual([
      404,
      { error: { code: 404, title: 'Not Found', message: `Could not find user: ${id}.` } },
    ]);
  });

  it('have names that are unique in their domain', async () => {
    await keystone.make('users', 'user', { name: 'twin' });
    const second = await keystone.call('POST', '/users', { body: { user: { name: 'twin' } } });
    expect(second.status).toBe(409);
    expect(second.json['error']?.['message']).toContain('Conflict occurred attempting to store user');
    const domain = await keystone.make('domains', 'domain', { name: 'twins' });
    await keystone.make('users', 'user', { name: 'twin', domain_id: domain });
    const third = await keystone.make('users', 'user', { name: 'third' });
    expect((await keystone.call('PATCH', `/users/${third}`, { body: { user: { name: 'twin' } } })).status).toBe(409);
  });

  it('are seen by themselves and by administrators, and look forbidden to others whether they exist or not', async () => {
    const me = await keystone.someone('me');
    const other = await keystone.someone('neighbour');
    expect((await keystone.call('GET', `/users/${me.user}`, { token: me.token })).status).toBe(200);
    const projects = await keystone.call('GET', `/users/${me.user}/projects`, { token: me.token });
    expect(names(projects.json['projects'])).toEqual(['me-project']);
    const unscoped = await keystone.login('me', 'me-password');
    expect((await keystone.call('GET', `/users/${me.user}/projects`, { token: unscoped })).status).toBe(200);
    for (const user of [other.user, UNKNOWN]) {
      for (const path of ['', '/projects', '/groups', '/application_credentials']) {
        expect((await keystone.call('GET', `/users/${user}${path}`, { token: me.token })).status).toBe(403);
      }
      expect((await keystone.call('DELETE', `/users/${user}`, { token: me.token })).status).toBe(403);
    }
    expect(
      (await keystone.call('PATCH', `/users/${me.user}`, { token: me.token, body: { user: { name: 'x' } } })).status,
    ).toBe(403);
  });

  it('change their own password with the old one only', async () => {
    const { user } = await keystone.someone('changer');
    const change = (original_password: string) =>
      keystone.call('POST', `/users/${user}/password`, {
        token: null,
        body: { user: { original_password, password: 'n' } },
      });
    expect((await change('wrong')).status).toBe(401);
    expect((await change('changer-password')).status).toBe(204);
    expect(await keystone.login('changer', 'n')).not.toBe('');
  });
});

describe('whoever is not an administrator', () => {
  it('can neither list nor change what is the cloud’s', async () => {
    const { token, project } = await keystone.someone('commoner');
    const refused: [string, string, unknown?][] = [
      ['GET', '/users'],
      ['GET', '/projects'],
      ['GET', '/domains'],
      ['GET', '/groups'],
      ['GET', '/roles'],
      ['GET', '/services'],
      ['GET', '/endpoints'],
      ['GET', '/role_assignments'],
      ['POST', '/users', { user: { name: 'x' } }],
      ['POST', '/projects', { project: { name: 'x' } }],
      ['POST', '/domains', { domain: { name: 'x' } }],
      ['POST', '/roles', { role: { name: 'x' } }],
      ['POST', '/services', { service: { type: 'x' } }],
      ['POST', '/regions', { region: { id: 'x' } }],
      ['PATCH', `/projects/${project}`, { project: { name: 'x' } }],
      ['DELETE', `/projects/${project}`],
      ['PUT', `/projects/${project}/users/${UNKNOWN}/roles/${UNKNOWN}`],
      ['GET', `/projects/${UNKNOWN}`],
    ];
    for (const [method, path, body] of refused) {
      const answer = await keystone.call(method, path, { token, ...(body === undefined ? {} : { body }) });
      expect([method, path, answer.status]).toEqual([method, path, 403]);
      expect(answer.json['error']?.['message']).toMatch(
        /^You are not authorized to perform the requested action: identity:/,
      );
    }
    expect((await keystone.call('GET', `/projects/${project}`, { token })).status).toBe(200);
    expect((await keystone.call('GET', '/regions', { token })).status).toBe(200);
  });

  it('manages a domain when he is its manager, and nothing outside of it', async () => {
    const domain = await keystone.make('domains', 'domain', { name: 'department' });
    const user = await keystone.make('users', 'user', { name: 'boss', password: 'b', domain_id: domain });
    await keystone.call('PUT', `/domains/${domain}/users/${user}/roles/${await keystone.role('manager')}`);
    const token = await keystone.login('boss', 'b', { domain: { id: domain } }, { id: domain });
    const made = await keystone.call('POST', '/users', { token, body: { user: { name: 'worker' } } });
    expect(made.json['user']).toMatchObject({ domain_id: domain });
    const worker = String(made.json['user']?.['id']);
    const project = await keystone.call('POST', '/projects', { token, body: { project: { name: 'work' } } });
    expect(project.json['project']).toMatchObject({ domain_id: domain, parent_id: domain });
    const grant = (role: string) =>
      `/projects/${String(project.json['project']?.['id'])}/users/${worker}/roles/${role}`;
    expect((await keystone.call('PUT', grant(await keystone.role('member')), { token })).status).toBe(204);
    expect((await keystone.call('PUT', grant(await keystone.role('admin')), { token })).status).toBe(403);
    expect(names((await keystone.call('GET', '/users', { token })).json['users']).sort()).toEqual(['boss', 'worker']);
    expect(names((await keystone.call('GET', '/domains', { token })).json['domains'])).toEqual(['department']);
    const foreign = await keystone.make('users', 'user', { name: 'foreigner' });
    expect((await keystone.call('DELETE', `/users/${foreign}`, { token })).status).toBe(403);
    const outside = { user: { name: 'x', domain_id: 'default' } };
    expect((await keystone.call('POST', '/users', { token, body: outside })).status).toBe(403);
  });
});

describe('projects', () => {
  it('form a tree within their domain', async () => {
    const top = await keystone.make('projects', 'project', { name: 'top' });
    const middle = await keystone.make('projects', 'project', { name: 'middle', parent_id: top });
    const leaf = await keystone.make('projects', 'project', { name: 'leaf', parent_id: middle });
    const shown = await keystone.call('GET', `/projects/${middle}?parents_as_ids&subtree_as_list`);
    expect(shown.json['project']).toMatchObject({
      domain_id: 'default',
      parent_id: top,
      is_domain: false,
      description: '',
      tags: [],
      parents: { [top]: { default: null } },
      subtree: [],
    });
    // Lists have only what the caller has a role on, by inheritance too; he need not see the ids' projects.
    const member = await keystone.make('users', 'user', { name: 'relative', password: 'r' });
    const role = await keystone.role('member');
    await keystone.call('PUT', `/projects/${middle}/users/${member}/roles/${role}`);
    const inherited = `/OS-INHERIT/projects/${middle}/users/${member}/roles/${role}/inherited_to_projects`;
    expect((await keystone.call('PUT', inherited)).status).toBe(204);
    const token = await keystone.login('relative', 'r', { project: { id: middle } });
    const lists = await keystone.call('GET', `/projects/${middle}?parents_as_list&subtree_as_list`, { token });
    expect(lists.json['project']).toMatchObject({ parents: [], subtree: [{ project: { id: leaf } }] });
    await keystone.call('PUT', `/projects/${top}/users/${member}/roles/${role}`);
    const both = await keystone.call('GET', `/projects/${middle}?parents_as_list&subtree_as_ids`, { token });
    expect(both.json['project']).toMatchObject({ parents: [{ project: { id: top } }], subtree: { [leaf]: null } });
    await keystone.call('DELETE', `/users/${member}`);
    const refused = await keystone.call('DELETE', `/projects/${top}`);
    expect([refused.status, refused.json['error']?.['message']]).toEqual([403, expect.stringContaining('not a leaf')]);
    const set = async (id: string, enabled: boolean) =>
      (await keystone.call('PATCH', `/projects/${id}`, { body: { project: { enabled } } })).status;
    expect(await set(middle, false)).toBe(403);
    expect([await set(leaf, false), await set(middle, false)]).toEqual([200, 200]);
    expect(await set(leaf, true)).toBe(403);
    const user = await keystone.make('users', 'user', { name: 'leafy', default_project_id: leaf });
    for (const id of [leaf, middle, top]) expect((await keystone.call('DELETE', `/projects/${id}`)).status).toBe(204);
    expect((await keystone.call('GET', `/users/${user}`)).json['user']).not.toHaveProperty('default_project_id');
    const orphan = await keystone.call('POST', '/projects', { body: { project: { name: 'o', parent_id: UNKNOWN } } });
    expect(orphan.status).toBe(404);
    let parent = 'default';
    for (let depth = 2; depth <= 6; depth += 1) {
      parent = await keystone.make('projects', 'project', { name: `depth-${String(depth)}`, parent_id: parent });
    }
    const deeper = await keystone.call('POST', '/projects', { body: { project: { name: 'd7', parent_id: parent } } });
    expect([deeper.status, deeper.json['error']?.['message']]).toEqual([403, expect.stringContaining('Max hierarchy')]);
  });

  it('have tags, and are found by them', async () => {
    const id = await keystone.make('projects', 'project', { name: 'tagged', tags: ['red', 'blue'] });
    await keystone.make('projects', 'project', { name: 'plain', tags: ['blue'] });
    const by = async (query: string) => names((await keystone.call('GET', `/projects?${query}`)).json['projects']);
    expect(await by('tags=red,blue')).toEqual(['tagged']);
    expect((await by('tags-any=red,blue')).sort()).toEqual(['plain', 'tagged']);
    expect(await by('tags=blue&not-tags-any=red')).toEqual(['plain']);
    const tag = `/projects/${id}/tags/green`;
    expect((await keystone.call('PUT', tag)).status).toBe(201);
    expect((await keystone.call('HEAD', tag)).status).toBe(204);
    expect((await keystone.call('DELETE', tag)).status).toBe(204);
    expect((await keystone.call('GET', tag)).status).toBe(404);
    expect((await keystone.call('PUT', `/projects/${id}/tags`, { body: { tags: ['a'] } })).json['tags']).toEqual(['a']);
    expect((await keystone.call('POST', '/projects', { body: { project: { name: 'x', tags: ['a/b'] } } })).status).toBe(
      400,
    );
  });

  it('go with their domain, which must be disabled first', async () => {
    const domain = await keystone.make('domains', 'domain', { name: 'doomed' });
    const project = await keystone.make('projects', 'project', { name: 'p', domain_id: domain });
    await keystone.make('projects', 'project', { name: 'q', parent_id: project });
    const user = await keystone.make('users', 'user', { name: 'u', domain_id: domain });
    const group = await keystone.make('groups', 'group', { name: 'g', domain_id: domain });
    await keystone.make('roles', 'role', { name: 'r', domain_id: domain });
    await keystone.call('PUT', `/groups/${group}/users/${user}`);
    expect((await keystone.call('DELETE', `/domains/${domain}`)).status).toBe(403);
    await keystone.call('PATCH', `/domains/${domain}`, { body: { domain: { enabled: false } } });
    expect((await keystone.call('DELETE', `/domains/${domain}`)).status).toBe(204);
    for (const path of [`projects/${project}`, `users/${user}`, `groups/${group}`, `domains/${domain}`]) {
      expect((await keystone.call('GET', `/${path}`)).status).toBe(404);
    }
  });
});

describe('roles', () => {
  it('of the cloud itself are immutable until told otherwise', async () => {
    const reader = await keystone.role('reader');
    for (const [method, body] of [
      ['DELETE', undefined],
      ['PATCH', { role: { name: 'x' } }],
    ] as const) {
      const answer = await keystone.call(method, `/roles/${reader}`, body === undefined ? {} : { body });
      expect([answer.status, answer.json['error']?.['message']]).toEqual([403, expect.stringContaining('immutable')]);
    }
  });

  it('imply others, but not in a circle and never admin', async () => {
    const [a, b] = [
      await keystone.make('roles', 'role', { name: 'a' }),
      await keystone.make('roles', 'role', { name: 'b' }),
    ];
    const rule = await keystone.call('PUT', `/roles/${a}/implies/${b}`);
    expect([rule.status, rule.json['role_inference']]).toMatchObject([
      201,
      { prior_role: { id: a }, implies: { id: b } },
    ]);
    expect((await keystone.call('HEAD', `/roles/${a}/implies/${b}`)).status).toBe(204);
    expect((await keystone.call('PUT', `/roles/${b}/implies/${a}`)).status).toBe(400);
    expect((await keystone.call('PUT', `/roles/${a}/implies/${await keystone.role('admin')}`)).status).toBe(403);
    expect((await keystone.call('DELETE', `/roles/${a}/implies/${b}`)).status).toBe(204);
    expect((await keystone.call('GET', `/roles/${a}/implies/${b}`)).status).toBe(404);
  });

  it('are granted directly and from above, and listed as granted or as they work', async () => {
    const domain = await keystone.make('domains', 'domain', { name: 'heirs' });
    const project = await keystone.make('projects', 'project', { name: 'below', domain_id: domain });
    const user = await keystone.make('users', 'user', { name: 'heir', password: 'h', domain_id: domain });
    const group = await keystone.make('groups', 'group', { name: 'heirs', domain_id: domain });
    await keystone.call('PUT', `/groups/${group}/users/${user}`);
    const [member, reader] = [await keystone.role('member'), await keystone.role('reader')];
    const inherited = `/OS-INHERIT/domains/${domain}/groups/${group}/roles/${member}/inherited_to_projects`;
    expect((await keystone.call('PUT', inherited)).status).toBe(204);
    expect((await keystone.call('HEAD', inherited)).status).toBe(204);
    expect((await keystone.call('HEAD', inherited.replace(member, reader))).status).toBe(404);
    const token = await keystone.login('heir', 'h', { project: { id: project } }, { id: domain });
    const body = await keystone.call('GET', '/auth/tokens', { token, headers: { 'x-subject-token': token } });
    expect(names(body.json['token']?.['roles'])).toEqual(['member', 'reader']);

    const list = async (query: string) =>
      (await keystone.call('GET', `/role_assignments?${query}`)).json['role_assignments'];
    expect(await list(`group.id=${group}`)).toEqual([
      {
        group: { id: group },
        role: { id: member },
        scope: { domain: { id: domain }, 'OS-INHERIT:inherited_to': 'projects' },
        links: { assignment: `${keystone.url}${inherited}` },
      },
    ]);
    expect(await list(`user.id=${user}&effective&include_names=True`)).toEqual(
      [member, reader].map((id) => ({
        user: { id: user, name: 'heir', domain: { id: domain, name: 'heirs' } },
        role: { id, name: id === member ? 'member' : 'reader' },
        scope: {
          project: { id: project, name: 'below', domain: { id: domain, name: 'heirs' } },
          'OS-INHERIT:inherited_to': 'projects',
        },
        links: expect.objectContaining({ membership: `${keystone.url}/groups/${group}/users/${user}` }),
      })),
    );
    expect((await keystone.call('GET', `/role_assignments?effective&group.id=${group}`)).status).toBe(400);
    const grants = `/projects/${project}/users/${user}/roles`;
    expect((await keystone.call('PUT', `${grants}/${UNKNOWN}`)).status).toBe(404);
    expect((await keystone.call('DELETE', `${grants}/${member}`)).status).toBe(404);
    expect((await keystone.call('GET', grants)).json['roles']).toEqual([]);
  });
});

describe('the catalogue', () => {
  it('is made of services, regions and endpoints, and shown with the project in its URLs', async () => {
    const region = await keystone.call('PUT', '/regions/north', { body: { region: { description: 'cold' } } });
    expect(region.status).toBe(201);
    const service = await keystone.make('services', 'service', { type: 'volume', name: 'cinder' });
    const endpoint = await keystone.make('endpoints', 'endpoint', {
      service_id: service,
      interface: 'public',
      region_id: 'north',
      url: 'http://cinder/v3/$(project_id)s',
    });
    await keystone.make('endpoints', 'endpoint', {
      service_id: service,
      interface: 'admin',
      url: 'http://cinder/%(nonsense)s',
    });
    const { token, project } = await keystone.someone('shopper');
    const catalog = (await keystone.call('GET', '/auth/catalog', { token })).json['catalog'] as unknown as readonly {
      type: string;
    }[];
    expect(catalog.find((one) => one.type === 'volume')).toMatchObject({
      name: 'cinder',
      endpoints: [{ id: endpoint, interface: 'public', region: 'north', url: `http://cinder/v3/${project}` }],
    });
    expect((await keystone.call('DELETE', '/regions/north')).status).toBe(403);
    expect((await keystone.call('DELETE', `/services/${service}`)).status).toBe(204);
    expect((await keystone.call('GET', `/endpoints/${endpoint}`)).status).toBe(404);
    expect((await keystone.call('DELETE', '/regions/north')).status).toBe(204);
    const lost = { endpoint: { service_id: UNKNOWN, interface: 'public', url: 'http://x' } };
    expect((await keystone.call('POST', '/endpoints', { body: lost })).status).toBe(400);
  });
});

describe('bad input', () => {
  it('is told what is wrong and changes nothing', async () => {
    const before = (await keystone.call('GET', '/users')).json['users']?.length;
    const bad: unknown[] = [
      {},
      [],
      { user: [] },
      { user: {} },
      { user: { name: '' } },
      { user: { name: '   ' } },
      { user: { name: 'x'.repeat(256) } },
      { user: { name: 1 } },
      { user: { name: 'x', enabled: 'yes' } },
      { user: { name: 'x', domain_id: UNKNOWN.replaceAll('f', '!') } },
      { user: { name: 'x', options: [] } },
      { user: { name: 'x', password: 5 } },
      { user: { name: 'x', password: 'p'.repeat(5000) } },
      { user: { name: 'a\u0000b' } },
    ];
    for (const body of bad) {
      const answer = await keystone.call('POST', '/users', { body });
      expect([JSON.stringify(body).slice(0, 60), answer.status]).toEqual([JSON.stringify(body).slice(0, 60), 400]);
      expect(answer.json['error']).toMatchObject({ code: 400, title: 'Bad Request' });
    }
    expect((await keystone.call('POST', '/users', { body: { user: { name: 'x', domain_id: UNKNOWN } } })).status).toBe(
      404,
    );
    expect((await keystone.call('GET', '/users')).json['users']).toHaveLength(before ?? 0);
  });

  it('of other kinds gets its own status', async () => {
    const raw = async (body: string, type = 'application/json') => {
      const headers = { 'x-auth-token': keystone.adminToken, 'content-type': type };
      const answer = await request(`${keystone.url}/users`, { method: 'POST', headers, body });
      return [answer.statusCode, ((await answer.body.json()) as { error: { code: number } }).error.code];
    };
    expect(await raw('{"user": {')).toEqual([400, 400]);
    expect(await raw('user=x', 'application/x-www-form-urlencoded')).toEqual([400, 400]);
    expect(await raw(JSON.stringify({ user: { name: 'x', description: 'y'.repeat(120_000) } }))).toEqual([413, 413]);
    expect((await keystone.call('GET', '/nonsense')).status).toBe(404);
    expect((await keystone.call('GET', '/users/a/b/c/d')).status).toBe(404);
    expect((await keystone.call('PUT', '/users')).status).toBe(405);
    for (const name of ['a b', 'ä', "x'; DROP TABLE role; --", '%', 'a%2Fb']) {
      expect((await keystone.call('GET', `/users/${encodeURIComponent(name)}`)).status).toBe(404);
      expect((await keystone.call('GET', `/users?name=${encodeURIComponent(name)}`)).status).toBe(200);
    }
  });
});
