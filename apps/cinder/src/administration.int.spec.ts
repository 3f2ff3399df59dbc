import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { TestCinder, type CallOptions } from './testing/test-cinder';

jest.setTimeout(60_000);

process.env['NESTACK_CHECK_RESPONSES'] = '1';

let cinder: TestCinder;

beforeAll(async () => {
  cinder = await TestCinder.start();
});

afterAll(() => cinder.close());

const admin: CallOptions = { as: 'admins:admin' };
const ask = async (method: string, url: string, options: CallOptions = admin) => {
  const { status, json } = await cinder.call(method, url, options);
  return { status, json };
};

describe('the service', () => {
  it('tells its version: at the root to all, below /v3 to who has a token', async () => {
    const root = await cinder.call('GET', '/');
    const version = {
      id: 'v3.0',
      status: 'CURRENT',
      version: '3.71',
      min_version: '3.0',
      updated: expect.stringMatching(/Z$/) as unknown,
      links: [{}, { rel: 'self', href: `${cinder.base}/v3/` }],
    };
    expect([root.status, root.json]).toMatchObject([300, { versions: [version] }]);
    for (const path of ['/v3', '/v3/'])
      expect([await ask('GET', path)]).toMatchObject([{ status: 200, json: { versions: [version] } }]);
    for (const path of ['/v3', '/v3/', '/v3/volumes']) {
      const refused = await cinder.call('GET', path, { headers: { 'x-auth-token': '' } });
      expect([refused.status, refused.headers['www-authenticate']]).toEqual([
        401,
        expect.stringMatching(/^Keystone uri="/) as unknown,
      ]);
    }
    expect((await cinder.call('GET', '/volumes', { version: 'latest' })).headers).toMatchObject({
      'openstack-api-version': 'volume 3.71',
      vary: 'OpenStack-API-Version',
    });
    expect((await cinder.call('GET', '/volumes', { version: '3.999' })).status).toBe(406);
    expect((await cinder.call('GET', '/volumes', { version: 'x' })).status).toBe(400);
    expect((await cinder.call('GET', '/nothing')).status).toBe(404);
    expect((await ask('GET', '/v3/p9/volumes')).status).toBe(400);
  });

  it('lists services, hosts, pools, zones, extensions and filters', async () => {
    const host = String(cinder.config.host);
    const services = await ask('GET', '/os-services');
    expect(services.json['services']).toEqual([
      expect.objectContaining({ binary: 'cinder-backup', host }),
      {
        binary: 'cinder-scheduler',
        host,
        zone: 'nova',
        status: 'enabled',
        state: 'up',
        updated_at: expect.stringMatching(/\.\d{6}$/) as unknown,
        disabled_reason: null,
      },
      expect.objectContaining({ binary: 'cinder-volume', host: `${host}@fake`, frozen: false }),
    ]);
    expect((await ask('GET', '/os-services', { as: 'p1:member' })).status).toBe(403);
    expect((await ask('GET', '/os-services?binary=cinder-volume')).json['services']).toHaveLength(1);
    const target = { host: `${host}@fake`, binary: 'cinder-volume' };
    const disabled = await ask('PUT', '/os-services/disable-log-reason', {
      ...admin,
      body: { ...target, disabled_reason: 'broken' },
    });
    expect(disabled.json).toMatchObject({ status: 'disabled', disabled_reason: 'broken', host: target.host });
    const unplaced = await cinder.ask();
    await cinder.reaches(unplaced.id, 'error');
    await cinder.call('DELETE', `/volumes/${unplaced.id}`);
    expect((await ask('PUT', '/os-services/enable', { ...admin, body: target })).json).toMatchObject({
      status: 'enabled',
    });
    expect((await ask('PUT', '/os-services/enable', { ...admin, body: { ...target, host: 'x' } })).status).toBe(404);
    const freeze = (verb: string, name: string) =>
      ask('PUT', `/os-services/${verb}`, { ...admin, body: { host: name } });
    expect((await freeze('freeze', target.host)).status).toBe(200);
    expect((await ask('GET', '/os-services?binary=cinder-volume')).json['services']).toMatchObject([
      { frozen: true, status: 'disabled', disabled_reason: 'frozen' },
    ]);
    expect((await freeze('thaw', target.host)).status).toBe(200);
    expect((await freeze('freeze', 'nothing')).status).toBe(400);
    expect((await cinder.call('GET', '/volumes/')).status).toBe(404);
    const pools = await ask('GET', '/scheduler-stats/get_pools?detail=True');
    expect(pools.json['pools']).toMatchObject([
      { name: `${host}@fake#fake`, capabilities: { total_capacity_gb: 100_000, storage_protocol: 'iSCSI' } },
    ]);
    expect((await ask('GET', `/capabilities/${host}@fake`)).json).toMatchObject({ vendor_name: 'Open Source' });
    expect((await ask('GET', '/capabilities/nothing')).status).toBe(404);
    expect((await ask('GET', '/os-hosts')).json['hosts']).toHaveLength(3);
    expect((await ask('GET', `/os-hosts/${host}@fake`)).json['host']).toMatchObject([
      { resource: { project: '(total)', volume_count: '0' } },
    ]);
    expect((await ask('GET', '/os-hosts/nothing')).status).toBe(404);
    expect((await ask('GET', '/os-availability-zone', { as: 'p1:reader' })).json).toEqual({
      availabilityZoneInfo: [{ zoneName: 'nova', zoneState: { available: true } }],
    });
    const extensions = (await ask('GET', '/extensions', { as: 'p1:reader' })).json['extensions'] as { name: string }[];
    expect(extensions.map((one) => one.name)).toContain('Hosts');
    expect((await ask('GET', '/extensions/os-hosts')).status).toBe(200);
    expect((await ask('GET', '/extensions/nothing')).status).toBe(404);
    const filters = await ask('GET', '/resource_filters?resource=attachment', { ...admin, version: '3.33' });
    expect(filters.json['resource_filters']).toHaveLength(1);
  });
});

describe('quotas', () => {
  it('are kept by fifty requests at once', async () => {
    const as = 'crowd:member';
    await ask('PUT', '/os-quota-sets/crowd', { ...admin, body: { quota_set: { volumes: 7 } } });
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => cinder.call('POST', '/volumes', { as, body: { volume: { size: 1 } } })),
    );
    expect(answers.filter((one) => one.status === 202)).toHaveLength(7);
    const refused = answers.filter((one) => one.status === 413);
    expect(refused).toHaveLength(43);
    expect([refused[0]?.headers['retry-after'], refused[0]?.json]).toEqual([
      '0',
      {
        overLimit: {
          code: 413,
          message: "VolumeLimitExceeded: Maximum number of volumes allowed (7) exceeded for quota 'volumes'.",
          retryAfter: '0',
        },
      },
    ]);
    const use = async () => {
      const { json } = await ask('GET', '/os-quota-sets/crowd?usage=True');
      const set = json['quota_set'] as Record<string, { in_use: number; limit: number }>;
      return [set['volumes']?.in_use, set['gigabytes']?.in_use, set['volumes___DEFAULT__']?.in_use];
    };
    expect(await use()).toEqual([7, 7, 7]);
    const volumes = (await cinder.call('GET', '/volumes', { as })).json['volumes'] as { id: string }[];
    for (const { id } of volumes) {
      await cinder.reaches(id, 'available', { as });
      await cinder.call('DELETE', `/volumes/${id}`, { as });
    }
    for (const { id } of volumes) await cinder.gone(`/volumes/${id}`, { as });
    expect(await use()).toEqual([0, 0, 0]);
  });

  it('limit sizes, snapshots and growth too, and free what they took', async () => {
    const as = 'small:member';
    const set = (limits: Record<string, unknown>) =>
      ask('PUT', '/os-quota-sets/small', { ...admin, body: { quota_set: limits } });
    const changed = await set({ gigabytes: 4, snapshots: 1, per_volume_gigabytes: '3', tenant_id: 'small' });
    expect(changed.json['quota_set']).toMatchObject({
      gigabytes: 4,
      snapshots: 1,
      per_volume_gigabytes: 3,
      volumes: 10,
    });
    expect(changed.json['quota_set']).not.toHaveProperty('id');
    expect((await set({ nonsense: 4 })).status).toBe(400);
    expect((await set({ volumes: -2 })).status).toBe(400);
    expect((await set({ volumes: 'x' })).status).toBe(400);
    const create = async (size: number) =>
      (await cinder.call('POST', '/volumes', { as, body: { volume: { size } } })).status;
    expect(await create(5)).toBe(413);
    const one = await cinder.volume({ size: 2 }, { as });
    expect(await create(3)).toBe(413);
    expect((await cinder.act(one.id, 'os-extend', { new_size: 4 }, { as })).status).toBe(413);
    const snapshot = await cinder.snapshot(one.id, {}, { as });
    const second = await cinder.call('POST', '/snapshots', { as, body: { snapshot: { volume_id: one.id } } });
    expect(second.status).toBe(413);
    const limits = (await ask('GET', '/limits', { as })).json['limits'];
    expect(limits).toEqual({
      rate: [],
      absolute: {
        maxTotalVolumes: 10,
        totalVolumesUsed: 1,
        maxTotalVolumeGigabytes: 4,
        totalGigabytesUsed: 4,
        maxTotalSnapshots: 1,
        totalSnapshotsUsed: 1,
        maxTotalBackups: 10,
        totalBackupsUsed: 0,
        maxTotalBackupGigabytes: 1000,
        totalBackupGigabytesUsed: 0,
      },
    });
    await cinder.call('DELETE', `/snapshots/${snapshot}`, { as });
    await cinder.gone(`/snapshots/${snapshot}`, { as });
    await cinder.call('DELETE', `/volumes/${one.id}`, { as });
    await cinder.gone(`/volumes/${one.id}`, { as });
    expect((await ask('GET', '/limits', { as })).json).toMatchObject({
      limits: { absolute: { totalVolumesUsed: 0, totalGigabytesUsed: 0, totalSnapshotsUsed: 0 } },
    });
    expect((await ask('DELETE', '/os-quota-sets/small')).status).toBe(200);
    expect((await ask('GET', '/os-quota-sets/small', { as })).json['quota_set']).toMatchObject({
      id: 'small',
      gigabytes: 1000,
    });
    expect((await ask('GET', '/os-quota-sets/small', { as: 'p2:member' })).status).toBe(403);
    expect((await ask('GET', '/os-quota-sets/small/defaults', { as })).json['quota_set']).toMatchObject({
      volumes: 10,
    });
    const general = await ask('PUT', '/os-quota-class-sets/default', {
      ...admin,
      body: { quota_class_set: { class_name: 'default', volumes: 11 } },
    });
    expect(general.json['quota_class_set']).toMatchObject({ volumes: 11 });
    expect((await ask('GET', '/os-quota-sets/any')).json['quota_set']).toMatchObject({ volumes: 11 });
    expect((await ask('GET', '/os-quota-class-sets/default')).json['quota_class_set']).toMatchObject({ id: 'default' });
  });
});

