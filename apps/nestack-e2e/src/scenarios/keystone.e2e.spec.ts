import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { until } from '../cloud';
import { Lab, names, type Rows } from './lab';

jest.setTimeout(120_000);

let lab: Lab;

beforeAll(async () => {
  lab = await Lab.up();
}, 240_000);

afterAll(async () => {
  await lab.end();
}, 120_000);

describe('chapter 3, architecture', () => {
  it('S-3.1.1 the core services are registered', async () => {
    expect(await lab.admin.column('service list', 'Type')).toEqual(
      expect.arrayContaining(['identity', 'image', 'compute', 'volumev3', 'network', 'placement']),
    );
  });

  it('S-2.2.1 compute, volume, network, image and identity answer', async () => {
    const rows = await lab.demo.json<Rows>('versions show');
    for (const type of ['identity', 'image', 'compute', 'block-storage', 'network'])
      expect(rows).toContainEqual(expect.objectContaining({ 'Service Type': type, Status: 'CURRENT' }));
  });
});

describe('chapter 5, Keystone', () => {
  it('S-5.1.0 users, the catalogue and tokens are its three tasks', async () => {
    expect((await lab.admin.json<Rows>('user list')).length).toBeGreaterThan(0);
    expect((await lab.demo.json<Rows>('catalog list')).length).toBeGreaterThan(0);
    expect(await lab.demo.json('token issue')).toMatchObject({ id: expect.any(String) });
  });

  it('S-5.1.1 each service is a user; users are made, changed and deleted', async () => {
    const { admin } = lab;
    expect(await admin.column('user list', 'Name')).toEqual(
      expect.arrayContaining(['admin', 'demo', 'nova', 'glance', 'cinder', 'neutron', 'placement']),
    );
    await admin.run('user create --password one-secret --email j@example.org jane');
    await admin.run('user set --email jane@example.org jane');
    expect(await admin.json('user show jane')).toMatchObject({ email: 'jane@example.org', enabled: true });
  });

  it('S-5.1.2 a password or a token is exchanged for a token', async () => {
    const { id } = await lab.demo.json<{ id: string }>('token issue');
    const again = lab.as({
      OS_CLOUD: '',
      OS_AUTH_TYPE: 'v3token',
      OS_AUTH_URL: lab.cloud.authUrl,
      OS_TOKEN: id,
      OS_PROJECT_NAME: 'demo',
      OS_PROJECT_DOMAIN_NAME: 'Default',
      OS_IDENTITY_API_VERSION: '3',
    });
    expect(await again.json('token issue')).toMatchObject({ id: expect.any(String), project_id: expect.any(String) });
  });

  it('S-5.1.3 a wrong password is refused and logged', async () => {
    expect(await lab.user('demo', 'wrong', 'demo').refused('token issue')).toMatch(/requires authentication.*401/);
    await until('a line about it', async () =>
      (await lab.logs('keystone')).some((line) => line['status'] === 401 || line['status'] === '401'),
    );
  });

  it('S-5.1.4 tokens expire, and revoked ones end on every service', async () => {
    const issued = await lab.demo.json<{ id: string; expires: string }>('token issue');
    expect(Date.parse(issued.expires)).toBeGreaterThan(Date.now());
    const session = await lab.cloud.session('demo');
    const urls = ['compute', 'image', 'network', 'block-storage'].map((type) => session.endpoint(type));
    const looks = [`${urls[0]}/servers`, `${urls[1]}/v2/images`, `${urls[2]}/v2.0/networks`, `${urls[3]}/volumes`];
    const asked = async (): Promise<number[]> =>
      Promise.all(looks.map(async (url) => (await session.send('GET', url, { token: issued.id })).status));
    expect(await asked()).toEqual([200, 200, 200, 200]);
    await lab.demo.run(`token revoke ${issued.id}`);
    await until('the token to end', async () => (await asked()).every((status) => status === 401), 5000);
  });

  it('S-5.1.5 a project hides its resources from others', async () => {
    const { admin, demo } = lab;
    await admin.run('project create --domain default other');
    await admin.run('role add --user jane --project other member');
    const network = await demo.json<{ id: string }>('network create hidden');
    const jane = lab.user('jane', 'one-secret', 'other');
    expect(await jane.refused(`network show ${network.id}`)).toMatch(/No Network found/i);
    expect(await jane.column('network list', 'ID')).not.toContain(network.id);
    await demo.run('network delete hidden');
  });

  it('S-5.1.6 a user becomes member of a second project', async () => {
    expect(await lab.user('jane', 'one-secret', 'demo').refused('token issue')).toMatch(/401/);
    await lab.admin.run('role add --user jane --project demo member');
    expect(await lab.user('jane', 'one-secret', 'demo').json('token issue')).toMatchObject({
      project_id: await lab.admin.field('project show demo', 'id'),
    });
  });

  it('S-5.1.7 an administrator sees all projects, a member does not', async () => {
    expect(await lab.admin.json<Rows>('server list --all-projects')).toEqual([]);
    expect(await lab.demo.refused('server list --all-projects')).toMatch(/403|Policy doesn't allow/);
  });

  it('S-5.1.8 the catalogue lists names and types', async () => {
    const rows = await lab.demo.json<Rows>('catalog list');
    expect(names(rows)).toEqual(expect.arrayContaining(['keystone', 'nova', 'glance', 'neutron', 'cinder']));
    expect(names(rows, 'Type')).toEqual(expect.arrayContaining(['identity', 'compute', 'image', 'network']));
  });

  it('S-5.1.9 each service has endpoints for three audiences', async () => {
    const rows = await lab.admin.json<Rows>('endpoint list --service compute');
    expect(new Set(names(rows, 'Interface'))).toEqual(new Set(['public', 'internal', 'admin']));
    for (const row of rows)
      expect(row).toMatchObject({ Region: 'RegionOne', URL: expect.stringMatching(/^http:.*v2\.1$/) });
  });

  it('S-5.1.10 roles are assigned, and a token carries them', async () => {
    expect(await lab.admin.column('role list', 'Name')).toEqual(
      expect.arrayContaining(['admin', 'manager', 'member', 'reader', 'service']),
    );
    expect(await lab.admin.json<Rows>('role assignment list --names --user demo --project demo')).toContainEqual(
      expect.objectContaining({ Role: 'member', User: 'demo@Default', Project: 'demo@Default' }),
    );
    const session = await lab.cloud.session('demo');
    const { body } = await session.send<{ token: { roles: { name: string }[] } }>(
      'GET',
      `${lab.cloud.authUrl}/auth/tokens`,
      { headers: { 'x-subject-token': session.token } },
    );
    expect(body.token.roles.map((role) => role.name)).toEqual(expect.arrayContaining(['member', 'reader']));
  });

  it('S-5.2.3 an image list is answered by Glance with what Keystone has signed, under one request id', async () => {
    const session = await lab.cloud.session('demo');
    const reply = await session.send('GET', `${session.endpoint('image')}/v2/images`);
    const request = reply.headers.get('x-openstack-request-id') ?? '';
    expect(request).toMatch(/^req-/);
    await lab.flow(request, [/client -> glance GET \/v2\/images/]);
  });

  it('S-5.1.11, S-5.1.12 a policy file decides what a role may do, also a new one', async () => {
    const { admin } = lab;
    await admin.run('role create looker');
    await admin.run('role add --user jane --project other looker');
    const jane = lab.user('jane', 'one-secret', 'other');
    expect(await jane.refused('hypervisor list')).toMatch(/403|Policy doesn't allow/);
    const file = path.join(lab.cloud.state, 'nova-policy.yaml');
    writeFileSync(file, '"os_compute_api:os-hypervisors:list-detail": "role:admin or role:looker"\n');
    await lab.configure('controller', 'nova-api', (settings) => {
      (settings['auth'] as Record<string, unknown>)['policy_file'] = file;
    });
    expect(await jane.json<Rows>('hypervisor list')).toHaveLength(1);
    expect(await lab.demo.refused('hypervisor list')).toMatch(/403|Policy doesn't allow/);
  });

  it("S-5.2.5 a failure is found in Keystone's log", async () => {
    const session = await lab.cloud.session('demo');
    const reply = await session.send('GET', `${lab.cloud.authUrl}/users`);
    expect(reply.status).toBe(403);
    const request = reply.headers.get('x-openstack-request-id') ?? '';
    await until('its line', async () => (await lab.logs('keystone')).some((line) => line.request_id === request));
    const text = (await lab.cloud.nestack('logs', 'keystone', '--lines', '500')).stdout;
    expect(text).toMatch(new RegExp(`keystone \\[${request} .*GET .*403`));
  });
});
