import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { ROOT, until } from '../cloud';
import { Lab, names, type Rows } from './lab';

jest.setTimeout(120_000);

let lab: Lab;

beforeAll(async () => {
  lab = await Lab.up();
  const file = lab.cloud.file('cirros.raw', Buffer.alloc(64 * 1024, 1));
  await lab.admin.run(`image create cirros --public --file ${file} --disk-format raw`);
  await lab.demo.run('network create lan');
  await lab.demo.run('subnet create --network lan --subnet-range 10.5.0.0/24 lan4');
}, 240_000);

afterAll(async () => {
  await lab.end();
}, 120_000);

const shown = (name = 'c1'): Promise<Record<string, unknown>> => lab.demo.json(`server show ${name}`);
const turns = (status: string, name = 'c1'): Promise<void> => lab.demo.becomes(`server show ${name}`, status);
/** Runs a command and waits for the status that it leads to; the way of its request. */
async function operation(
  command: string,
  status: string,
  action: string,
  patterns: readonly RegExp[],
): Promise<string[]> {
  await lab.demo.run(`server ${command} c1`);
  await turns(status);
  return lab.flow(await lab.request('c1', action), patterns);
}
const power = async (): Promise<unknown> => (await shown())['OS-EXT-STS:power_state'];
const API = /client -> nova-api POST .*\/action/;

describe('chapter 7.3.1, logs', () => {
  it('S-7.3.2.1, S-7.2.3.9 a launch goes from BUILD to ACTIVE', async () => {
    const made = await lab.demo.json('server create --image cirros --flavor m1.tiny --network lan c1');
    expect(made).toMatchObject({ status: 'BUILD' });
    await turns('ACTIVE');
    expect(await shown()).toMatchObject({ 'OS-EXT-STS:vm_state': 'active', 'OS-EXT-STS:task_state': null });
    const request = await lab.request('c1', 'create');
    await lab.flow(request, [
      /client -> nova-api POST .*\/servers/,
      /scheduler select_destinations/,
      /build_and_run_instance/,
      /server\.create\/active/,
    ]);
    const event = await lab.admin.json(`server event show ${String((await shown())['id'])} ${request}`);
    expect(JSON.stringify(event['events'])).toContain('compute__do_build_and_run_instance');
  });

  it('S-7.2.3.8 its port is made, bound and plugged', async () => {
    await lab.flow(await lab.request('c1', 'create'), [
      /conductor -> neutron POST \/ports/,
      /neutron-agent/,
      /neutron -> nova-api POST \/os-server-external-events/,
    ]);
    const ports = await lab.demo.json<Rows>('port list --server c1');
    expect(ports).toEqual([
      expect.objectContaining({ Status: 'ACTIVE', 'MAC Address': expect.stringMatching(/^fa:16:3e:/) }),
    ]);
    const id = String(ports[0]?.['ID']);
    expect(await lab.admin.json(`port show ${id}`)).toMatchObject({
      binding_host_id: expect.stringMatching(/\w/),
      device_owner: 'compute:nova',
    });
  });

  it('S-7.3.1.1 logs are in one place, a file for each process', async () => {
    for (const { name } of await lab.cloud.processes())
      expect(readFileSync(path.join(lab.cloud.state, 'log', `${name}.log`), 'utf8')).not.toBe('');
  });

  it('S-7.3.1.2, S-7.3.1.3 log lines have one form, with level, service and ids', async () => {
    const { stdout } = await lab.cloud.nestack('logs', 'controller', '--lines', '2000');
    const lines = stdout.trimEnd().split('\n');
    const form = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ (DEBUG|INFO |WARN |ERROR) [\w-]+ \[(-|req-[^\]]+)\] \S/;
    const good = lines.filter((line) => form.test(line));
    expect(lines.length).toBeGreaterThan(50);
    expect(good.length / lines.length).toBeGreaterThan(0.99);
    for (const service of ['nova-api', 'nova-conductor', 'nova-scheduler', 'nova-compute'])
      expect((await lab.logs(service)).every((line) => line.service === service)).toBe(true);
  });

  it('S-7.3.1.4 a request id leads through the logs of all services', async () => {
    const request = await lab.request('c1', 'create');
    await until('lines of all services', async () => {
      const services = new Set(
        (await lab.logs()).filter((line) => line.request_id === request).map((line) => line.service),
      );
      return ['nova-api', 'nova-conductor', 'nova-scheduler', 'nova-compute'].every((name) => services.has(name));
    });
  });

  it('S-7.3.1.5 a message of the trace is found in the declarations', async () => {
    const lines = await lab.flow(await lab.request('c1', 'create'), [/build_and_run_instance/]);
    const declared = readFileSync(path.join(ROOT, 'docs/api/nova.txt'), 'utf8');
    const methods = lines.flatMap((line) => / => (?:compute\S*|scheduler) (\w+)/.exec(line)?.[1] ?? []);
    expect(methods.length).toBeGreaterThan(1);
    for (const method of methods) expect(declared).toContain(method);
  });

  it('S-7.3.2.2 a launch for which no host fits ends in ERROR with its reason', async () => {
    await lab.admin.run('flavor create --ram 90000000 --disk 1 --vcpus 1 huge');
    await lab.admin.run('quota set --ram -1 demo');
    await lab.demo.run('server create --image cirros --flavor huge --network lan lost');
    await turns('ERROR', 'lost');
    expect(JSON.stringify((await shown('lost'))['fault'])).toMatch(/No valid host was found/);
    await lab.demo.deleteServers('lost');
  });

  it('S-7.3.2.3 a server has a console log and a list of its actions', async () => {
    expect(await lab.demo.run('console log show c1')).toEqual(expect.any(String));
    expect(await lab.demo.json<Rows>('server event list c1')).toEqual([
      expect.objectContaining({ Action: 'create', 'Request ID': expect.stringMatching(/^req-/) }),
    ]);
  });
});

