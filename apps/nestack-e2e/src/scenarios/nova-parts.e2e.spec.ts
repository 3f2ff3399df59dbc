import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { WebSocket } from 'ws';
import { program, ROOT, until } from '../cloud';
import { connectDatabase } from './database';
import { Lab, names, type Rows } from './lab';
import { schedulingTests } from './simulated/scheduling';

jest.setTimeout(180_000);

let lab: Lab;
/** The controller is itself a compute host; the second one joins while the cloud runs. */
let first: string;
const SECOND = 'node-2';
/** What the controller's sub-services of Nova were told before the second host came. */
let before: unknown;

beforeAll(async () => {
  lab = await Lab.up();
  const file = lab.cloud.file('cirros.raw', Buffer.alloc(64 * 1024, 1));
  await lab.admin.run(`image create cirros --public --file ${file} --disk-format raw`);
  await lab.demo.run('network create lan');
  await lab.demo.run('subnet create --network lan --subnet-range 10.5.0.0/24 lan4');
  await lab.admin.run('quota set --instances -1 --cores -1 --ram -1 --gigabytes -1 admin');
  await lab.admin.run('quota set --instances -1 --cores -1 --ram -1 --gigabytes -1 demo');
  [first = ''] = await lab.admin.column('hypervisor list', 'Hypervisor Hostname');
  before = controllerOfNova();
  const added = await lab.cloud.nestack('compute', 'add', SECOND);
  if (added.code !== 0) throw new Error(`${added.stdout}${added.stderr}`);
}, 300_000);

afterAll(async () => {
  await lab.end();
}, 120_000);

function controllerOfNova(): unknown {
  const { apps } = JSON.parse(readFileSync(path.join(lab.cloud.state, 'config/controller.json'), 'utf8')) as {
    apps: Record<string, unknown>;
  };
  return [apps['nova-api'], apps['nova-conductor'], apps['nova-scheduler'], apps['nova-compute']];
}

const boot = (name: string, more = '--flavor m1.tiny'): Promise<void> =>
  lab.admin.boot(`server create --image cirros --network private ${more} ${name}`);
/** Several with one request: `NAME-1` and so on. */
async function bootMany(name: string, count: number, more: string): Promise<string[]> {
  const all = Array.from({ length: count }, (_, index) => `${name}-${index + 1}`);
  await lab.admin.boot(
    `server create --image cirros --network private --min ${count} --max ${count} ${more} ${name}`,
    all,
  );
  return all;
}
const hostOf = (name: string): Promise<string> => lab.admin.field(`server show ${name}`, 'OS-EXT-SRV-ATTR:host');
/** What a server says that could not be placed. */
async function unplaced(more: string): Promise<string> {
  await lab.admin.run(`server create --image cirros --network private ${more} nowhere`);
  await until('its failure', async () => (await lab.admin.field('server show nowhere', 'status')) === 'ERROR');
  const shown = await lab.admin.json('server show nowhere');
  expect(shown).toMatchObject({ status: 'ERROR' });
  await lab.admin.deleteServers('nowhere');
  return JSON.stringify(shown['fault']);
}
const NO_HOST = /No valid host was found/;

