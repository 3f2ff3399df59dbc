import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { TestCinder } from './testing/test-cinder';

process.env['NESTACK_CHECK_RESPONSES'] = '1';

let cinder: TestCinder;

beforeAll(async () => {
  cinder = await TestCinder.start();
});

afterAll(() => cinder.close());

describe('volumes', () => {
  it('are created, shown, listed and deleted', async () => {
    const asked = await cinder.ask({ name: 'one', description: 'first', metadata: { a: 'b' } }, { version: '3.0' });
    expect(asked).toEqual({
      id: asked.id,
      status: 'creating',
      size: 1,
      availability_zone: 'nova',
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/) as unknown,
      updated_at: null,
      name: 'one',
      description: 'first',
      volume_type: '__DEFAULT__',
      snapshot_id: null,
      source_volid: null,
      metadata: { a: 'b' },
      links: [
        { rel: 'self', href: `${cinder.base}/v3/p1/volumes/${asked.id}` },
        { rel: 'bookmark', href: `${cinder.base}/p1/volumes/${asked.id}` },
      ],
      user_id: 'u-p1',
      bootable: 'false',
      encrypted: false,
      replication_status: null,
      consistencygroup_id: null,
      multiattach: false,
      attachments: [],
      'os-vol-tenant-attr:tenant_id': 'p1',
    });
    const made = await cinder.reaches(asked.id, 'available', { as: 'p1:admin' });
    expect(made['os-vol-host-attr:host']).toBe(`${String(cinder.config.host)}@fake#fake`);
    const listed = (await cinder.call('GET', '/volumes/detail')).json['volumes'] as { id: string }[];
    expect(listed.map((one) => one.id)).toEqual([asked.id]);
    expect((await cinder.call('GET', `/v3/volumes/${asked.id}`)).status).toBe(200);
    expect((await cinder.call('GET', `/volumes/${asked.id}`, { as: 'p2:member' })).json).toEqual({
      itemNotFound: { code: 404, message: `Volume ${asked.id} could not be found.` },
    });
    expect((await cinder.call('DELETE', `/volumes/${asked.id}`)).status).toBe(202);
    await cinder.gone(`/volumes/${asked.id}`);
  });
});
