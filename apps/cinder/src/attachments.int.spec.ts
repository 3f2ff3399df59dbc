import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { TestCinder, type Answer } from './testing/test-cinder';

jest.setTimeout(60_000);

process.env['NESTACK_CHECK_RESPONSES'] = '1';

let cinder: TestCinder;

beforeAll(async () => {
  cinder = await TestCinder.start();
});

afterAll(() => cinder.close());

const version = '3.44';
const status = async (id: string): Promise<string | undefined> => (await cinder.show(id))?.status;
const reserve = (volume: string, instance = 'server-1'): Promise<Answer> =>
  cinder.call('POST', '/attachments', {
    version,
    body: { attachment: { volume_uuid: volume, instance_uuid: instance } },
  });

describe('attachments', () => {
  it('are reserved, connected, completed and deleted; a volume shows only finished ones', async () => {
    const volume = await cinder.volume();
    const reserved = (await reserve(volume.id)).json['attachment'] as { id: string };
    expect(reserved).toEqual({
      id: reserved.id,
      status: 'reserved',
      instance: 'server-1',
      volume_id: volume.id,
      attached_at: '',
      detached_at: '',
      attach_mode: 'rw',
      connection_info: {},
    });
    expect(await cinder.show(volume.id)).toMatchObject({ status: 'reserved', attachments: [] });
    expect((await reserve(volume.id, 'server-2')).status).toBe(400);
    const connected = await cinder.call('PUT', `/attachments/${reserved.id}`, {
      version,
      body: { attachment: { connector: { host: 'compute', mountpoint: '/dev/vdb' } } },
    });
    expect(connected.json['attachment']).toMatchObject({
      status: 'attaching',
      connection_info: {
        driver_volume_type: 'fake',
        attachment_id: reserved.id,
        volume_id: volume.id,
        access_mode: 'rw',
      },
    });
    expect(await cinder.show(volume.id)).toMatchObject({ status: 'attaching', attachments: [] });
    const complete = () =>
      cinder.call('POST', `/attachments/${reserved.id}/action`, { version, body: { 'os-complete': reserved.id } });
    expect((await complete()).status).toBe(204);
    expect((await complete()).status).toBe(204);
    const shown = await cinder.show(volume.id, { as: 'p1:admin' });
    expect(shown).toMatchObject({
      status: 'in-use',
      attachments: [
        {
          id: volume.id,
          attachment_id: reserved.id,
          volume_id: volume.id,
          server_id: 'server-1',
          host_name: 'compute',
          device: '/dev/vdb',
          attached_at: expect.stringMatching(/^\d{4}-.*\.\d{6}$/) as unknown,
        },
      ],
    });
    const listed = await cinder.call('GET', `/attachments/detail?volume_id=${volume.id}&instance_id=server-1`, {
      version,
    });
    expect(listed.json['attachments']).toMatchObject([{ id: reserved.id, status: 'attached', attach_mode: 'rw' }]);
    expect((await cinder.call('GET', '/attachments?status=reserved', { version })).json['attachments']).toEqual([]);
    expect((await cinder.call('GET', '/attachments?instance_id=other', { version })).json['attachments']).toEqual([]);
    expect((await cinder.call('DELETE', `/volumes/${volume.id}`)).status).toBe(400);
    expect(cinder.store().exports).toEqual({ [volume.id]: { hosts: ['compute'] } });
    expect((await cinder.act(volume.id, 'os-begin_detaching')).status).toBe(202);
    expect(await status(volume.id)).toBe('detaching');
    expect((await cinder.act(volume.id, 'os-roll_detaching')).status).toBe(202);
    expect(await status(volume.id)).toBe('in-use');
    expect((await cinder.detach(reserved.id)).json).toEqual({ attachments: [] });
    expect(await cinder.show(volume.id)).toMatchObject({ status: 'available', attachments: [] });
    expect(cinder.store().exports).toEqual({});
    expect((await cinder.detach(reserved.id)).status).toBe(404);
    expect((await cinder.call('GET', `/attachments/${reserved.id}`, { version })).status).toBe(404);
    expect((await cinder.call('GET', `/attachments`, { version: '3.26' })).status).toBe(404);
    await cinder.call('DELETE', `/volumes/${volume.id}`);
  });

  it('are one at a time, unless the volume is multiattach', async () => {
    const volume = await cinder.volume();
    const answers = await Promise.all(Array.from({ length: 8 }, (_, at) => reserve(volume.id, `server-${String(at)}`)));
    expect(answers.map((one) => one.status).sort()).toEqual([200, ...Array.from({ length: 7 }, () => 400)]);
    await cinder.call('POST', '/types', {
      as: 'p1:admin',
      body: { volume_type: { name: 'multi', extra_specs: { multiattach: '<is> True' } } },
    });
    const shared = await cinder.volume({ volume_type: 'multi' });
    expect(shared['multiattach']).toBe(true);
    const first = await cinder.attach(shared.id, { instance: 'a', host: 'one' });
    const second = await cinder.attach(shared.id, { instance: 'b', host: 'two' });
    expect(await cinder.show(shared.id)).toMatchObject({ status: 'in-use', attachments: [{}, {}] });
    expect((await cinder.detach(first.id)).json['attachments']).toMatchObject([{ id: second.id }]);
    expect(await status(shared.id)).toBe('in-use');
    await cinder.detach(second.id);
    expect(await status(shared.id)).toBe('available');
    expect(cinder.store().exports).toEqual({});
  });

  it('bring their exports back when the service starts, and take away what no attachment wants', async () => {
    const volume = await cinder.volume();
    const { id } = await cinder.attach(volume.id);
    await cinder.down();
    cinder.tamper((store) => {
      store.exports = { 'b6a3c9de-0000-4000-8000-000000000000': { hosts: ['compute'] } };
    });
    await cinder.up();
    expect(cinder.store().exports).toEqual({ [volume.id]: { hosts: ['compute'] } });
    await cinder.detach(id);
    await cinder.call('DELETE', `/volumes/${volume.id}`);
  });
});