describe('chapter 7.3.3 to 7.3.9, power and memory', () => {
  it('S-7.3.3.1 stop goes from the API to the compute host, past the scheduler', async () => {
    const lines = await operation('stop', 'SHUTOFF', 'stop', [API, /=> compute\S* stop_instance/]);
    expect(lines.filter((line) => line.includes('scheduler'))).toEqual([]);
    expect(await shown()).toMatchObject({ 'OS-EXT-STS:vm_state': 'stopped' });
    expect(String(await power())).toMatch(/4|Shutdown/);
  });

  it('S-7.3.3.2 the log shows the API before the compute host', async () => {
    const request = await lab.request('c1', 'stop');
    const seen = await until('both', async () => {
      const lines = (await lab.logs())
        .filter((line) => line.request_id === request)
        .sort((a, b) => a.ts.localeCompare(b.ts));
      const [api, compute] = ['nova-api', 'nova-compute'].map(
        (name) => lines.find((line) => line.service === name)?.ts,
      );
      return api !== undefined && compute !== undefined ? { api, compute } : null;
    });
    expect(seen.api <= seen.compute).toBe(true);
  });

  it('S-7.3.4.1 start brings it back', async () => {
    await operation('start', 'ACTIVE', 'start', [API, /=> compute\S* start_instance/]);
    expect(String(await power())).toMatch(/1|Running/);
  });

  it('S-7.3.5.1 a soft reboot', async () => {
    await operation('reboot --soft', 'ACTIVE', 'reboot', [API, /=> compute\S* reboot_instance/]);
  });

  it('S-7.3.5.2, S-7.3.5.3 a hard reboot, found in the log by its action', async () => {
    await operation('reboot --hard', 'ACTIVE', 'reboot', [API, /=> compute\S* reboot_instance/]);
    const request = await lab.request('c1', 'reboot');
    await until('the line of the API', async () =>
      (await lab.logs('nova-api')).some(
        (line) => line.request_id === request && JSON.stringify(line).includes('/action'),
      ),
    );
  });

  it('S-7.3.6.1, S-7.3.6.2 a locked server refuses changes until it is unlocked; an administrator needs no key', async () => {
    await lab.demo.run('server lock c1');
    expect(await lab.demo.refused('server reboot c1')).toMatch(/locked.*409/s);
    expect(await lab.demo.refused('server delete c1')).toMatch(/locked.*409/s);
    const id = String((await shown())['id']);
    await lab.admin.run(`server pause ${id}`);
    await turns('PAUSED');
    await lab.admin.run(`server unpause ${id}`);
    await turns('ACTIVE');
    await lab.demo.run('server unlock c1');
    await lab.demo.run('server reboot c1');
    await turns('ACTIVE');
  });

  it('S-7.3.8.1, S-7.3.8.2 pause keeps the guest in memory, unpause goes on', async () => {
    await operation('pause', 'PAUSED', 'pause', [API, /=> compute\S* pause_instance/]);
    expect(String(await power())).toMatch(/3|Paused/);
    await operation('unpause', 'ACTIVE', 'unpause', [API, /=> compute\S* unpause_instance/]);
  });

  it('S-7.3.9.1, S-7.3.9.2, S-7.3.19.3 suspend saves to disk, keeps what is claimed, and resume brings back', async () => {
    await operation('suspend', 'SUSPENDED', 'suspend', [API, /=> compute\S* suspend_instance/]);
    expect(String(await power())).toMatch(/4|7|Shutdown|Suspended/);
    const used = await lab.demo.json<Rows>('limits show --absolute');
    expect(used).toContainEqual({ Name: 'totalInstancesUsed', Value: 1 });
    await operation('resume', 'ACTIVE', 'resume', [API, /=> compute\S* resume_instance/]);
  });
});

