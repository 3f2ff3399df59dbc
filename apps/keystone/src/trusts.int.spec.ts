import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { TestKeystone } from './testing';

process.env['NESTACK_CHECK_RESPONSES'] = '1';

let keystone: TestKeystone;
let trustor: Awaited<ReturnType<TestKeystone['someone']>>;
let trustee: Awaited<ReturnType<TestKeystone['someone']>>;
beforeAll(async () => {
  keystone = await TestKeystone.start();
  trustor = await keystone.someone('trustor', 'manager');
  trustee = await keystone.someone('trustee');
}, 30_000);
afterAll(() => keystone.close(), 30_000);

async function trust(fields: Record<string, unknown> = {}): Promise<string> {
  const body = {
    trust: {
      trustor_user_id: trustor.user,
      trustee_user_id: trustee.user,
      project_id: trustor.project,
      impersonation: true,
      roles: [{ name: 'reader' }],
      ...fields,
    },
  };
  const made = await keystone.call('POST', '/OS-TRUST/trusts', { token: trustor.token, body });
  if (made.status !== 201) throw new Error(`${String(made.status)} ${JSON.stringify(made.json)}`);
  return String(made.json['trust']?.['id']);
}

function use(id: string, name = 'trustee') {
  const user = { name, password: `${name}-password`, domain: { id: 'default' } };
  const auth = {
    identity: { methods: ['password'], password: { user } },
    scope: { 'OS-TRUST:trust': { id } },
  };
  return keystone.call('POST', '/auth/tokens', { token: null, body: { auth } });
}