describe('volume actions', () => {
  it('attach and detach in the old way', async () => {
    const { id } = await cinder.volume();
    expect((await cinder.act(id, 'os-reserve')).status).toBe(202);
    expect(await status(id)).toBe('attaching');
    expect((await cinder.act(id, 'os-reserve')).status).toBe(400);
    expect((await cinder.act(id, 'os-unreserve')).status).toBe(202);
    expect(await status(id)).toBe('available');
    const connected = await cinder.act(id, 'os-initialize_connection', { connector: { host: 'compute' } });
    expect([connected.status, connected.json['connection_info']]).toMatchObject([
      200,
      { driver_volume_type: 'fake', data: { volume_id: id } },
    ]);
    const about = { instance_uuid: 'server-1', mountpoint: '/dev/vdc', mode: 'rw' };
    expect((await cinder.act(id, 'os-attach', { mountpoint: '/dev/vdc' })).status).toBe(400);
    expect((await cinder.act(id, 'os-attach', { ...about, mode: 'xx' })).status).toBe(400);
    expect((await cinder.act(id, 'os-attach', about)).status).toBe(202);
    expect(await cinder.show(id)).toMatchObject({ status: 'in-use', attachments: [{ device: '/dev/vdc' }] });
    expect((await cinder.act(id, 'os-begin_detaching')).status).toBe(202);
    expect((await cinder.act(id, 'os-terminate_connection', { connector: { host: 'compute' } })).status).toBe(202);
    expect((await cinder.act(id, 'os-detach', {})).status).toBe(202);
    expect(await status(id)).toBe('available');
    expect(cinder.store().exports).toEqual({});
    expect((await cinder.act(id, 'os-begin_detaching')).status).toBe(400);
    await cinder.act(id, 'os-attach', about);
    expect((await cinder.act(id, 'os-force_detach', {})).status).toBe(403);
    expect((await cinder.act(id, 'os-force_detach', {}, { as: 'p1:admin' })).status).toBe(202);
    expect(await status(id)).toBe('available');
    await cinder.call('DELETE', `/volumes/${id}`);
  });

  it('set flags and image properties', async () => {
    const { id } = await cinder.volume();
    expect((await cinder.act(id, 'os-set_bootable', { bootable: 'True' })).status).toBe(200);
    expect(await cinder.show(id)).toMatchObject({ bootable: 'true' });
    expect((await cinder.act(id, 'os-update_readonly_flag', { readonly: true })).status).toBe(202);
    expect(await cinder.show(id)).toMatchObject({ metadata: { readonly: 'True' } });
    const { id: attachment, connection_info } = await cinder.attach(id);
    expect(connection_info['access_mode']).toBe('ro');
    await cinder.detach(attachment);
    expect((await cinder.act(id, 'os-set_image_metadata', { metadata: { os_distro: 'debian' } })).json).toEqual({
      metadata: { os_distro: 'debian' },
    });
    expect((await cinder.act(id, 'os-show_image_metadata')).json).toEqual({ metadata: { os_distro: 'debian' } });
    expect(await cinder.show(id)).toMatchObject({ volume_image_metadata: { os_distro: 'debian' } });
    expect((await cinder.act(id, 'os-unset_image_metadata', { key: 'os_distro' })).status).toBe(200);
    expect((await cinder.act(id, 'os-unset_image_metadata', { key: 'os_distro' })).status).toBe(404);
    await cinder.call('DELETE', `/volumes/${id}`);
  });

  it('are refused when there are none such', async () => {
    const { id } = await cinder.volume();
    for (const body of [{ 'os-nothing': null }, { a: 1, b: 2 }, {}, []])
      expect((await cinder.call('POST', `/volumes/${id}/action`, { body })).status).toBe(400);
    await cinder.call('DELETE', `/volumes/${id}`);
  });

  it('let administrators put a volume right and delete it in any state', async () => {
    const { id } = await cinder.volume();
    const as = 'admins:admin';
    expect((await cinder.act(id, 'os-reset_status', { status: 'error' })).status).toBe(403);
    expect((await cinder.act(id, 'os-reset_status', { status: 'nonsense' }, { as })).status).toBe(400);
    expect((await cinder.act(id, 'os-reset_status', {}, { as })).status).toBe(400);
    expect((await cinder.act(id, 'os-reset_status', { status: 'creating' }, { as })).status).toBe(202);
    expect(await status(id)).toBe('creating');
    expect((await cinder.call('DELETE', `/volumes/${id}`)).status).toBe(400);
    expect((await cinder.act(id, 'os-force_delete')).status).toBe(403);
    expect((await cinder.act(id, 'os-force_delete', null, { as })).status).toBe(202);
    await cinder.gone(`/volumes/${id}`);
    expect(cinder.store().volumes[id]).toBeUndefined();
  });

  it('retype where the backend can, within the quota', async () => {
    await cinder.call('POST', '/types', { as: 'p1:admin', body: { volume_type: { name: 'gold' } } });
    await cinder.call('POST', '/types', {
      as: 'p1:admin',
      body: { volume_type: { name: 'far', extra_specs: { volume_backend_name: 'elsewhere' } } },
    });
    const { id } = await cinder.volume();
    expect((await cinder.act(id, 'os-retype', { new_type: 'gold', migration_policy: 'never' })).status).toBe(202);
    expect(await cinder.show(id)).toMatchObject({ status: 'available', volume_type: 'gold' });
    expect((await cinder.act(id, 'os-retype', { new_type: 'gold' })).status).toBe(400);
    expect((await cinder.act(id, 'os-retype', { new_type: 'nothing' })).status).toBe(404);
    expect((await cinder.act(id, 'os-retype', { new_type: 'far' })).status).toBe(400);
    expect((await cinder.act(id, 'os-retype', { new_type: '__DEFAULT__', migration_policy: 'x' })).status).toBe(400);
    expect(await cinder.show(id)).toMatchObject({ volume_type: 'gold' });
    const unplaced = await cinder.ask({ volume_type: 'far' });
    await cinder.reaches(unplaced.id, 'error');
    const told = await cinder.call('GET', `/messages?resource_uuid=${unplaced.id}`, { version: '3.5' });
    expect(told.json['messages']).toMatchObject([{ event_id: 'VOLUME_VOLUME_001_003' }]);
    for (const one of [id, unplaced.id]) {
      await cinder.call('DELETE', `/volumes/${one}`);
      await cinder.gone(`/volumes/${one}`);
    }
  });
});