describe('chapter 7.3.10 to 7.3.16, disks and sizes', () => {
  it('S-7.3.10.1, S-7.3.10.2 rescue boots from another disk, unrescue from its own again', async () => {
    await operation('rescue', 'RESCUE', 'rescue', [API, /=> compute\S* rescue_instance/]);
    expect(await shown()).toMatchObject({ 'OS-EXT-STS:vm_state': 'rescued' });
    await operation('unrescue', 'ACTIVE', 'unrescue', [API, /=> compute\S* unrescue_instance/]);
  });

  it('S-7.3.11.1 a snapshot becomes an image', async () => {
    await lab.demo.run('server image create --name shot c1');
    await lab.demo.becomes('image show shot', 'active');
    expect(await lab.demo.json('image show shot')).toMatchObject({
      status: 'active',
      properties: expect.objectContaining({
        image_type: 'snapshot',
        instance_uuid: (await shown())['id'],
        base_image_ref: await lab.demo.field('image show cirros', 'id'),
      }),
    });
    await lab.flow(await lab.request('c1', 'createImage'), [
      API,
      /=> compute\S* snapshot_instance/,
      /compute\S* -> glance PUT .*\/file/,
    ]);
    expect(await shown()).toMatchObject({ status: 'ACTIVE', 'OS-EXT-STS:task_state': null });
  });

  it('S-7.3.12.1 rebuild keeps id and address', async () => {
    const before = await shown();
    await lab.demo.run('server rebuild --image shot c1');
    await turns('ACTIVE');
    const after = await shown();
    expect(after).toMatchObject({ id: before['id'], addresses: before['addresses'], status: 'ACTIVE' });
    expect(String(after['image'])).toContain('shot');
    await lab.flow(await lab.request('c1', 'rebuild'), [API, /=> compute\S* rebuild_instance/]);
  });

  it('S-7.3.13.1 shelve frees the host and keeps an image', async () => {
    const id = String((await shown())['id']);
    const before = await shown();
    await operation('shelve', 'SHELVED_OFFLOADED', 'shelve', [
      API,
      /=> compute\S* snapshot_instance/,
      /=> compute\S* terminate_instance/,
      /placement DELETE \/allocations/,
    ]);
    expect(await lab.demo.json('image show c1-shelved')).toMatchObject({ status: 'active' });
    const session = await lab.cloud.session('admin');
    expect(await session.get(`${session.endpoint('placement')}/allocations/${id}`)).toMatchObject({ allocations: {} });
    expect(await lab.admin.json(`server show ${id}`)).toMatchObject({ 'OS-EXT-SRV-ATTR:host': null });
    expect((await shown())['addresses']).toEqual(before['addresses']);
  });

  it('S-7.3.14.1 unshelve schedules anew and removes the image', async () => {
    const before = await shown();
    const lines = await operation('unshelve', 'ACTIVE', 'unshelve', [
      API,
      /=> scheduler select_destinations/,
      /=> compute\S* build_and_run_instance/,
      /glance DELETE \/images/,
    ]);
    expect(lines.length).toBeGreaterThan(0);
    await until(
      'the image to go',
      async () => (await lab.demo.column('image list --name c1-shelved', 'ID')).length === 0,
    );
    expect((await shown())['addresses']).toEqual(before['addresses']);
  });

  it('S-7.3.16.2, S-7.3.16.3 resize on the same host: revert brings the old flavor, confirm keeps the new', async () => {
    await lab.demo.run('server resize --flavor m1.small c1');
    await turns('VERIFY_RESIZE');
    expect(String((await shown())['flavor'])).toContain('m1.small');
    await lab.demo.run('server resize revert c1');
    await turns('ACTIVE');
    expect(String((await shown())['flavor'])).toContain('m1.tiny');
    await lab.demo.run('server resize --flavor m1.small c1');
    await turns('VERIFY_RESIZE');
    await lab.demo.run('server resize confirm c1');
    await turns('ACTIVE');
    expect(String((await shown())['flavor'])).toContain('m1.small');
    await lab.flow(await lab.request('c1', 'resize'), [
      API,
      /=> scheduler select_destinations/,
      /=> compute\S* (prep_resize|resize_instance)/,
    ]);
  });

  it('S-7.3.16.4 a smaller disk is refused', async () => {
    await lab.demo.try('server resize --flavor m1.tiny c1');
    await until('the server to be at rest', async () => (await shown())['OS-EXT-STS:task_state'] === null);
    expect(await shown()).toMatchObject({ status: 'ACTIVE' });
    expect(String((await shown())['flavor'])).toContain('m1.small');
  });
});