describe('a trust', () => {
  it('lets the trustee work as the trustor, with the roles that it names', async () => {
    const id = await trust({ expires_at: '2099-01-01T00:00:00.000000Z' });
    const answer = await use(id);
    expect(answer.status).toBe(201);
    expect(answer.json['token']).toMatchObject({
      user: { id: trustor.user },
      project: { id: trustor.project },
      roles: [{ name: 'reader' }],
      'OS-TRUST:trust': {
        id,
        impersonation: true,
        trustor_user: { id: trustor.user },
        trustee_user: { id: trustee.user },
      },
    });
    const token = String(answer.headers['x-subject-token']);
    expect(await keystone.alive(token)).toBe(200);
    const rescope = await keystone.call('POST', '/auth/tokens', {
      token: null,
      body: { auth: { identity: { methods: ['token'], token: { id: token } } } },
    });
    expect(rescope.status).toBe(403);
    const shown = await keystone.call('GET', `/OS-TRUST/trusts/${id}`, { token: trustee.token });
    expect(shown.json['trust']).toMatchObject({
      expires_at: '2099-01-01T00:00:00.000000Z',
      roles: [{ name: 'reader' }],
    });
    expect((await keystone.call('DELETE', `/OS-TRUST/trusts/${id}`, { token: trustee.token })).status).toBe(403);
    expect((await keystone.call('DELETE', `/OS-TRUST/trusts/${id}`, { token: trustor.token })).status).toBe(204);
    expect(await keystone.alive(token)).toBe(401);
    expect((await use(id)).status).toBe(404);
  });

  it('shows the trustee himself when it does not impersonate', async () => {
    const answer = await use(await trust({ impersonation: false, roles: [{ name: 'member' }] }));
    expect(answer.json['token']).toMatchObject({ user: { id: trustee.user }, project: { id: trustor.project } });
    expect((answer.json['token']?.['roles'] as unknown as { name: string }[]).map((role) => role.name)).toEqual([
      'member',
      'reader',
    ]);
  });

  it('is used by its trustee alone, and as often as it says', async () => {
    await keystone.someone('stranger');
    const id = await trust({ remaining_uses: 2 });
    expect((await use(id, 'stranger')).status).toBe(403);
    const uses = await Promise.all(Array.from({ length: 6 }, () => use(id)));
    expect(uses.filter((answer) => answer.status === 201)).toHaveLength(2);
    expect((await use(id)).status).toBe(404);
  });

  it('ends with what it stands on: roles and users', async () => {
    const other = await keystone.someone('other-trustee');
    const id = await trust({ trustee_user_id: other.user });
    const token = String((await use(id, 'other-trustee')).headers['x-subject-token']);
    await keystone.call('PATCH', `/users/${other.user}`, { body: { user: { enabled: false } } });
    expect(await keystone.alive(token)).toBe(401);
    const last = await trust();
    const manager = `/projects/${trustor.project}/users/${trustor.user}/roles/${await keystone.role('manager')}`;
    const second = String((await use(last)).headers['x-subject-token']);
    await keystone.call('DELETE', manager);
    expect(await keystone.alive(second)).toBe(401);
    await keystone.call('PUT', manager);
    expect(await keystone.alive(second)).toBe(200);
  });

  it('is refused when it gives what nobody may give', async () => {
    const bad: [Record<string, unknown>, number][] = [
      [{ roles: [] }, 403],
      [{ roles: [{ name: 'admin' }] }, 404],
      [{ trustee_user_id: 'f'.repeat(32) }, 404],
      [{ trustor_user_id: trustee.user, trustee_user_id: trustor.user }, 403],
      [{ expires_at: '2001-01-01T00:00:00Z' }, 400],
      [{ expires_at: 'soon' }, 400],
      [{ remaining_uses: 0 }, 400],
      [{ remaining_uses: -1 }, 400],
      [{ allow_redelegation: true, redelegation_count: 10 }, 403],
      [{ allow_redelegation: true, remaining_uses: 1 }, 403],
    ];
    for (const [fields, status] of bad) await expect(trust(fields)).rejects.toThrow(new RegExp(`^${String(status)} `));
  });

  it('is passed on within its own limits', async () => {
    const first = await trust({ allow_redelegation: true, redelegation_count: 1 });
    const token = String((await use(first)).headers['x-subject-token']);
    const third = await keystone.someone('third-trustee');
    const pass = (fields: Record<string, unknown>) =>
      keystone.call('POST', '/OS-TRUST/trusts', {
        token,
        body: {
          trust: {
            trustor_user_id: trustor.user,
            trustee_user_id: third.user,
            project_id: trustor.project,
            impersonation: true,
            roles: [{ name: 'reader' }],
            ...fields,
          },
        },
      });
    expect((await pass({ roles: [{ name: 'member' }] })).status).toBe(403);
    const passed = await pass({});
    expect(passed.json['trust']).toMatchObject({ redelegated_trust_id: first, redelegation_count: 0 });
    const further = String(
      (await use(String(passed.json['trust']?.['id']), 'third-trustee')).headers['x-subject-token'],
    );
    expect(await keystone.alive(further)).toBe(200);
    await keystone.call('DELETE', `/OS-TRUST/trusts/${first}`, { token: trustor.token });
    expect(await keystone.alive(further)).toBe(401);
  });

  it('is listed to its two users, and all of them to administrators', async () => {
    const list = (query: string, token: string) => keystone.call('GET', `/OS-TRUST/trusts${query}`, { token });
    expect((await list(`?trustor_user_id=${trustor.user}`, trustor.token)).status).toBe(200);
    expect((await list(`?trustee_user_id=${trustee.user}`, trustee.token)).status).toBe(200);
    expect((await list(`?trustor_user_id=${trustor.user}`, trustee.token)).status).toBe(403);
    expect((await list('', trustee.token)).status).toBe(403);
    expect((await list('', keystone.adminToken)).status).toBe(200);
  });
});

describe('EC2 credentials', () => {
  it('are pairs of keys that a user makes for himself', async () => {
    const { user, token, project } = await keystone.someone('amazon');
    const path = `/users/${user}/credentials/OS-EC2`;
    const made = await keystone.call('POST', path, { token, body: { tenant_id: project } });
    expect(made.status).toBe(201);
    const credential = made.json['credential'];
    expect(credential).toMatchObject({ user_id: user, tenant_id: project, trust_id: null });
    expect((await keystone.call('GET', path, { token })).json['credentials']).toEqual([credential]);
    const stranger = await keystone.someone('not-amazon');
    expect((await keystone.call('GET', path, { token: stranger.token })).status).toBe(403);
    const one = `${path}/${String(credential?.['access'])}`;
    expect((await keystone.call('GET', one, { token })).json['credential']).toEqual(credential);
    expect((await keystone.call('DELETE', one, { token })).status).toBe(204);
    expect((await keystone.call('GET', one, { token })).status).toBe(404);
  });
});
