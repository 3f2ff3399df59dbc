import { readdirSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { until } from '../cloud';
import { Lab, names, type Rows } from './lab';

jest.setTimeout(120_000);

let lab: Lab;

beforeAll(async () => {
  lab = await Lab.up();
  const file = lab.cloud.file('cirros.raw', Buffer.alloc(64 * 1024, 1));
  await lab.admin.run(`image create cirros --public --file ${file} --disk-format raw`);
  await lab.demo.run('network create lan');
  await lab.demo.run('subnet create --network lan --subnet-range 10.6.0.0/24 lan4');
  await lab.demo.boot('server create --image cirros --flavor m1.tiny --network lan c1');
}, 240_000);

afterAll(async () => {
  await lab.end();
}, 120_000);

const volume = (name: string): Promise<Record<string, unknown>> => lab.demo.json(`volume show ${name}`);
const turns = (name: string, status: string): Promise<void> => lab.demo.becomes(`volume show ${name}`, status);
async function made(line: string, name: string): Promise<Record<string, unknown>> {
  await lab.demo.run(`volume create ${line} ${name}`);
  await turns(name, 'available');
  return volume(name);
}
/** A create that no backend takes: what its owner is told. */
async function failed(line: string): Promise<string> {
  const { id } = await lab.demo.json<{ id: string }>(`volume create ${line} lost`);
  await until('its failure', async () => (await lab.demo.field(`volume show ${id}`, 'status')) === 'error');
  const messages = await lab.as({ OS_VOLUME_API_VERSION: '3.70' }).json<Rows>('volume message list');
  await lab.demo.run(`volume delete ${id}`);
  return JSON.stringify(messages.filter((message) => Object.values(message).includes(id)));
}

describe('chapter 8.2.1 to 8.2.5, the parts of Cinder', () => {
  it('S-8.2.1.1, S-8.2.2.1, S-8.2.5.3 the parts are up, on hosts; host, backend and pool make a name', async () => {
    const rows = await lab.admin.json<Rows>('volume service list');
    expect(names(rows, 'Binary')).toEqual(expect.arrayContaining(['cinder-scheduler', 'cinder-volume']));
    for (const row of rows)
      expect(row).toMatchObject({ Status: 'enabled', State: 'up', Host: expect.stringMatching(/\w/) });
    const backend = rows.find((row) => row['Binary'] === 'cinder-volume')?.['Host'];
    expect(backend).toMatch(/^\w+@\w+$/);
  });

  it('S-8.2.1.2, S-8.2.5.2 a pool tells its total and its free capacity', async () => {
    const session = await lab.cloud.session('admin');
    const { pools } = await session.get<{ pools: { name: string; capabilities: Record<string, unknown> }[] }>(
      `${session.endpoint('block-storage')}/scheduler-stats/get_pools?detail=true`,
    );
    expect(pools).toEqual([
      {
        name: expect.stringMatching(/^\w+@\w+#\w+$/),
        capabilities: expect.objectContaining({
          total_capacity_gb: expect.anything(),
          free_capacity_gb: expect.anything(),
        }),
      },
    ]);
  });

  it('S-8.2.5.1 cinder-api refuses bad requests', async () => {
    const session = await lab.cloud.session('demo');
    const url = `${session.endpoint('block-storage')}/volumes`;
    for (const size of [0, -1, 'big'])
      expect((await session.send('POST', url, { body: { volume: { size } } })).status).toBe(400);
  });

  it('S-8.2.3.1, S-8.2.6.2, S-8.2.6.3, S-8.2.6.4 a create goes from the API over the scheduler to the volume service', async () => {
    const first = await lab.demo.json('volume create --size 1 vol-1');
    expect(first).toMatchObject({ status: 'creating', size: 1, name: 'vol-1' });
    await turns('vol-1', 'available');
    await lab.flow(
      String(first['id']),
      [/client -> cinder POST .*\/volumes/, /=> cinder-scheduler create_volume/, /=> cinder-volume\S* create_volume/],
      /POST .*\/volumes$/,
    );
    expect(await lab.admin.json(`volume show ${String(first['id'])}`)).toMatchObject({
      'os-vol-host-attr:host': expect.stringMatching(/^\w+@\w+#\w+$/),
    });
  });

  it('S-8.2.0 volumes, snapshots and types are lists of one API', async () => {
    expect(await lab.demo.column('volume list', 'Name')).toEqual(['vol-1']);
    expect(await lab.demo.json<Rows>('volume snapshot list')).toEqual([]);
    expect(await lab.demo.column('volume type list', 'Name')).toContain('__DEFAULT__');
  });

  it('S-8.2.5.5, S-8.2.5.6 no backend is in a wanted zone that does not exist', async () => {
    expect(await lab.demo.refused('volume create --size 1 --availability-zone mars lost')).toMatch(
      /zone.*(400|invalid)/is,
    );
  });

  it('S-8.2.5.7, S-8.2.6.29 no backend has enough space, and the owner is told', async () => {
    await lab.admin.run('quota set --gigabytes -1 demo');
    expect(await failed('--size 9000000')).toMatch(/schedule|No storage|host/i);
  });

  it("S-8.2.5.8 a type's extra specs choose the backend", async () => {
    const [host = ''] = await lab.admin.column('volume service list --service cinder-volume', 'Host');
    const backend = host.split('@')[1] ?? '';
    await lab.admin.run(`volume type create --property volume_backend_name=${backend} here`);
    await lab.admin.run('volume type create --property volume_backend_name=nfs there');
    expect(await made('--size 1 --type here', 'typed')).toMatchObject({ type: 'here' });
    expect(await failed('--size 1 --type there')).toMatch(/schedule|No storage|host/i);
    await lab.demo.run('volume delete typed');
  });
});

describe('chapter 8.2.6, the life of volumes', () => {
  it('S-8.2.6.5, S-8.2.6.7 attach: reserved by Nova, connected by the compute host, in use', async () => {
    await lab.demo.run('server add volume c1 vol-1');
    await turns('vol-1', 'in-use');
    expect((await volume('vol-1'))['attachments']).toEqual([
      expect.objectContaining({
        device: expect.stringMatching(/^\/dev\/vd[b-z]$/),
        server_id: await lab.demo.field('server show c1', 'id'),
      }),
    ]);
    await lab.flow(await lab.request('c1', 'attach_volume'), [
      /client -> nova-api POST .*os-volume_attachments/,
      /-> cinder POST .*\/attachments/,
      /=> compute\S* attach_volume/,
      /-> cinder (PUT .*\/attachments|POST .*\/attachments\/.*\/action)/,
    ]);
  });

  it('S-8.2.6.11 a volume in use cannot be deleted', async () => {
    expect(await lab.demo.refused('volume delete vol-1')).toMatch(/400|Invalid volume/i);
    expect(await volume('vol-1')).toMatchObject({ status: 'in-use' });
  });

  it('S-8.2.6.12 a snapshot, by force of a volume in use', async () => {
    expect(await lab.demo.refused('volume snapshot create --volume vol-1 no')).toMatch(/400|in-use|must be available/i);
    await lab.demo.run('volume snapshot create --volume vol-1 --force vol-1-snapshot');
    await lab.demo.becomes('volume snapshot show vol-1-snapshot', 'available');
    expect(await lab.demo.json('volume snapshot show vol-1-snapshot')).toMatchObject({ size: 1 });
  });

  it('S-8.2.6.9 detach gives the volume back', async () => {
    await lab.demo.run('server remove volume c1 vol-1');
    await turns('vol-1', 'available');
    expect(await volume('vol-1')).toMatchObject({ attachments: [] });
    await lab.flow(await lab.request('c1', 'detach_volume'), [
      /=> compute\S* detach_volume/,
      /-> cinder DELETE .*\/attachments/,
    ]);
  });

  it('S-8.2.6.10 a volume is extended, never made smaller', async () => {
    await lab.demo.run('volume set --size 2 vol-1');
    await lab.demo.becomes('volume show vol-1', '2', 'size');
    await turns('vol-1', 'available');
    expect(await lab.demo.refused('volume set --size 1 vol-1')).toMatch(/400|New size|greater/i);
    expect(await volume('vol-1')).toMatchObject({ size: 2, status: 'available' });
  });

  it('S-8.2.6.14 a volume with snapshots stays', async () => {
    expect(await lab.demo.refused('volume delete vol-1')).toMatch(/400|snapshot/i);
    expect(await volume('vol-1')).toMatchObject({ status: 'available' });
  });

  it('S-8.2.6.13 a volume from a snapshot has at least its size', async () => {
    expect(await made('--snapshot vol-1-snapshot --size 3', 'back')).toMatchObject({
      size: 3,
      snapshot_id: expect.any(String),
    });
    await made('--size 2', 'large');
    await lab.demo.run('volume snapshot create --volume large large-snapshot');
    await lab.demo.becomes('volume snapshot show large-snapshot', 'available');
    // The client itself raises a smaller size.
    const session = await lab.cloud.session('demo');
    const snapshot = await lab.demo.field('volume snapshot show large-snapshot', 'id');
    const reply = await session.send('POST', `${session.endpoint('block-storage')}/volumes`, {
      body: { volume: { size: 1, snapshot_id: snapshot } },
    });
    expect(reply.status).toBe(400);
    await lab.demo.run('volume snapshot delete large-snapshot vol-1-snapshot');
    await until('no snapshots', async () => (await lab.demo.json<Rows>('volume snapshot list')).length === 0);
  });

  it('S-8.2.5.4 its life ends with delete', async () => {
    await lab.demo.run('volume delete back large');
    await until('them to go', async () => (await lab.demo.column('volume list', 'Name')).join() === 'vol-1');
  });

  it('S-8.2.6.20, S-8.2.6.21 a server boots from a volume, which outlives it and boots another', async () => {
    expect(await made('--size 1 --image cirros', 'root')).toMatchObject({ bootable: expect.stringMatching(/true/i) });
    for (const name of ['v1', 'v2']) {
      await lab.demo.boot(`server create --volume root --flavor m1.tiny --network lan ${name}`);
      expect(await lab.demo.json(`server show ${name}`)).toMatchObject({
        status: 'ACTIVE',
        image: expect.stringMatching(/booted from volume/),
      });
      expect(await volume('root')).toMatchObject({ status: 'in-use' });
      await lab.demo.deleteServers(name);
      await turns('root', 'available');
    }
    await lab.demo.run('volume delete root');
  });

  it('S-X.163 a snapshot of a server on a volume copies nothing: an image without data tells of a snapshot of the volume', async () => {
    await made('--size 1 --image cirros', 'root');
    await lab.demo.boot('server create --volume root --flavor m1.tiny --network lan v1');
    await lab.demo.run('server image create --name shot v1');
    await lab.demo.becomes('image show shot', 'active');
    const [snapshot = ''] = await lab.demo.column('volume snapshot list --volume root', 'ID');
    const image = await lab.demo.json<{ size: number; properties: { block_device_mapping: string } }>(
      'image show shot',
    );
    expect(image.size).toBe(0);
    expect(JSON.parse(image.properties.block_device_mapping)).toEqual([
      expect.objectContaining({ source_type: 'snapshot', snapshot_id: snapshot, boot_index: 0, volume_size: 1 }),
    ]);
    const lines = await lab.flow(await lab.request('v1', 'createImage'), [/-> cinder POST .*\/snapshots/]);
    expect(lines.filter((line) => /=> compute/.test(line))).toEqual([]);
    await lab.demo.boot('server create --image shot --flavor m1.tiny --network lan v2');
    const own = (await lab.demo.json<Rows>('server volume list v2'))[0]?.['Volume ID'];
    expect(await volume(String(own))).toMatchObject({ snapshot_id: snapshot, status: 'in-use' });
    await lab.demo.deleteServers('v1', 'v2');
    await turns(String(own), 'available');
    await lab.demo.run(`volume delete ${String(own)}`);
    await lab.demo.run(`volume snapshot delete ${snapshot}`);
    await until('no snapshots', async () => (await lab.demo.json<Rows>('volume snapshot list')).length === 0);
    await lab.demo.run('volume delete root');
    await lab.demo.run('image delete shot');
  });

  it('S-8.2.6.27 states allow some operations only; an administrator sets them', async () => {
    const id = String((await volume('vol-1'))['id']);
    for (const state of ['error', 'maintenance', 'creating']) {
      await lab.admin.run(`volume set --state ${state} ${id}`);
      // The client looks at the state itself before it asks.
      expect(await lab.demo.refused('volume set --size 4 vol-1')).toMatch(/must be available/);
    }
    expect(await lab.demo.refused('volume set --state available vol-1')).toMatch(/403|Policy/);
    await lab.admin.run(`volume set --state available ${id}`);
  });

  it('S-8.2.6.28 quotas for volumes, gigabytes and snapshots hold', async () => {
    await lab.admin.run('quota set --volumes 1 --gigabytes 5 --snapshots 0 demo');
    expect(await lab.demo.refused('volume create --size 1 over')).toMatch(/413|exceeds allowed/i);
    await lab.admin.run('quota set --volumes 10 demo');
    expect(await lab.demo.refused('volume create --size 9 over')).toMatch(/413|exceeds allowed/i);
    expect(await lab.demo.refused('volume snapshot create --volume vol-1 over')).toMatch(/413|exceeds allowed/i);
    expect(await lab.demo.column('volume list', 'Name')).toEqual(['vol-1']);
  });
});

describe('chapter 8.2.5 and 8.2.6, a second backend, and backups in a place of their own', () => {
  const SECOND = 'second';
  /** Where backups go, by a setting: what would be the mount of an NFS share. */
  let share: string;

  beforeAll(async () => {
    share = path.join(lab.cloud.state, 'share');
    await lab.configure('controller', 'cinder', (settings) => {
      settings['backup_posix_path'] = share;
      const state_path = path.join(lab.cloud.state, SECOND);
      settings['backends'] = [{ name: SECOND, driver: 'fake', state_path, fake: { capacity_gb: 500_000 } }];
    });
    await until('both backends', async () => {
      const states = await lab.admin.column('volume service list --service cinder-volume', 'State');
      return states.join() === 'up,up';
    });
    await lab.admin.run('quota set --volumes -1 --gigabytes -1 --snapshots -1 --backups -1 --backup-gigabytes -1 demo');
  }, 120_000);

  const backendOf = async (name: string): Promise<string> => {
    const host = await lab.admin.field(`volume show ${String((await volume(name))['id'])}`, 'os-vol-host-attr:host');
    return /@(\w+)#/.exec(host)?.[1] ?? host;
  };
  const backupOf = async (line: string, name: string): Promise<Record<string, unknown>> => {
    await lab.demo.run(`volume backup create ${line}`);
    await lab.demo.becomes(`volume backup show ${name}`, 'available');
    return lab.demo.json(`volume backup show ${name}`);
  };
  /** The ends of the names of a backup's files. */
  const filesOf = (backup: Record<string, unknown>): string[] =>
    readdirSync(path.join(share, String(backup['container'])))
      .map((name) => name.replace(/^volume_.*_backup_[0-9a-f-]{36}/, ''))
      .sort();
  /** What a volume holds, as the checksum of an image made of it. */
  const contentOf = async (name: string, image: string): Promise<string> => {
    await lab.demo.run(`image create --volume ${name} ${image}`);
    await lab.demo.becomes(`image show ${image}`, 'active');
    await turns(name, 'available');
    return lab.demo.field(`image show ${image}`, 'checksum');
  };
  let content: string;

  it('S-8.2.5.10 the pool with most free space wins', async () => {
    for (const name of ['w1', 'w2']) {
      await made('--size 1', name);
      expect(await backendOf(name)).toBe(SECOND);
    }
  });

  it('S-8.2.5.9 hints keep a volume away from others, or with them', async () => {
    const w1 = String((await volume('w1'))['id']);
    await made(`--size 1 --hint different_host=${w1}`, 'apart');
    expect(await backendOf('apart')).toBe('fake');
    await made(`--size 1 --hint same_host=${String((await volume('apart'))['id'])}`, 'near');
    expect(await backendOf('near')).toBe('fake');
    await lab.demo.run('volume delete w1 w2 apart near');
  });

  it('S-8.2.5.11 backups are made by a service of their own', async () => {
    expect(await lab.admin.json<Rows>('volume service list --service cinder-backup')).toEqual([
      expect.objectContaining({ Binary: 'cinder-backup', Status: 'enabled', State: 'up' }),
    ]);
  });

  it('S-8.2.6.16, S-8.2.6.17 a backup of a volume in use, by force, is files where a setting says', async () => {
    await made('--size 1 --image cirros', 'kept');
    content = await contentOf('kept', 'before');
    await lab.demo.run('server add volume c1 kept');
    await turns('kept', 'in-use');
    expect(await lab.demo.refused('volume backup create --name no kept')).toMatch(/400|force/i);
    const full = await backupOf('--force --name full kept', 'full');
    expect(full).toMatchObject({ is_incremental: false, object_count: 1, size: 1 });
    expect(filesOf(full)).toEqual(['-00001', '_metadata', '_sha256file']);
    expect(await volume('kept')).toMatchObject({ status: 'in-use' });
    await lab.flow(
      String(full['id']),
      [/client -> cinder POST .*\/backups/, /=> cinder-volume\S* get_backup_device/, /=> cinder create_backup/],
      /POST .*\/backups$/,
    );
  });

  it('S-8.2.6.18 an incremental backup holds what has changed alone, and needs the one before', async () => {
    const change = await backupOf('--force --incremental --name change kept', 'change');
    expect(change).toMatchObject({ is_incremental: true, object_count: 0 });
    expect(filesOf(change)).toEqual(['_metadata', '_sha256file']);
    expect(await lab.demo.refused('volume backup delete full')).toMatch(/400|Incremental/i);
  });

  it('S-8.2.6.15, S-8.2.6.19 backups outlive their volume: restored, it holds the same and boots a server', async () => {
    await lab.demo.run('server remove volume c1 kept');
    await turns('kept', 'available');
    await lab.demo.run('volume delete kept');
    await until('it to go', async () => !(await lab.demo.column('volume list', 'Name')).includes('kept'));
    // This client fails to print the answer.
    await lab.demo.try('volume backup restore change kept');
    await lab.demo.becomes('volume backup show change', 'available');
    await turns('kept', 'available');
    expect(await volume('kept')).toMatchObject({ bootable: 'true', size: 1 });
    expect(await contentOf('kept', 'after')).toBe(content);
    await lab.demo.boot('server create --volume kept --flavor m1.tiny --network lan v3');
    await lab.demo.run('volume backup delete change');
    await until('one to go', async () => (await lab.demo.column('volume backup list', 'Name')).join() === 'full');
    await lab.demo.run('volume backup delete full');
    await until('no backups', async () => (await lab.demo.json<Rows>('volume backup list')).length === 0);
    expect(readdirSync(share)).toEqual([]);
  });
});
