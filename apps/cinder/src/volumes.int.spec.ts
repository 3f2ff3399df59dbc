import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { until } from '@nestack/kernel/testing';
import { TestCinder, type Volume } from './testing/test-cinder';

jest.setTimeout(60_000);

process.env['NESTACK_CHECK_RESPONSES'] = '1';

let cinder: TestCinder;

beforeAll(async () => {
  cinder = await TestCinder.start();
});

afterAll(() => cinder.close());

describe('volumes', () => {
  it('are created, shown, updated and deleted', async () => {
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
    });
    const made = await cinder.reaches(asked.id, 'available', { as: 'p1:admin' });
    expect(made).toMatchObject({
      'os-vol-tenant-attr:tenant_id': 'p1',
      'os-vol-host-attr:host': `${String(cinder.config.host)}@fake#fake`,
      group_id: null,
      service_uuid: null,
      shared_targets: false,
      volume_type_id: expect.any(String) as unknown,
      consumes_quota: true,
    });
    expect((await cinder.call('GET', `/v3/volumes/${asked.id}`)).json).toMatchObject({
      volume: { links: [{ rel: 'self', href: `${cinder.base}/v3/volumes/${asked.id}` }, {}] },
    });
    const updated = await cinder.call('PUT', `/volumes/${asked.id}`, {
      body: { volume: { name: 'two', description: null } },
    });
    expect([updated.status, updated.json['volume']]).toMatchObject([200, { name: 'two', description: null }]);
    expect((await cinder.call('DELETE', `/volumes/${asked.id}`)).status).toBe(202);
    await cinder.gone(`/volumes/${asked.id}`);
    expect((await cinder.call('DELETE', `/volumes/${asked.id}`)).json).toEqual({
      itemNotFound: { code: 404, message: `Volume ${asked.id} could not be found.` },
    });
  });

  it('take requests as clients send them, and say what is wrong with others', async () => {
    const nulls = {
      name: null,
      description: null,
      availability_zone: null,
      volume_type: null,
      metadata: {},
      imageRef: null,
      snapshot_id: null,
      source_volid: null,
      consistencygroup_id: null,
      backup_id: null,
      multiattach: null,
    };
    const { id } = await cinder.ask({ ...nulls, size: '2' });
    expect(await cinder.show(id)).toMatchObject({ size: 2, name: null, description: null });
    const refused: [Record<string, unknown>, number][] = [
      [{ size: 0 }, 400],
      [{ size: -1 }, 400],
      [{ size: 'many' }, 400],
      [{ size: null }, 400],
      [{ size: 1.5 }, 400],
      [{ name: 'x'.repeat(256) }, 400],
      [{ availability_zone: 'elsewhere' }, 400],
      [{ volume_type: 'nothing' }, 404],
      [{ imageRef: 'nothing' }, 400],
      [{ snapshot_id: 'nothing' }, 404],
      [{ source_volid: '6b0c1a0e-0000-4000-8000-000000000000' }, 404],
      [{ metadata: { a: 4 } }, 400],
      [{ metadata: { '': 'x' } }, 400],
      [{ metadata: { a: 'x'.repeat(256) } }, 400],
      [{ consistencygroup_id: 'some' }, 404],
    ];
    for (const [fields, status] of refused) {
      const answer = await cinder.call('POST', '/volumes', { body: { volume: { size: 1, ...fields } } });
      expect([fields, answer.status]).toEqual([fields, status]);
    }
    for (const body of [{}, { volume: null }, { volume: [] }, []])
      expect((await cinder.call('POST', '/volumes', { body })).status).toBe(400);
    const none = await cinder.call('POST', '/volumes', { body: { volume: { size: 0 } } });
    expect(none.json).toMatchObject({ badRequest: { code: 400 } });
    await cinder.reaches(id, 'available');
    await cinder.call('DELETE', `/volumes/${id}`);
  });

  it('have metadata', async () => {
    const { id } = await cinder.volume({ metadata: { 'cinder.csi.openstack.org/cluster': 'k' } });
    const url = `/volumes/${id}/metadata`;
    expect((await cinder.call('POST', url, { body: { metadata: { a: '1' } } })).json).toEqual({
      metadata: { 'cinder.csi.openstack.org/cluster': 'k', a: '1' },
    });
    expect((await cinder.call('PUT', url, { body: { metadata: { b: '2' } } })).json).toEqual({ metadata: { b: '2' } });
    expect((await cinder.call('PUT', `${url}/c`, { body: { meta: { c: '3' } } })).json).toEqual({ meta: { c: '3' } });
    expect((await cinder.call('PUT', `${url}/c`, { body: { meta: { d: '3' } } })).status).toBe(400);
    expect((await cinder.call('GET', url)).json).toEqual({ metadata: { b: '2', c: '3' } });
    expect((await cinder.call('GET', `${url}/c`)).json).toEqual({ meta: { c: '3' } });
    expect((await cinder.call('DELETE', `${url}/c`)).status).toBe(200);
    expect((await cinder.call('DELETE', `${url}/c`)).status).toBe(404);
    expect((await cinder.call('GET', `${url}/c`)).status).toBe(404);
    await cinder.call('DELETE', `/volumes/${id}`);
  });

  it('are made of images, volumes and snapshots', async () => {
    const image = cinder.neighbours.addImage(Buffer.from('content'), {
      name: 'cirros',
      checksum: 'abc',
      min_disk: 1,
      os_distro: 'debian',
    });
    const asked = await cinder.ask({ imageRef: image });
    expect(asked.status).toBe('creating');
    const made = await cinder.reaches(asked.id, 'available');
    expect(made).toMatchObject({
      bootable: 'true',
      volume_image_metadata: {
        image_id: image,
        image_name: 'cirros',
        checksum: 'abc',
        container_format: 'bare',
        disk_format: 'raw',
        min_disk: '1',
        min_ram: '0',
        size: '7',
        os_distro: 'debian',
      },
    });
    const snapshot = await cinder.snapshot(made.id);
    const clone = await cinder.volume({ source_volid: made.id, size: 2 });
    expect(clone).toMatchObject({ size: 2, source_volid: made.id, bootable: 'true' });
    const restored = await cinder.volume({ snapshot_id: snapshot, size: null });
    expect(restored).toMatchObject({ size: 1, snapshot_id: snapshot, bootable: 'true' });
    expect(restored['volume_image_metadata']).toEqual(made['volume_image_metadata']);
    const fails = async (fields: Record<string, unknown>) =>
      (await cinder.call('POST', '/volumes', { body: { volume: { size: 1, ...fields } } })).status;
    expect(await fails({ source_volid: clone.id })).toBe(400);
    expect(await fails({ source_volid: made.id, imageRef: image })).toBe(400);
    expect(await fails({ imageRef: cinder.neighbours.addImage(Buffer.alloc(4), { status: 'queued' }) })).toBe(400);
    expect(await fails({ imageRef: cinder.neighbours.addImage(Buffer.alloc(4), { min_disk: 5 }) })).toBe(400);
    expect(await fails({ imageRef: cinder.neighbours.addImage(Buffer.alloc(4), { size: 2 ** 31 }) })).toBe(400);
    expect(await fails({ imageRef: cinder.neighbours.addImage(Buffer.alloc(4), { virtual_size: 2 ** 31 }) })).toBe(400);
    const deleted = await cinder.call('DELETE', `/volumes/${made.id}`);
    expect([deleted.status, Object.keys(deleted.json)]).toEqual([400, ['badRequest']]);
    expect((await cinder.call('DELETE', `/volumes/${made.id}?cascade=True`)).status).toBe(202);
    await cinder.gone(`/volumes/${made.id}`);
    expect((await cinder.call('GET', `/snapshots/${snapshot}`)).status).toBe(404);
    for (const one of [clone, restored]) await cinder.call('DELETE', `/volumes/${one.id}`);
  });

  it('fail visibly when an image vanishes, tell why, and can be deleted', async () => {
    const image = cinder.neighbours.addImage(Buffer.from('content'));
    cinder.neighbours.onDownload = () => cinder.neighbours.images.delete(image);
    const { id } = await cinder.ask({ imageRef: image });
    await cinder.reaches(id, 'error');
    cinder.neighbours.onDownload = null;
    const listed = await cinder.call('GET', `/messages?resource_uuid=${id}`, { version: '3.5' });
    const [message] = listed.json['messages'] as Record<string, unknown>[];
    expect(message).toMatchObject({ resource_type: 'VOLUME', message_level: 'ERROR', resource_uuid: id });
    expect((await cinder.call('GET', `/messages/${String(message?.['id'])}`, { version: '3.5' })).status).toBe(200);
    expect(
      (await cinder.call('GET', `/messages/${String(message?.['id'])}`, { version: '3.5', as: 'p2:member' })).status,
    ).toBe(404);
    expect((await cinder.call('DELETE', `/messages/${String(message?.['id'])}`, { version: '3.5' })).status).toBe(204);
    expect((await cinder.call('DELETE', `/volumes/${id}`)).status).toBe(202);
    await cinder.gone(`/volumes/${id}`);
  });

  it('are extended', async () => {
    const { id } = await cinder.volume();
    expect((await cinder.act(id, 'os-extend', { new_size: 1 })).status).toBe(400);
    expect((await cinder.act(id, 'os-extend', { new_size: 'x' })).status).toBe(400);
    expect((await cinder.act(id, 'os-extend', { new_size: '3' })).status).toBe(202);
    expect(await cinder.reaches(id, 'available')).toMatchObject({ size: 3 });
    const { id: attachment } = await cinder.attach(id);
    expect((await cinder.act(id, 'os-extend', { new_size: 4 })).status).toBe(400);
    expect((await cinder.act(id, 'os-extend', { new_size: 4 }, { version: '3.42' })).status).toBe(202);
    await until('it has grown', async () => (await cinder.show(id))?.['size'] === 4);
    expect(await cinder.reaches(id, 'in-use')).toMatchObject({ size: 4 });
    await until('the server is told', async () => cinder.neighbours.events.length > 0);
    expect(cinder.neighbours.events).toEqual([
      { events: [{ name: 'volume-extended', server_uuid: 'server-1', tag: id }] },
    ]);
    await cinder.detach(attachment);
    await cinder.call('DELETE', `/volumes/${id}`);
    await cinder.gone(`/volumes/${id}`);
  });

  it('are given the content of an image, and a server that they are kept for hears of it', async () => {
    const image = cinder.neighbours.addImage(Buffer.from('new content'), { name: 'fresh' });
    const { id } = await cinder.volume();
    const before = cinder.store().volumes[id]?.content;
    const reimage = (fields: Record<string, unknown>, version = '3.68') =>
      cinder.act(id, 'os-reimage', fields, { version });
    expect((await reimage({ image_id: image }, '3.67')).status).toBe(400);
    expect((await reimage({ image_id: 'x' })).status).toBe(400);
    expect((await reimage({ image_id: '5e0d0b3c-5b0e-4b5c-9d0e-000000000000' })).status).toBe(404);
    const large = cinder.neighbours.addImage(Buffer.from('x'), { min_disk: 5 });
    expect((await reimage({ image_id: large })).status).toBe(400);
    expect((await reimage({ image_id: image })).status).toBe(202);
    expect(await cinder.reaches(id, 'available')).toMatchObject({
      bootable: 'true',
      volume_image_metadata: { image_id: image, image_name: 'fresh' },
    });
    expect(cinder.store().volumes[id]?.content).not.toBe(before);
    const kept = await cinder.call('POST', '/attachments', {
      version: '3.44',
      body: { attachment: { volume_uuid: id, instance_uuid: 'server-9' } },
    });
    expect((await reimage({ image_id: image })).status).toBe(400);
    expect((await reimage({ image_id: image, reimage_reserved: true })).status).toBe(202);
    await cinder.reaches(id, 'reserved');
    const told = { events: [{ name: 'volume-reimaged', server_uuid: 'server-9', tag: id, status: 'completed' }] };
    await until('the server is told', async () => {
      await Promise.resolve();
      return cinder.neighbours.events.length > 0 && JSON.stringify(cinder.neighbours.events).includes('reimaged');
    });
    expect(cinder.neighbours.events).toContainEqual(told);
    const { id: attachment } = kept.json['attachment'] as { id: string };
    await cinder.detach(attachment);
    const used = await cinder.attach(id, { instance: 'server-9' });
    expect((await reimage({ image_id: image, reimage_reserved: true })).status).toBe(400);
    await cinder.detach(used.id);
    await cinder.call('DELETE', `/volumes/${id}`);
    await cinder.gone(`/volumes/${id}`);
  });

  it('become images', async () => {
    const { id } = await cinder.volume();
    const answer = await cinder.act(id, 'os-volume_upload_image', {
      image_name: 'made',
      disk_format: 'raw',
      container_format: 'bare',
      force: false,
    });
    expect(answer.status).toBe(202);
    const body = answer.json['os-volume_upload_image'] as Record<string, unknown>;
    expect(body).toMatchObject({
      id,
      status: 'uploading',
      image_name: 'made',
      disk_format: 'raw',
      volume_type: { name: '__DEFAULT__' },
    });
    const image = cinder.neighbours.images.get(String(body['image_id']));
    await until('the image has data', async () => image?.fields['status'] === 'active');
    await cinder.reaches(id, 'available');
    await cinder.call('DELETE', `/volumes/${id}`);
  });
});