describe('chapters 2 to 4, architecture and lab', () => {
  it('S-2.2.2, S-7.1.4.4, S-7.2.3.1 which driver works is a matter of settings alone', async () => {
    const settings = JSON.parse(readFileSync(path.join(lab.cloud.state, 'config/controller.json'), 'utf8')) as {
      apps: Record<string, Record<string, unknown>>;
    };
    expect(settings.apps['nova-compute']).toMatchObject({ driver: 'fake' });
    expect(settings.apps['cinder']).toMatchObject({ driver: 'fake' });
    expect(settings.apps['neutron-agent']).toMatchObject({ driver: 'fake' });
    expect(await lab.newAdmin.json(`hypervisor show ${first}`)).toMatchObject({ hypervisor_type: 'fake' });
  });

  it('S-1.1.1 a host tells its hypervisor and its kind', async () => {
    expect(await lab.admin.json<Rows>('hypervisor list --long')).toContainEqual(
      expect.objectContaining({ 'Hypervisor Hostname': first, 'Hypervisor Type': 'fake', State: 'up' }),
    );
  });

  it('S-3.2.1 sub-services are listed with their hosts', async () => {
    for (const command of ['compute service list', 'volume service list', 'network agent list'])
      for (const row of await lab.admin.json<Rows>(command))
        expect(row).toMatchObject({ Host: expect.stringMatching(/\w/) });
  });

  it('S-3.2.2 each service has a schema of its own, which others cannot read', async () => {
    const nova = await connectDatabase(lab.cloud, 'nova-api');
    try {
      const { rows } = await nova.query<{ nspname: string }>('SELECT nspname FROM pg_namespace');
      expect(rows.map((row) => row.nspname)).toEqual(
        expect.arrayContaining(['keystone', 'glance', 'placement', 'nova', 'cinder', 'neutron']),
      );
      expect((await nova.query('SELECT count(*) FROM instance')).rows).toHaveLength(1);
      await expect(nova.query('SELECT * FROM keystone.local_user')).rejects.toThrow(/permission denied/);
    } finally {
      await nova.end();
    }
  });

  it('S-4.1.1, S-4.4.3, S-7.1.2.2 a compute node joins, and nothing of the controller changes', async () => {
    const rows = await lab.admin.json<Rows>('compute service list --service nova-compute');
    expect(names(rows, 'Host').sort()).toEqual([SECOND, first].sort());
    expect(new Set(names(rows, 'State'))).toEqual(new Set(['up']));
    expect(controllerOfNova()).toEqual(before);
  });

  it('S-4.2.1 the machine is checked for what a cloud needs', async () => {
    const ended = await program(process.execPath, [path.join(ROOT, 'dist/apps/nestack/cli.js'), 'doctor']);
    expect(`${ended.stdout}${ended.stderr}`).toMatch(/memory|RAM/i);
  });

  it('S-4.4.1 the one command that made the cloud says where its APIs are', async () => {
    const again = await lab.cloud.nestack('up', '--no-image');
    expect(again.stdout).toContain(lab.cloud.authUrl);
    expect(again.stdout).toContain('openrc');
  });

  it("S-4.4.2 the controller's settings say what runs there", async () => {
    const { apps } = JSON.parse(readFileSync(path.join(lab.cloud.state, 'config/controller.json'), 'utf8')) as {
      apps: Record<string, unknown>;
    };
    expect(Object.keys(apps)).toEqual(
      expect.arrayContaining([
        'keystone',
        'glance',
        'placement',
        'neutron',
        'cinder',
        'nova-api',
        'nova-conductor',
        'nova-scheduler',
        'nova-compute',
        'neutron-agent',
      ]),
    );
  });

  it('S-4.4.6 users, projects, flavors and networks are there from the start', async () => {
    expect(await lab.admin.column('user list', 'Name')).toEqual(
      expect.arrayContaining(['admin', 'demo', 'nova', 'neutron']),
    );
    expect(await lab.admin.column('project list', 'Name')).toEqual(
      expect.arrayContaining(['admin', 'demo', 'service']),
    );
    expect(await lab.demo.column('flavor list', 'Name')).toEqual([
      'm1.tiny',
      'm1.small',
      'm1.medium',
      'm1.large',
      'm1.xlarge',
    ]);
    expect(await lab.demo.column('network list', 'Name')).toEqual(expect.arrayContaining(['private', 'public']));
  });

  it('S-4.4.7 openrc sets the client up', async () => {
    const openrc = path.join(lab.cloud.state, 'openrc');
    const ended = await program('sh', ['-c', '. "$1" && openstack token issue -f value -c project_id', 'sh', openrc], {
      PATH: process.env['PATH'],
      HOME: lab.cloud.state,
    });
    expect(ended).toMatchObject({ code: 0, stdout: expect.stringMatching(/^[0-9a-f]{32}\n$/) });
  });
});