describe('chapter 7.3.15 and 7.3.16, from host to host', () => {
  let id: string;
  let hosts: readonly string[];

  beforeAll(async () => {
    const added = await lab.cloud.nestack('compute', 'add', 'node-2');
    if (added.code !== 0) throw new Error(`${added.stdout}${added.stderr}`);
    id = String((await shown())['id']);
    hosts = await lab.admin.column('hypervisor list', 'Hypervisor Hostname');
  }, 240_000);

  const host = (): Promise<string> => lab.admin.field(`server show ${id}`, 'OS-EXT-SRV-ATTR:host');
  const other = (than: string): string => hosts.find((one) => one !== than) ?? '';
  const states = (): Promise<string> => lab.demo.field(`server show ${id}`, 'OS-EXT-STS:task_state');
  /** The memory that each host holds for the server and for what it may go back to. */
  async function held(): Promise<Record<string, number>> {
    const session = await lab.cloud.session('admin');
    const placement = session.endpoint('placement');
    const { resource_providers: found } = await session.get<{ resource_providers: { uuid: string; name: string }[] }>(
      `${placement}/resource_providers`,
    );
    const usages = found.map(async ({ uuid, name }) => {
      const told = await session.get<{ usages: Record<string, number> }>(
        `${placement}/resource_providers/${uuid}/usages`,
      );
      return [name, told.usages['MEMORY_MB'] ?? 0] as const;
    });
    return Object.fromEntries(await Promise.all(usages));
  }
  /** The messages of a move. */
  const way = (from: string, to: string): readonly RegExp[] => [
    API,
    /=> scheduler select_destinations/,
    new RegExp(`=> compute@${to} prep_resize`),
    new RegExp(`=> compute@${from} resize_instance`),
    new RegExp(`=> compute@${to} finish_resize`),
    new RegExp(`compute@${to} => compute@${from} open_disks`),
  ];

  it('S-7.3.15.1 a cold migration moves a server to another host', async () => {
    const from = await host();
    const before = await shown();
    expect(await lab.demo.refused(`server migrate ${id}`)).toMatch(/403/);
    await lab.admin.run(`server migrate ${id}`);
    await turns('VERIFY_RESIZE');
    expect(await host()).toBe(other(from));
    expect(await shown()).toMatchObject({
      'OS-EXT-STS:vm_state': 'resized',
      addresses: before['addresses'],
      flavor: before['flavor'],
    });
    expect(await held()).toEqual({ [from]: 2048, [other(from)]: 2048 });
    await lab.flow(await lab.request('c1', 'migrate'), way(from, other(from)));
    const ports = await lab.admin.json<Rows>(`port list --server ${id}`);
    expect(await lab.admin.json(`port show ${String(ports[0]?.['ID'])}`)).toMatchObject({
      status: 'ACTIVE',
      binding_host_id: other(from),
    });
  });

  it('S-7.3.15.4 confirming a migration clears the source', async () => {
    const to = await host();
    await operation('resize confirm', 'ACTIVE', 'confirmResize', [API, /=> compute\S* confirm_resize/]);
    const request = await lab.request('c1', 'confirmResize');
    await until('the source to be asked', async () =>
      (await lab.logs('nova-compute')).some((line) => line.request_id === request && line['host'] === other(to)),
    );
    expect(await held()).toEqual({ [to]: 2048, [other(to)]: 0 });
    expect(await lab.newAdmin.json<Rows>(`server migration list --server ${id} --type cold-migration`)).toEqual([
      expect.objectContaining({ Status: 'confirmed', 'Source Compute': other(to), 'Dest Compute': to }),
    ]);
  });

  it('S-7.3.15.2 a migration never ends on the host where it began', async () => {
    const from = await host();
    expect(await lab.newAdmin.refused(`server migrate --host ${from} ${id}`)).toMatch(/400/);
    await lab.admin.run(`compute service set --disable ${other(from)} nova-compute`);
    await lab.admin.run(`server migrate ${id}`);
    await until('the migration to end', async () => (await states()) === 'None');
    expect([await host(), (await shown())['status']]).toEqual([from, 'ACTIVE']);
    const event = await lab.newAdmin.json(`server event show ${id} ${await lab.request('c1', 'migrate')}`);
    expect(JSON.stringify(event)).toMatch(/No valid host/);
    expect(await held()).toEqual({ [from]: 2048, [other(from)]: 0 });
    await lab.admin.run(`compute service set --enable ${other(from)} nova-compute`);
  });

  it('S-7.3.16.1 resize is scheduled like a migration', async () => {
    const from = await host();
    await lab.demo.run('server resize --flavor m1.medium c1');
    await turns('VERIFY_RESIZE');
    await lab.flow(await lab.request('c1', 'resize'), way(from, other(from)));
    expect(await host()).toBe(other(from));
    expect(String((await shown())['flavor'])).toContain('m1.medium');
    expect(await held()).toEqual({ [from]: 2048, [other(from)]: 4096 });
  });

  it('S-7.3.15.5 reverting goes back', async () => {
    const to = await host();
    await operation('resize revert', 'ACTIVE', 'revertResize', [
      API,
      new RegExp(`=> compute@${to} revert_resize`),
      new RegExp(`=> compute@${other(to)} finish_revert_resize`),
    ]);
    expect(await host()).toBe(other(to));
    expect(String((await shown())['flavor'])).toContain('m1.small');
    expect(await held()).toEqual({ [to]: 0, [other(to)]: 2048 });
  });
});