describe('lists of volumes', () => {
  const as = 'lister:member';
  const made: Volume[] = [];
  const ids = async (query: string, options: { as?: string; version?: string } = {}): Promise<number[]> => {
    const { status, json } = await cinder.call('GET', `/volumes/detail?${query}`, { as, version: '3.70', ...options });
    expect([query, status]).toEqual([query, 200]);
    return (json['volumes'] as { id: string }[]).map((one) => made.findIndex(({ id }) => id === one.id));
  };

  beforeAll(async () => {
    for (const [name, size, metadata] of [
      ['b', 1, { color: 'red' }],
      ['a', 2, { color: 'blue', shape: 'round' }],
      ['c d', 1, {}],
      ['a', 3, { color: 'red' }],
      [null, 1, {}],
    ] as const)
      made.push(await cinder.volume({ name, size, metadata }, { as }));
  });

  it('are newest first, sorted, filtered and paged', async () => {
    expect(await ids('')).toEqual([4, 3, 2, 1, 0]);
    expect(await ids('sort=created_at:asc')).toEqual([0, 1, 2, 3, 4]);
    expect(await ids('sort=name:asc,size:desc')).toEqual([4, 3, 1, 0, 2]);
    expect(await ids('sort_key=size&sort_dir=asc')).toEqual(expect.arrayContaining([0, 1, 2, 3, 4]));
    expect(await ids('name=a')).toEqual([3, 1]);
    expect(await ids('name=c%20d')).toEqual([2]);
    expect(await ids('name~=%20')).toEqual([2]);
    expect(await ids('size=1')).toEqual([4, 2, 0]);
    expect(await ids('status=error')).toEqual([]);
    expect(await ids('bootable=True')).toEqual([]);
    expect(await ids('bootable=0')).toEqual([4, 3, 2, 1, 0]);
    expect(await ids(`metadata=${encodeURIComponent("{'color': 'red'}")}`)).toEqual([3, 0]);
    expect(await ids(`metadata=${encodeURIComponent('{"color": "blue", "shape": "round"}')}`)).toEqual([1]);
    expect(await ids('created_at=gt:2100-01-01T00:00:00')).toEqual([]);
    expect(await ids(`created_at=eq:${String(made[0]?.['created_at'])}`)).toContain(0);
    expect(await ids('created_at=gt:2020-01-01T00:00:00,lt:2100-01-01T00:00:00Z')).toEqual([4, 3, 2, 1, 0]);
    expect(await ids('offset=3')).toEqual([1, 0]);
    expect(await ids('limit=0')).toEqual([]);
    expect(await ids('all_tenants=1')).toEqual([4, 3, 2, 1, 0]);
    expect(await ids('group_id=6b0c1a0e-0000-4000-8000-000000000000')).toEqual([]);
    const seen: number[] = [];
    let next: string | undefined = '/volumes/detail?limit=2&sort=name:asc';
    while (next !== undefined) {
      const page: Record<string, unknown> = (await cinder.call('GET', next, { as })).json;
      seen.push(...(page['volumes'] as { id: string }[]).map((one) => made.findIndex(({ id }) => id === one.id)));
      const [link] = (page['volumes_links'] ?? []) as { rel: string; href: string }[];
      expect(link === undefined || link.href.startsWith(`${cinder.base}/v3/lister/volumes/detail?`)).toBe(true);
      next = link?.href.slice(cinder.base.length);
    }
    expect(seen).toEqual(expect.arrayContaining([0, 1, 2, 3, 4]));
    expect(seen).toHaveLength(5);
  });

  it('refuse what they do not know, from the version on that says so', async () => {
    const status = async (query: string, version: string) =>
      (await cinder.call('GET', `/volumes?${query}`, { as, version })).status;
    expect(await status('host=x', '3.30')).toBe(200);
    expect(await status('host=x', '3.31')).toBe(400);
    expect(await status('sort=nothing', '3.0')).toBe(400);
    expect(await status('sort=name:up', '3.0')).toBe(400);
    expect(await status('limit=-1', '3.0')).toBe(400);
    expect(await status('limit=x', '3.0')).toBe(400);
    expect(await status('offset=-1', '3.0')).toBe(400);
    expect(await status('marker=6b0c1a0e-0000-4000-8000-000000000000', '3.0')).toBe(404);
    expect(await status('metadata=nonsense', '3.0')).toBe(400);
  });

  it('count and sum up, and show everything to administrators who ask', async () => {
    const counted = await cinder.call('GET', '/volumes?with_count=True&limit=2', { as, version: '3.45' });
    expect(counted.json['count']).toBe(5);
    expect((await cinder.call('GET', '/volumes/summary', { as, version: '3.36' })).json).toEqual({
      'volume-summary': {
        total_count: 5,
        total_size: 8,
        metadata: { color: ['blue', 'red'], shape: ['round'] },
      },
    });
    expect((await cinder.call('GET', '/volumes/summary', { as, version: '3.11' })).status).toBe(404);
    expect(await ids('', { as: 'other:admin' })).toEqual([]);
    expect((await ids('all_tenants=True', { as: 'other:admin' })).filter((at) => at >= 0)).toEqual([4, 3, 2, 1, 0]);
    expect(await ids('all_tenants=1&project_id=lister', { as: 'other:admin' })).toEqual([4, 3, 2, 1, 0]);
  });
});