describe('chapter 7.1, the parts of Nova', () => {
  it('S-7.1.1.1, S-7.2.1.2 nova-api answers where the catalogue says', async () => {
    const [url = ''] = await lab.admin.column('endpoint list --service nova --interface public', 'URL');
    const reply = await fetch(url);
    expect(await reply.json()).toMatchObject({ version: { id: 'v2.1', status: 'CURRENT', min_version: '2.1' } });
  });

  it('S-7.1.1.2, S-7.1.2.1 all parts are on the controller, a compute node has nova-compute alone', async () => {
    const rows = await lab.admin.json<Rows>('compute service list');
    const on = (host: string): unknown[] =>
      names(
        rows.filter((row) => row['Host'] === host),
        'Binary',
      ).sort();
    expect(on(first)).toEqual(['nova-compute', 'nova-conductor', 'nova-scheduler']);
    expect(on(SECOND)).toEqual(['nova-compute']);
    for (const row of rows) expect(row).toMatchObject({ Status: 'enabled', State: 'up' });
  });

  it('S-7.1.1.3 a compute node knows no way to the database', () => {
    const folder = path.join(lab.cloud.state, 'config');
    const own = readdirSync(folder).filter((name) => name.includes(SECOND));
    expect(own).not.toEqual([]);
    for (const name of own) expect(readFileSync(path.join(folder, name), 'utf8')).not.toContain('postgres');
  });

  it("S-7.1.1.4 a console URL opens the guest's screen, once", async () => {
    await boot('seen');
    const url = new URL(await lab.newAdmin.field('console url show --novnc seen', 'url'));
    const page = await fetch(url);
    expect([page.status, await page.text()]).toEqual([200, expect.stringContaining('noVNC')]);
    const open = (): WebSocket => new WebSocket(`ws://${url.host}/${url.searchParams.get('path') ?? ''}`);
    const viewer = open();
    let received = Buffer.alloc(0);
    viewer.on('message', (data: Buffer) => (received = Buffer.concat([received, data])));
    const bytes = (count: number): Promise<boolean> =>
      until(`${count} bytes of the screen`, async () => received.length >= count);
    await bytes(12);
    expect(received.toString()).toBe('RFB 003.008\n');
    // Version, no password, a shared screen; its size and its name come.
    viewer.send(received);
    await bytes(14);
    viewer.send(Buffer.from([1]));
    await bytes(18);
    viewer.send(Buffer.from([1]));
    await bytes(42);
    await bytes(42 + received.readUInt32BE(38));
    expect(received.subarray(42).toString()).toBe('QEMU (seen)');
    const [error] = (await once(open(), 'error')) as [Error];
    expect(error.message).toContain('403');
    viewer.terminate();
    await lab.admin.deleteServers('seen');
  });

  it('S-7.1.3.1, S-3.2.3 a launch goes by RPC inside Nova, by REST between services', async () => {
    await boot('s1');
    const request = (await lab.admin.json<Rows>('server event list s1'))[0]?.['Request ID'];
    const lines = await lab.flow(String(request), [
      /client -> nova-api POST .*\/servers/,
      /conductor => scheduler select_destinations/,
      /scheduler -> placement GET \/allocation_candidates/,
      /scheduler -> placement PUT \/allocations/,
      /conductor -> neutron POST \/ports/,
      /conductor => compute.* build_and_run_instance/,
    ]);
    const rpc = lines.filter((line) => line.includes(' => '));
    expect(rpc.filter((line) => /=> (glance|placement|keystone|cinder)/.test(line))).toEqual([]);
    await lab.admin.deleteServers('s1');
  });

  it('S-7.1.4.3 a further worker adds capacity', async () => {
    expect(await lab.admin.json('hypervisor stats show')).toMatchObject({ count: 2, vcpus: 2000 });
  });

  it('S-7.1.4.5 a request waits for a compute service that is away', async () => {
    await lab.admin.run(`compute service set --disable ${first} nova-compute`);
    const away = (await lab.cloud.processes()).find((one) => one.name.includes(SECOND))?.pid ?? 0;
    process.kill(away, 'SIGSTOP');
    try {
      const made = await lab.admin.json('server create --image cirros --network private --flavor m1.tiny patient');
      expect(made).toMatchObject({ status: 'BUILD' });
    } finally {
      process.kill(away, 'SIGCONT');
    }
    await lab.admin.becomes('server show patient', 'ACTIVE');
    expect(await hostOf('patient')).toBe(SECOND);
    await lab.admin.deleteServers('patient');
    await lab.admin.run(`compute service set --enable ${first} nova-compute`);
  });

  it('S-7.1.1.5 without messages nothing is lost, and services are up again with them', async () => {
    await lab.admin.run('server create --image cirros --network private --flavor m1.tiny tough');
    await lab.cloud.kill('rabbitmq');
    await until('the cloud to be healthy', () => lab.cloud.healthy(), 90_000);
    await lab.admin.becomes('server show tough', 'ACTIVE', 'status', 90_000);
    await until('all services', async () =>
      (await lab.admin.column('compute service list', 'State')).every((state) => state === 'up'),
    );
    await lab.admin.deleteServers('tough');
  });

  it('S-4.4.4 one process is restarted alone', async () => {
    const controller = (await lab.cloud.processes()).find((one) => one.name === 'controller')?.pid;
    const name = (await lab.cloud.processes()).find((one) => one.name.includes(SECOND))?.name ?? '';
    await lab.cloud.kill(name);
    await until('it to be back', () => lab.cloud.healthy(), 90_000);
    const rows = await lab.cloud.processes();
    expect(rows.find((one) => one.name === name)).toMatchObject({ state: 'running' });
    expect(rows.find((one) => one.name === 'controller')?.pid).toBe(controller);
  });
});