describe('chapter 7.3.19, all operations', () => {
  it('S-7.3.19.1 each operation is allowed in some states only', async () => {
    const refusedIn = async (state: string, commands: readonly string[]): Promise<void> => {
      for (const command of commands)
        expect([state, command, await lab.demo.refused(`server ${command} c1`)]).toEqual([
          state,
          command,
          expect.stringMatching(/409/),
        ]);
    };
    await refusedIn('ACTIVE', ['start', 'unpause', 'resume', 'unrescue', 'resize confirm', 'resize revert']);
    await lab.demo.run('server stop c1');
    await turns('SHUTOFF');
    await refusedIn('SHUTOFF', ['stop', 'pause', 'suspend', 'unpause', 'resume', 'unrescue']);
    await lab.demo.run('server start c1');
    await turns('ACTIVE');
    await lab.demo.run('server pause c1');
    await turns('PAUSED');
    await refusedIn('PAUSED', ['pause', 'suspend', 'start', 'resume', 'resize --flavor m1.medium']);
    await lab.demo.run('server unpause c1');
    await turns('ACTIVE');
  });

  it('S-7.3.7.1, S-7.2.3.3 termination releases everything; its life is in its actions', async () => {
    const id = String((await shown())['id']);
    const actions = names(await lab.demo.json<Rows>('server event list c1'), 'Action');
    expect(actions).toEqual(
      expect.arrayContaining([
        'create',
        'stop',
        'start',
        'reboot',
        'pause',
        'unpause',
        'suspend',
        'resume',
        'rescue',
        'rebuild',
        'shelve',
        'resize',
      ]),
    );
    await lab.demo.deleteServers('c1');
    expect(await lab.demo.refused(`server show ${id}`)).toMatch(/No server/i);
    await lab.flow(id, [/nova-api DELETE/, /=> compute\S* terminate_instance/, /-> neutron DELETE \/ports/], /DELETE/);
    expect(await lab.demo.json<Rows>('port list --network lan --device-owner compute:nova')).toEqual([]);
    const session = await lab.cloud.session('admin');
    expect(await session.get(`${session.endpoint('placement')}/allocations/${id}`)).toMatchObject({ allocations: {} });
    expect(await lab.demo.json<Rows>('limits show --absolute')).toContainEqual({
      Name: 'totalInstancesUsed',
      Value: 0,
    });
  });
});

describe('chapter 7.3.13, shelving for a while', () => {
  it('S-7.3.13.2 a shelved server is offloaded later', async () => {
    await lab.configure('controller', 'nova-conductor', (settings) => {
      settings['shelved_offload_time'] = 5;
    });
    await lab.demo.run('server create --image cirros --flavor m1.tiny --network lan k1');
    await turns('ACTIVE', 'k1');
    await lab.demo.run('server shelve k1');
    await turns('SHELVED_OFFLOADED', 'k1');
    const actions = names(await lab.demo.json<Rows>('server event list k1'), 'Action');
    expect(actions).toEqual(['shelveOffload', 'shelve', 'create']);
    const shelved = await lab.flow(await lab.request('k1', 'shelve'), [API, /=> compute\S* upload_snapshot/]);
    expect(shelved.join('\n')).not.toContain('terminate_instance');
    const offload = await lab.request('k1', 'shelveOffload');
    await lab.flow(offload, [/=> compute\S* terminate_instance/, /placement DELETE \/allocations/]);
    await lab.demo.deleteServers('k1');
    expect(await lab.demo.json<Rows>('image list --name k1-shelved')).toEqual([]);
  });
});