describe('volume types', () => {
  const create = async (fields: Record<string, unknown>): Promise<string> => {
    const { status, json } = await ask('POST', '/types', { ...admin, body: { volume_type: fields } });
    expect(status).toBe(200);
    return (json['volume_type'] as { id: string }).id;
  };
  const names = async (query: string, options: CallOptions) =>
    ((await ask('GET', `/types${query}`, options)).json['volume_types'] as { name: string }[]).map((one) => one.name);

  it('are made by administrators, with extra specs', async () => {
    const id = await create({ name: 'silver', description: 'd', extra_specs: { a: 'b', multiattach: '<is> True' } });
    expect((await ask('POST', '/types', { as: 'p1:member', body: { volume_type: { name: 'x' } } })).status).toBe(403);
    expect((await ask('POST', '/types', { ...admin, body: { volume_type: { name: 'silver' } } })).status).toBe(409);
    expect((await ask('POST', '/types', { ...admin, body: { volume_type: { name: '  ' } } })).status).toBe(400);
    expect((await ask('GET', `/types/${id}`)).json).toEqual({
      volume_type: {
        id,
        name: 'silver',
        description: 'd',
        is_public: true,
        'os-volume-type-access:is_public': true,
        extra_specs: { a: 'b', multiattach: '<is> True' },
        qos_specs_id: null,
      },
    });
    const seen = await ask('GET', `/types/${id}`, { as: 'p1:reader' });
    expect(seen.json['volume_type']).toMatchObject({ extra_specs: { multiattach: '<is> True' } });
    expect(seen.json['volume_type']).not.toHaveProperty('qos_specs_id');
    const specs = `/types/${id}/extra_specs`;
    expect((await ask('POST', specs, { ...admin, body: { extra_specs: { 'x:c': 'd' } } })).json).toEqual({
      extra_specs: { 'x:c': 'd' },
    });
    expect((await ask('PUT', `${specs}/x:c`, { ...admin, body: { 'x:c': 'e' } })).json).toEqual({ 'x:c': 'e' });
    expect((await ask('PUT', `${specs}/x:c`, { ...admin, body: { 'x:d': 'e' } })).status).toBe(400);
    expect((await ask('GET', `${specs}/x:c`)).json).toEqual({ 'x:c': 'e' });
    expect((await ask('DELETE', `${specs}/a`)).status).toBe(202);
    expect((await ask('DELETE', `${specs}/a`)).status).toBe(404);
    expect((await ask('GET', specs)).json).toEqual({ extra_specs: { 'x:c': 'e', multiattach: '<is> True' } });
    const wanted = (text: string) => `?extra_specs=${encodeURIComponent(text)}`;
    expect(await names(wanted("{'x:c': 'e'}"), { ...admin, version: '3.52' })).toEqual(['silver']);
    expect(await names(wanted("{'x:c': 'f'}"), { ...admin, version: '3.52' })).toEqual([]);
    // Before 3.52 the filter is none.
    expect(await names(wanted("{'x:c': 'f'}"), { ...admin, version: '3.51' })).toContain('silver');
    const updated = await ask('PUT', `/types/${id}`, { ...admin, body: { volume_type: { name: 'grey' } } });
    expect(updated.json['volume_type']).toMatchObject({ name: 'grey', description: 'd' });
    expect((await ask('PUT', `/types/${id}`, { ...admin, body: { volume_type: {} } })).status).toBe(400);
    const volume = await cinder.volume({ volume_type: 'grey' });
    expect(volume['volume_type']).toBe('grey');
    expect((await ask('DELETE', `/types/${id}`)).status).toBe(400);
    await cinder.call('DELETE', `/volumes/${volume.id}`);
    await cinder.gone(`/volumes/${volume.id}`);
    expect((await ask('DELETE', `/types/${id}`)).status).toBe(202);
    expect((await ask('GET', `/types/${id}`)).status).toBe(404);
    const standard = await ask('GET', '/types/default', { as: 'p1:reader' });
    expect(standard.json['volume_type']).toMatchObject({ name: '__DEFAULT__' });
    const { id: standardId } = standard.json['volume_type'] as { id: string };
    expect((await ask('DELETE', `/types/${standardId}`)).status).toBe(400);
    expect((await ask('GET', `/types/${standardId}/encryption`)).json).toEqual({});
  });

  it('are hidden when private, save from projects with access', async () => {
    const id = await create({ name: 'secret', 'os-volume-type-access:is_public': false });
    expect(await names('', { as: 'p5:member' })).not.toContain('secret');
    expect(await names('?is_public=None', admin)).toContain('secret');
    expect(await names('?is_public=False', admin)).toEqual(['secret']);
    expect((await ask('GET', `/types/${id}`, { as: 'p5:member' })).status).toBe(404);
    expect(
      (await cinder.call('POST', '/volumes', { as: 'p5:member', body: { volume: { size: 1, volume_type: 'secret' } } }))
        .status,
    ).toBe(404);
    const access = (action: string, project = 'p5') =>
      ask('POST', `/types/${id}/action`, { ...admin, body: { [action]: { project } } });
    expect((await access('addProjectAccess')).status).toBe(202);
    expect((await access('addProjectAccess')).status).toBe(409);
    expect((await ask('GET', `/types/${id}/os-volume-type-access`)).json['volume_type_access']).toEqual(
      expect.arrayContaining([{ volume_type_id: id, project_id: 'p5' }]),
    );
    expect(await names('', { as: 'p5:member' })).toContain('secret');
    expect((await ask('GET', `/types/${id}`, { as: 'p5:member' })).status).toBe(200);
    expect((await access('removeProjectAccess')).status).toBe(202);
    expect((await access('removeProjectAccess')).status).toBe(404);
    expect((await ask('GET', `/types/${id}`, { as: 'p5:member' })).status).toBe(404);
    const open = await create({ name: 'open' });
    expect((await ask('GET', `/types/${open}/os-volume-type-access`)).status).toBe(404);
    const set = await ask('PUT', '/default-types/p5', {
      ...admin,
      version: '3.62',
      body: { default_type: { volume_type: 'open' } },
    });
    expect(set.json).toEqual({ default_type: { project_id: 'p5', volume_type_id: open } });
    expect((await cinder.ask({}, { as: 'p5:member' }))['volume_type']).toBe('open');
    expect((await ask('GET', '/default-types', { ...admin, version: '3.62' })).json['default_types']).toHaveLength(1);
    expect((await ask('DELETE', '/default-types/p5', { ...admin, version: '3.62' })).status).toBe(204);
    expect((await ask('GET', '/default-types/p5', { ...admin, version: '3.62' })).status).toBe(404);
  });

  it('have QoS specifications', async () => {
    const type = await create({ name: 'fast' });
    const made = await ask('POST', '/qos-specs', {
      ...admin,
      body: { qos_specs: { name: 'limits', consumer: 'front-end', read_iops_sec: 100 } },
    });
    const { id } = made.json['qos_specs'] as { id: string };
    expect(made.json['qos_specs']).toEqual({
      id,
      name: 'limits',
      consumer: 'front-end',
      specs: { read_iops_sec: '100' },
    });
    expect((await ask('POST', '/qos-specs', { ...admin, body: { qos_specs: { name: 'limits' } } })).status).toBe(409);
    expect(
      (await ask('POST', '/qos-specs', { ...admin, body: { qos_specs: { name: 'x', consumer: 'y' } } })).status,
    ).toBe(400);
    expect((await ask('GET', '/qos-specs', { as: 'p1:member' })).status).toBe(403);
    expect((await ask('PUT', `/qos-specs/${id}`, { ...admin, body: { qos_specs: { w: '5' } } })).json).toEqual({
      qos_specs: { w: '5' },
    });
    const keys = (names: string[]) => ask('PUT', `/qos-specs/${id}/delete_keys`, { ...admin, body: { keys: names } });
    expect([(await keys(['w'])).status, (await keys(['w'])).status]).toEqual([202, 404]);
    expect((await ask('GET', `/qos-specs/${id}/associate?vol_type_id=${type}`)).status).toBe(202);
    expect((await ask('GET', `/qos-specs/${id}/associations`)).json['qos_associations']).toEqual([
      { association_type: 'volume_type', name: 'fast', id: type },
    ]);
    expect((await ask('GET', `/types/${type}`)).json['volume_type']).toMatchObject({ qos_specs_id: id });
    expect((await ask('DELETE', `/qos-specs/${id}`)).status).toBe(400);
    expect((await ask('GET', `/qos-specs/${id}/disassociate?vol_type_id=${type}`)).status).toBe(202);
    expect((await ask('GET', `/qos-specs/${id}/associate?vol_type_id=${type}`)).status).toBe(202);
    expect((await ask('GET', `/qos-specs/${id}/disassociate_all`)).status).toBe(202);
    expect((await ask('GET', '/qos-specs')).json['qos_specs']).toHaveLength(1);
    expect((await ask('DELETE', `/qos-specs/${id}?force=True`)).status).toBe(202);
    expect((await ask('GET', `/qos-specs/${id}`)).status).toBe(404);
  });
});