schedulingTests(() => ({ lab, hosts: [first, SECOND] }));

describe('chapter 7.2, API, scheduler and compute', () => {
  it('S-7.2.1.1 a bad request is refused before any message is sent', async () => {
    const session = await lab.cloud.session('admin');
    const reply = await session.send('POST', `${session.endpoint('compute')}/servers`, {
      body: { server: { name: 'x', imageRef: 'y', flavorRef: '1', min_count: -1, networks: 'none' } },
    });
    expect(reply.status).toBe(400);
    expect(reply.text).toMatch(/Invalid input/);
    const lines = await lab.flow(reply.headers.get('x-openstack-request-id') ?? '', [/client -> nova-api POST/]);
    expect(lines.filter((line) => line.includes(' => '))).toEqual([]);
  });

  it('S-7.2.2.1 there are five flavors, and administrators alone make more', async () => {
    expect(await lab.demo.column('flavor list', 'Name')).toHaveLength(5);
    expect(await lab.demo.refused('flavor create --ram 64 --disk 1 mine')).toMatch(/403|Policy doesn't allow/);
    await lab.admin.run('flavor create --ram 64 --disk 1 --vcpus 1 nano');
    expect(await lab.demo.column('flavor list', 'Name')).toContain('nano');
  });

  it('S-7.2.2.2 the scheduler asks for candidates and claims one', async () => {
    await boot('s2', '--flavor nano');
    const request = (await lab.admin.json<Rows>('server event list s2'))[0]?.['Request ID'];
    await lab.flow(String(request), [
      /=> scheduler select_destinations/,
      /scheduler -> placement GET \/allocation_candidates/,
      /scheduler -> placement PUT \/allocations/,
    ]);
    expect([first, SECOND]).toContain(await hostOf('s2'));
    await lab.admin.deleteServers('s2');
  });

  it('S-7.2.2.4 only hosts of the wanted zone are taken', async () => {
    await lab.admin.run('aggregate create --zone az1 rack');
    await lab.admin.run(`aggregate add host rack ${SECOND}`);
    await boot('zoned', '--flavor nano --availability-zone az1');
    expect(await hostOf('zoned')).toBe(SECOND);
    expect(
      await lab.admin.refused(
        'server create --image cirros --network private --flavor nano --availability-zone az9 no',
      ),
    ).toMatch(/availability zone/);
    await lab.admin.deleteServers('zoned');
    await lab.admin.run(`aggregate remove host rack ${SECOND}`);
    await lab.admin.run('aggregate delete rack');
  });

  it('S-7.2.2.5, S-7.2.2.6, S-7.2.2.7 memory, disk and CPUs that no host has', async () => {
    for (const [name, size] of [
      ['ram', '--ram 90000000 --disk 1 --vcpus 1'],
      ['disk', '--ram 64 --disk 9000000 --vcpus 1'],
      ['cpu', '--ram 64 --disk 1 --vcpus 90000'],
    ] as const) {
      await lab.admin.run(`flavor create ${size} huge-${name}`);
      expect(await unplaced(`--flavor huge-${name}`)).toMatch(NO_HOST);
    }
  });

  it('S-1.4.1.2, S-1.4.2.1 more virtual CPUs run than there are real ones; memory follows its ratio', async () => {
    await lab.admin.run('flavor create --ram 64 --disk 1 --vcpus 900 wide');
    await bootMany('wide', 3, '--flavor wide');
    const stats = await lab.admin.json<{ vcpus: number; vcpus_used: number }>('hypervisor stats show');
    expect(stats.vcpus_used).toBeGreaterThan(stats.vcpus);
    expect(await lab.admin.column('server list --name ^wide', 'Status')).toEqual(['ACTIVE', 'ACTIVE', 'ACTIVE']);
    await lab.admin.deleteServers('wide-1', 'wide-2', 'wide-3');
    const session = await lab.cloud.session('admin');
    const placement = session.endpoint('placement');
    const { resource_providers: found } = await session.get<{ resource_providers: { uuid: string }[] }>(
      `${placement}/resource_providers?name=${first}`,
    );
    const { inventories } = await session.get<{ inventories: Record<string, { allocation_ratio: number }> }>(
      `${placement}/resource_providers/${found[0]?.uuid ?? ''}/inventories`,
    );
    expect(inventories).toMatchObject({ VCPU: { allocation_ratio: 4 }, MEMORY_MB: { allocation_ratio: 1 } });
  });

  it('S-7.2.2.8 a disabled compute service gets nothing new', async () => {
    await lab.admin.run(`compute service set --disable --disable-reason repair ${SECOND} nova-compute`);
    await bootMany('only', 2, '--flavor nano');
    expect([await hostOf('only-1'), await hostOf('only-2')]).toEqual([first, first]);
    await lab.admin.run(`compute service set --enable ${SECOND} nova-compute`);
    await lab.admin.deleteServers('only-1', 'only-2');
  });

  it("S-7.2.2.9 a flavor's extra specs are matched with hosts", async () => {
    await lab.admin.run('flavor create --ram 64 --disk 1 --property capabilities:hypervisor_type=xen xenish');
    expect(await unplaced('--flavor xenish')).toMatch(NO_HOST);
    await lab.admin.run('flavor set --property capabilities:hypervisor_type=fake xenish');
    await boot('fits', '--flavor xenish');
    await lab.admin.deleteServers('fits');
  });

  it("S-7.2.2.10 an image's properties are matched with hosts", async () => {
    await lab.admin.run('image set --property hypervisor_type=xen cirros');
    expect(await unplaced('--flavor nano')).toMatch(NO_HOST);
    await lab.admin.run('image unset --property hypervisor_type cirros');
  });

  it('S-7.2.2.14 the host with more free memory wins', async () => {
    const before = await lab.admin.column('server list --all-projects', 'ID');
    expect(before).toEqual([]);
    await boot('heavy', '--flavor m1.large');
    const other = (await hostOf('heavy')) === first ? SECOND : first;
    await boot('light', '--flavor nano');
    expect(await hostOf('light')).toBe(other);
    await lab.admin.deleteServers('heavy', 'light');
  });

  it('S-7.2.3.2, S-7.2.3.4 a host reports its resources; a server claims what its flavor says', async () => {
    const used = async (): Promise<Record<string, number>> => {
      const session = await lab.cloud.session('admin');
      const placement = session.endpoint('placement');
      const { resource_providers: found } = await session.get<{ resource_providers: { uuid: string }[] }>(
        `${placement}/resource_providers`,
      );
      const sum: Record<string, number> = {};
      for (const { uuid } of found) {
        const { usages } = await session.get<{ usages: Record<string, number> }>(
          `${placement}/resource_providers/${uuid}/usages`,
        );
        for (const [key, value] of Object.entries(usages)) sum[key] = (sum[key] ?? 0) + value;
      }
      return sum;
    };
    expect(await used()).toMatchObject({ VCPU: 0, MEMORY_MB: 0, DISK_GB: 0 });
    await boot('claims', '--flavor m1.small');
    expect(await used()).toMatchObject({ VCPU: 1, MEMORY_MB: 2048, DISK_GB: 20 });
    await lab.admin.deleteServers('claims');
    expect(await used()).toMatchObject({ VCPU: 0, MEMORY_MB: 0, DISK_GB: 0 });
  });

  it('S-7.2.2.3 a host where a build failed is not tried again', async () => {
    const [process = ''] = (await lab.cloud.processes()).map((one) => one.name).filter((name) => name.includes(SECOND));
    await lab.configure(process, 'nova-compute', (settings) => {
      settings['fake'] = { failure_percent: { spawn: 100 } };
    });
    await bootMany('moved', 4, '--flavor nano');
    for (const name of ['moved-1', 'moved-2', 'moved-3', 'moved-4']) expect(await hostOf(name)).toBe(first);
    await lab.admin.deleteServers('moved-1', 'moved-2', 'moved-3', 'moved-4');
  });
});
