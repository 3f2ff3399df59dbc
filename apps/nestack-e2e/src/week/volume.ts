import { describe, expect, it } from '@jest/globals';
import { until } from '../cloud';
import { listed, lower, type Rows, type Week } from './week';

/** Volumes, their snapshots, kinds and owners. */
export function volumeWeek(week: Week): void {
  const becomes = (name: string, wanted = 'available'): Promise<boolean> =>
    until(`${name} to be ${wanted}`, async () => (await week.demo.field(`volume show ${name}`, 'status')) === wanted);

  describe('volume', () => {
    it('makes volumes in every form, lists them with every filter, changes them', async () => {
      const { demo, admin } = week;
      const file = week.cloud.file('boot.raw', Buffer.alloc(64 * 1024, 9));
      await demo.run(`image create --file ${file} --disk-format raw bootimg`);
      await demo.run('volume create --size 1 --description d --property a=b --availability-zone nova vol');
      const id = await demo.field('volume show vol', 'id');
      await becomes(id);
      await demo.run('volume set --name vol1 --description e --property c=d --bootable --image-property os=lab vol');
      expect(await demo.json('volume show vol1')).toMatchObject({
        description: 'e',
        properties: { a: 'b', c: 'd' },
        bootable: expect.anything(),
        size: 1,
      });
      await demo.run('volume unset --property a --image-property os vol1');
      await demo.run('volume set --non-bootable --read-only vol1');
      await demo.run('volume set --read-write vol1');
      await demo.run('volume set --size 2 vol1');
      await until('2 GiB', async () => (await demo.field('volume show vol1', 'size')) === '2');
      await becomes(id);
      await demo.run('volume create --size 1 --image bootimg fromimage');
      await demo.run('volume create --source vol1 fromvolume');
      for (const name of ['fromimage', 'fromvolume']) await becomes(name);
      expect(await demo.json('volume show fromimage')).toMatchObject({
        volume_image_metadata: expect.objectContaining({ image_name: 'bootimg' }),
      });
      await listed(demo, 'volume list', ['--name vol1', '--status available', '--long'], 'vol1');
      expect(await admin.column('volume list --all-projects', 'Name')).toContain('vol1');
      expect(await admin.column('volume list --project demo', 'Name')).toContain('vol1');
      // The newest takes the limit for that of a page, and goes on.
      if (week.label === 'distribution') expect(await demo.column('volume list --limit 1', 'Name')).toHaveLength(1);
      if (week.has('volume summary'))
        expect(await week.newDemo.json('volume summary')).toMatchObject({
          'Total Count': 3,
          'Total Size': expect.any(Number),
        });
      await demo.run('volume delete fromimage fromvolume');
      await demo.run('image create --volume vol1 --disk-format raw fromvol');
      await until(
        'an image of the volume',
        async () => (await demo.field('image show fromvol', 'status')) === 'active',
      );
      await becomes(id);
      await demo.run('image delete bootimg fromvol');
    });

    it('snapshots, and goes back', async () => {
      const { demo } = week;
      await demo.run('volume snapshot create --volume vol1 --description s --property k=v snap');
      await until('a snapshot', async () => (await demo.field('volume snapshot show snap', 'status')) === 'available');
      await demo.run('volume snapshot set --name snap1 --description ss --property l=m snap');
      await demo.run('volume snapshot unset --property k snap1');
      expect(await demo.json('volume snapshot show snap1')).toMatchObject({ description: 'ss', size: 2 });
      await listed(
        demo,
        'volume snapshot list',
        ['--volume vol1', '--name snap1', '--status available', '--long'],
        'snap1',
      );
      expect(await demo.refused('volume delete vol1')).toMatch(/400|snapshot/i);
      await demo.run('volume create --snapshot snap1 fromsnap');
      await becomes('fromsnap');
      await demo.run('volume delete fromsnap');
      await demo.run('volume snapshot delete snap1');
      await until('no snapshot', async () => (await demo.json<Rows>('volume snapshot list')).length === 0);
    });

    it('keeps types, their rights and QoS', async () => {
      const { admin, demo } = week;
      await admin.run('volume type create --public --description t --property speed=fast type');
      await admin.run('volume type set --name type1 --property colour=red --description tt type');
      expect(await admin.json('volume type show type1')).toMatchObject({
        properties: { colour: 'red', speed: 'fast' },
      });
      await admin.run('volume type unset --property speed --property colour type1');
      expect(await demo.column('volume type list --public', 'Name')).toEqual(
        expect.arrayContaining(['__DEFAULT__', 'type1']),
      );
      await admin.run('volume type create --private hidden');
      await admin.run('volume type set --project demo hidden');
      expect(await demo.column('volume type list', 'Name')).toContain('hidden');
      await admin.run('volume type unset --project demo hidden');
      expect(await demo.column('volume type list', 'Name')).not.toContain('hidden');
      expect(await demo.column('volume type list --default', 'Name')).toEqual(['__DEFAULT__']);
      // There is one backend; moves between several have tests of their own.
      const id = await demo.field('volume show vol1', 'id');
      const host = await admin.field(`volume show ${id}`, 'os-vol-host-attr:host');
      expect(await admin.refused(`volume migrate --host ${host} ${id}`)).toMatch(/400|must be different/i);
      await demo.run('volume set --type type1 --retype-policy never vol1');
      await until('the new type', async () => (await demo.field('volume show vol1', 'type')) === 'type1');
      await admin.run('volume qos create --consumer front-end --property read_iops_sec=100 qos');
      await admin.run('volume qos set --property write_iops_sec=50 qos');
      await admin.run('volume qos unset --property read_iops_sec qos');
      await admin.run('volume qos associate qos type1');
      expect(await admin.json('volume qos show qos')).toMatchObject({
        consumer: 'front-end',
        properties: { write_iops_sec: '50' },
        associations: ['type1'],
      });
      expect(await admin.column('volume qos list', 'Name')).toContain('qos');
      await admin.run('volume qos disassociate --all qos');
      await admin.run('volume qos delete qos');
      await admin.run('volume type delete hidden');
    });

    it('hands volumes over to another project', async () => {
      const { demo, admin } = week;
      await demo.run('volume create --size 1 gift');
      await becomes('gift');
      const request = await demo.json('volume transfer request create --name t1 gift');
      expect(request).toMatchObject({ auth_key: expect.any(String), name: 't1' });
      expect(await demo.column('volume transfer request list', 'Name')).toEqual(['t1']);
      expect(await demo.json(`volume transfer request show ${String(request['id'])}`)).toMatchObject({ name: 't1' });
      await demo.run(`volume transfer request delete ${String(request['id'])}`);
      const again = await demo.json('volume transfer request create --name t2 gift');
      await admin.run(`volume transfer request accept --auth-key ${String(again['auth_key'])} ${String(again['id'])}`);
      expect(await admin.column('volume list', 'Name')).toContain('gift');
      await admin.run('volume delete gift');
    });

    it('shows services, pools, messages, filters and limits; an administrator sets states', async () => {
      const { admin, newAdmin, demo, newDemo } = week;
      const services = await admin.json<Rows>('volume service list');
      expect(services.map((service) => service['Binary'])).toEqual(
        expect.arrayContaining(['cinder-scheduler', 'cinder-volume']),
      );
      const host = String(services.find((service) => service['Binary'] === 'cinder-volume')?.['Host']);
      await admin.run(`volume service set --disable --disable-reason repair ${host} cinder-volume`);
      expect(await admin.json<Rows>('volume service list --service cinder-volume --long')).toEqual([
        expect.objectContaining({ Status: 'disabled', 'Disabled Reason': 'repair' }),
      ]);
      await admin.run(`volume service set --enable ${host} cinder-volume`);
      await admin.run(`volume host set --disable ${host}`);
      await admin.run(`volume host set --enable ${host}`);
      if (week.has('volume backend pool list')) {
        expect(await admin.json<Rows>('volume backend pool list --long')).toEqual([
          expect.objectContaining({ Name: expect.stringContaining(host) }),
        ]);
        expect(await admin.json<Rows>(`volume backend capability show ${host}`)).toEqual(expect.any(Array));
      }
      await newAdmin.run('quota set --gigabytes -1 demo');
      await demo.run('volume create --size 9000000 huge');
      await until('a failure', async () => (await demo.field('volume show huge', 'status')) === 'error');
      const [message = ''] = await newDemo.column('volume message list', 'ID');
      expect(await newDemo.column('volume message list', 'Message Level')).toEqual(['ERROR']);
      // The newest looks for what is shown below a key that cinder does not use, and finds the id only.
      expect(lower(await newDemo.json(`volume message show ${message}`))).toMatchObject(
        week.label === 'newest' ? { id: message } : { message_level: 'ERROR' },
      );
      await newDemo.run(`volume message delete ${message}`);
      await demo.run('volume delete huge');
      expect((await newAdmin.json<Rows>('block storage resource filter list')).length).toBeGreaterThan(0);
      await admin.run(`volume set --state error ${await demo.field('volume show vol1', 'id')}`);
      expect(await demo.field('volume show vol1', 'status')).toBe('error');
      await admin.run(`volume set --state available ${await demo.field('volume show vol1', 'id')}`);
      expect(await admin.json<Rows>('availability zone list --volume')).toEqual([
        expect.objectContaining({ 'Zone Name': 'nova', 'Zone Status': 'available' }),
      ]);
      expect((await admin.column('extension list --volume', 'Alias')).length).toBeGreaterThan(0);
    });

    it('attaches by the attachments API', async () => {
      const { newDemo, demo } = week;
      const image = week.cloud.file('att.raw', Buffer.alloc(64 * 1024, 2));
      await demo.run(`image create --file ${image} --disk-format raw attimg`);
      await newDemo.boot('server create --image attimg --flavor m1.tiny --nic none holder');
      const made = await newDemo.json('volume attachment create --mode rw vol1 holder');
      const id = String(made['ID']);
      expect(await demo.field('volume show vol1', 'status')).toBe('reserved');
      await newDemo.run(`volume attachment set --host client --ip 127.0.0.1 --initiator iqn.2026-11.lab:c ${id}`);
      await newDemo.run(`volume attachment complete ${id}`);
      expect(await newDemo.json(`volume attachment show ${id}`)).toMatchObject({ Status: 'attached', ID: id });
      expect(await newDemo.column('volume attachment list', 'ID')).toContain(id);
      expect(await demo.field('volume show vol1', 'status')).toBe('in-use');
      await newDemo.run(`volume attachment delete ${id}`);
      await becomes('vol1');
      await demo.deleteServers('holder');
      await demo.run('image delete attimg');
    });

    it('deletes', async () => {
      const { demo, admin } = week;
      await demo.run('volume delete vol1');
      await until('no volume', async () => (await demo.json<Rows>('volume list')).length === 0);
      await admin.run('volume type delete type1');
    });
  });
}