describe('snapshots', () => {
  it('are made of volumes, also of those in use when that is forced', async () => {
    const volume = await cinder.volume({ name: 'v' });
    const made = await cinder.call('POST', '/snapshots', {
      version: '3.41',
      body: { snapshot: { volume_id: volume.id, name: 's', description: null, force: false, metadata: null } },
    });
    const { id } = made.json['snapshot'] as { id: string };
    expect([made.status, made.json['snapshot']]).toEqual([
      202,
      {
        id,
        name: 's',
        description: null,
        volume_id: volume.id,
        status: 'creating',
        size: 1,
        created_at: expect.stringMatching(/\.\d{6}$/) as unknown,
        updated_at: null,
        metadata: {},
        user_id: 'u-p1',
      },
    ]);
    await cinder.snapshotReaches(id, 'available');
    expect((await cinder.call('GET', '/snapshots/detail?name=s')).json['snapshots']).toMatchObject([
      {
        id,
        'os-extended-snapshot-attributes:progress': '100%',
        'os-extended-snapshot-attributes:project_id': 'p1',
      },
    ]);
    expect((await cinder.call('GET', `/snapshots?volume_id=${id}`)).json['snapshots']).toEqual([]);
    const updated = await cinder.call('PUT', `/snapshots/${id}`, { body: { snapshot: { name: 't' } } });
    expect(updated.json['snapshot']).toMatchObject({ name: 't' });
    const metadata = `/snapshots/${id}/metadata`;
    expect((await cinder.call('POST', metadata, { body: { metadata: { a: 'b' } } })).json).toEqual({
      metadata: { a: 'b' },
    });
    expect((await cinder.call('PUT', `${metadata}/c`, { body: { meta: { c: 'd' } } })).json).toEqual({
      meta: { c: 'd' },
    });
    expect((await cinder.call('DELETE', `${metadata}/a`)).status).toBe(200);
    expect((await cinder.call('GET', `${metadata}/a`)).status).toBe(404);
    expect((await cinder.call('GET', metadata)).json).toEqual({ metadata: { c: 'd' } });
    expect((await cinder.call('PUT', metadata, { body: { metadata: {} } })).json).toEqual({ metadata: {} });
    const { id: attachment } = await cinder.attach(volume.id);
    const body = { snapshot: { volume_id: volume.id } };
    expect((await cinder.call('POST', '/snapshots', { body })).status).toBe(400);
    const forced = await cinder.snapshot(volume.id, { force: 'True' });
    await cinder.detach(attachment);
    const reset = (status: string, as: string) =>
      cinder.call('POST', `/snapshots/${forced}/action`, { as, body: { 'os-reset_status': { status } } });
    expect((await reset('error', 'p1:member')).status).toBe(403);
    expect((await reset('creating', 'p1:admin')).status).toBe(202);
    const told = await cinder.call('POST', `/snapshots/${forced}/action`, {
      body: { 'os-update_snapshot_status': { status: 'creating', progress: '80%' } },
    });
    expect(told.status).toBe(202);
    expect((await cinder.call('GET', `/snapshots/${forced}`)).json['snapshot']).toMatchObject({
      'os-extended-snapshot-attributes:progress': '80%',
    });
    expect((await cinder.call('DELETE', `/snapshots/${forced}`)).status).toBe(400);
    const force = (as: string) =>
      cinder.call('POST', `/snapshots/${forced}/action`, { as, body: { 'os-force_delete': null } });
    expect((await force('p1:member')).status).toBe(403);
    expect((await force('p1:admin')).status).toBe(202);
    expect((await cinder.call('DELETE', `/snapshots/${id}`)).status).toBe(202);
    for (const one of [id, forced]) await cinder.gone(`/snapshots/${one}`);
    expect(cinder.store().snapshots).toEqual({});
    await cinder.call('DELETE', `/volumes/${volume.id}`);
  });
});

describe('transfers', () => {
  it('give a volume with its snapshots and quota to who has the key', async () => {
    for (const [path, version] of [
      ['/os-volume-transfer', '3.0'],
      ['/volume-transfers', '3.57'],
    ] as const) {
      const volume = await cinder.volume({}, { as: 'giver:member' });
      const snapshot = await cinder.snapshot(volume.id, {}, { as: 'giver:member' });
      const offer = () =>
        cinder.call('POST', path, {
          as: 'giver:member',
          version,
          body: { transfer: { volume_id: volume.id, name: 'gift' } },
        });
      const first = await offer();
      const dropped = first.json['transfer'] as { id: string; auth_key: string };
      expect([first.status, dropped]).toMatchObject([202, { name: 'gift', volume_id: volume.id }]);
      expect(dropped.auth_key).toMatch(/^[0-9a-f]{16}$/);
      expect(await cinder.show(volume.id, { as: 'giver:member' })).toMatchObject({ status: 'awaiting-transfer' });
      expect((await offer()).status).toBe(400);
      expect((await cinder.call('DELETE', `/volumes/${volume.id}`, { as: 'giver:member' })).status).toBe(400);
      const listed = await cinder.call('GET', `${path}/detail`, { as: 'giver:member', version });
      expect(listed.json['transfers']).toMatchObject([{ id: dropped.id }]);
      expect(JSON.stringify(listed.json)).not.toContain(dropped.auth_key);
      expect((await cinder.call('GET', path, { as: 'taker:member', version })).json['transfers']).toEqual([]);
      expect((await cinder.call('DELETE', `${path}/${dropped.id}`, { as: 'giver:member', version })).status).toBe(202);
      const { id, auth_key } = (await offer()).json['transfer'] as { id: string; auth_key: string };
      const accept = (key: string) =>
        cinder.call('POST', `${path}/${id}/accept`, {
          as: 'taker:member',
          version,
          body: { accept: { auth_key: key } },
        });
      expect((await accept('wrong')).status).toBe(400);
      expect((await accept(auth_key)).status).toBe(202);
      expect((await accept(auth_key)).status).toBe(404);
      expect(await cinder.show(volume.id, { as: 'giver:member' })).toBeNull();
      expect(await cinder.show(volume.id, { as: 'taker:member' })).toMatchObject({
        status: 'available',
        'os-vol-tenant-attr:tenant_id': 'taker',
      });
      expect((await cinder.call('GET', `/snapshots/${snapshot}`, { as: 'taker:member' })).status).toBe(200);
      const used = (await ask('GET', '/limits', { as: 'giver:member' })).json;
      expect(used).toMatchObject({ limits: { absolute: { totalVolumesUsed: 0, totalGigabytesUsed: 0 } } });
      await cinder.call('DELETE', `/volumes/${volume.id}?cascade=true`, { as: 'taker:member' });
      await cinder.gone(`/volumes/${volume.id}`, { as: 'taker:member' });
    }
  });
});
