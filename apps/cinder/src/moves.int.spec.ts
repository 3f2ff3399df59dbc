import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { until } from '@nestack/kernel/testing';
import { TestCinder, type CallOptions, type Volume } from './testing/test-cinder';

jest.setTimeout(60_000);

let cinder: TestCinder;
let second: string;
const admin: CallOptions = { as: 'p1:admin', version: '3.70' };
const member: CallOptions = { as: 'p1:member', version: '3.70' };

beforeAll(async () => {
  second = mkdtempSync(path.join(tmpdir(), 'second-'));
  cinder = await TestCinder.start({ backends: [TestCinder.secondBackend(second)] });
}, 60_000);

afterAll(async () => {
  await cinder.close();
  rmSync(second, { recursive: true, force: true });
});

const call = async (method: string, url: string, body?: unknown, options = admin) => {
  const { status, json } = await cinder.call(method, url, { ...options, ...(body === undefined ? {} : { body }) });
  return { status, json };
};
const message = (answer: { json: Record<string, unknown> }): string =>
  (Object.values(answer.json)[0] as { message: string }).message;
const HOST = 'os-vol-host-attr:host';
const pool = (name: string): string => `${String(cinder.config.host)}@${name}#${name}`;
const show = async (id: string): Promise<Volume> => (await cinder.show(id, admin)) as Volume;

async function type(extra_specs: Record<string, string>): Promise<string> {
  const { json } = await call('POST', '/types', { volume_type: { name: randomUUID(), extra_specs } });
  return (json['volume_type'] as { name: string }).name;
}

async function removed(...ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    expect((await call('DELETE', `/volumes/${id}?cascade=1`)).status).toBe(202);
    await cinder.gone(`/volumes/${id}`, admin);
  }
}

describe('several backends of one cinder-volume', () => {
  it('are services and pools of their own, and take volumes by type, zone, hints and room', async () => {
    const services = await call('GET', '/os-services?binary=cinder-volume');
    expect((services.json['services'] as { host: string }[]).map((one) => one.host)).toEqual(
      ['fake', 'second'].map((name) => `${String(cinder.config.host)}@${name}`),
    );
    const pools = await call('GET', '/scheduler-stats/get_pools');
    expect(pools.json['pools']).toEqual([{ name: pool('fake') }, { name: pool('second') }]);
    const made: Volume[] = [];
    for (const name of ['fake', 'second']) {
      const volume = await cinder.volume({ volume_type: await type({ volume_backend_name: name }) }, admin);
      expect((await show(volume.id))[HOST]).toBe(pool(name));
      made.push(volume);
    }
    const [first, other] = made as [Volume, Volume];
    for (const [hints, name] of [
      [{ same_host: first.id }, 'fake'],
      [{ different_host: [first.id] }, 'second'],
      [{ same_host: [other.id] }, 'second'],
    ] as const) {
      const asked = await call('POST', '/volumes', { volume: { size: 1 }, 'OS-SCH-HNT:scheduler_hints': hints });
      const { id } = asked.json['volume'] as Volume;
      await cinder.reaches(id, 'available', admin);
      expect((await show(id))[HOST]).toBe(pool(name));
      made.push({ id } as Volume);
    }
    // Both are equal: what is promised on one sends the next to the other.
    const spread = [await cinder.volume({ size: 50 }, admin), await cinder.volume({ size: 50 }, admin)];
    const hosts = await Promise.all(spread.map(async ({ id }) => (await show(id))[HOST]));
    expect(hosts.sort()).toEqual([pool('fake'), pool('second')]);
    const lost = await cinder.ask({ volume_type: await type({ volume_backend_name: 'third' }) }, admin);
    await cinder.reaches(lost.id, 'error', admin);
    expect((await call('POST', '/volumes', { volume: { size: 1, availability_zone: 'mars' } })).status).toBe(400);
    await removed(lost.id, ...[...made, ...spread].map((one) => one.id));
    expect([cinder.store().volumes, cinder.store(second).volumes]).toEqual([{}, {}]);
  });

  it('give volumes to each other, by command or for another type, and count what moves', async () => {
    const [here, there] = [await type({ volume_backend_name: 'fake' }), await type({ volume_backend_name: 'second' })];
    const { id } = await cinder.volume({ volume_type: here }, member);
    expect((await cinder.act(id, 'os-migrate_volume', { host: pool('second') }, member)).status).toBe(403);
    for (const [host, why] of [
      ['nowhere@fake#fake', /No available service named/],
      [pool('fake'), /must be different/],
    ] as const)
      expect(message(await cinder.act(id, 'os-migrate_volume', { host }, admin))).toMatch(why);
    // The type holds it where it is.
    await cinder.act(id, 'os-migrate_volume', { host: pool('second') }, admin);
    await until('the move has failed', async () => (await show(id))['migration_status'] === 'error');
    expect(await show(id)).toMatchObject({ status: 'available', [HOST]: pool('fake') });
    expect((await cinder.act(id, 'os-retype', { new_type: there, migration_policy: 'never' }, member)).status).toBe(
      400,
    );
    const retyped = await cinder.act(id, 'os-retype', { new_type: there, migration_policy: 'on-demand' }, member);
    expect(retyped.status).toBe(202);
    await until('it has moved', async () => (await show(id))['volume_type'] === there);
    expect(await show(id)).toMatchObject({ status: 'available', [HOST]: pool('second'), migration_status: 'success' });
    await until('the first copy is gone', () => Promise.resolve(cinder.store().volumes[id] === undefined));
    expect(cinder.store(second).volumes[id]).toEqual({ size: 1, content: 'empty' });
    const { json } = await call('GET', '/os-quota-sets/p1?usage=true');
    const quota = json['quota_set'] as Record<string, { in_use: number }>;
    expect([quota[`volumes_${here}`]?.in_use, quota[`volumes_${there}`]?.in_use]).toEqual([0, 1]);
    await removed(id);
    const free = await cinder.volume({}, member);
    const target = (await show(free.id))[HOST] === pool('fake') ? 'second' : 'fake';
    const moved = await cinder.act(free.id, 'os-migrate_volume', { host: pool(target), lock_volume: true }, admin);
    expect(moved.status).toBe(202);
    await until('it has moved', async () => (await show(free.id))['migration_status'] === 'success');
    expect(await cinder.reaches(free.id, 'available', admin)).toMatchObject({ [HOST]: pool(target) });
    const done = await cinder.act(free.id, 'os-migrate_volume_completion', { new_volume: free.id }, admin);
    expect(message(done)).toMatch(/not mid-migration/);
    await removed(free.id);
    const provisioned = await cinder.query('SELECT 1 FROM pool WHERE provisioned <> 0');
    expect(provisioned).toEqual([]);
  });
});

describe('a volume', () => {
  it('goes back to its latest snapshot', async () => {
    const image = cinder.neighbours.addImage(Buffer.from('x'));
    const { id } = await cinder.volume({ imageRef: image }, member);
    const empty = await cinder.act(id, 'revert', { snapshot_id: randomUUID() }, member);
    expect([empty.status, message(empty)]).toEqual([400, `Volume ${id} doesn't have any snapshots.`]);
    const old = await cinder.snapshot(id, {}, member);
    const latest = await cinder.snapshot(id, {}, member);
    expect(message(await cinder.act(id, 'revert', { snapshot_id: old }, member))).toMatch(/not the latest one/);
    const attachment = await cinder.attach(id);
    expect((await cinder.act(id, 'revert', { snapshot_id: latest }, member)).status).toBe(409);
    await cinder.detach(attachment.id);
    await cinder.down();
    const { content } = cinder.store().volumes[id] ?? cinder.store(second).volumes[id] ?? { content: '' };
    for (const state of [cinder.config.state_path, second])
      cinder.tamper((store) => {
        const known = store.volumes[id];
        if (known !== undefined) known.content = 'written over';
      }, state);
    await cinder.up();
    expect((await cinder.act(id, 'revert', { snapshot_id: latest }, { ...member, version: '3.39' })).status).toBe(400);
    expect((await cinder.act(id, 'revert', { snapshot_id: latest }, member)).status).toBe(202);
    await cinder.reaches(id, 'available');
    await cinder.snapshotReaches(latest, 'available');
    expect({ ...cinder.store().volumes, ...cinder.store(second).volumes }[id]?.content).toBe(content);
    await cinder.act(id, 'os-extend', { new_size: 2 }, member);
    await until('it has grown', async () => (await show(id))['size'] === 2);
    expect(message(await cinder.act(id, 'revert', { snapshot_id: latest }, member))).toMatch(/size must be equal/);
    await removed(id);
    cinder.neighbours.images.clear();
  });

  it('is forgotten and found again, and so is its snapshot', async () => {
    const kind = await type({ volume_backend_name: 'fake' });
    const volume = await cinder.volume({ size: 2, volume_type: kind }, admin);
    const listed = async (what: string, query = '') => {
      const { json } = await call('GET', `/manageable_${what}/detail?host=${encodeURIComponent(pool('fake'))}${query}`);
      return json[`manageable-${what}`] as Record<string, unknown>[];
    };
    expect(await listed('volumes')).toEqual([
      {
        reference: { 'source-name': `volume-${volume.id}` },
        size: 2,
        safe_to_manage: false,
        reason_not_safe: 'already managed',
        cinder_id: volume.id,
        extra_info: null,
      },
    ]);
    const again = { host: pool('fake'), ref: { 'source-name': `volume-${volume.id}` }, name: 'n', volume_type: kind };
    expect(message(await call('POST', '/manageable_volumes', { volume: again }))).toMatch(/already managed/);
    const snapshot = await cinder.snapshot(volume.id, {}, admin);
    expect((await cinder.act(volume.id, 'os-unmanage', {}, admin)).status).toBe(400);
    const forget = await call('POST', `/snapshots/${snapshot}/action`, { 'os-unmanage': {} });
    expect([forget.status, (await call('GET', `/snapshots/${snapshot}`)).status]).toEqual([202, 404]);
    expect(await listed('snapshots')).toMatchObject([{ safe_to_manage: true, size: 2, source_reference: null }]);
    const ref = { 'source-name': `_snapshot-${snapshot}` };
    const found = await call('POST', '/os-snapshot-manage', {
      snapshot: { volume_id: volume.id, ref, name: 's', metadata: { a: 'b' } },
    });
    expect(found).toMatchObject({ status: 202, json: { snapshot: { name: 's', metadata: { a: 'b' } } } });
    expect(found.json['snapshot']).not.toHaveProperty(['os-extended-snapshot-attributes:progress']);
    const managed = (found.json['snapshot'] as { id: string }).id;
    await cinder.snapshotReaches(managed, 'available', admin);
    expect(Object.keys(cinder.store().snapshots)).toEqual([managed]);
    await call('DELETE', `/snapshots/${managed}`);
    await cinder.gone(`/snapshots/${managed}`, admin);
    expect((await cinder.act(volume.id, 'os-unmanage', null, member)).status).toBe(403);
    expect((await cinder.act(volume.id, 'os-unmanage', {}, admin)).status).toBe(202);
    expect(await cinder.show(volume.id, admin)).toBeNull();
    const usage = (await call('GET', '/os-quota-sets/p1?usage=true')).json['quota_set'] as Record<string, unknown>;
    expect([usage['volumes'], usage['gigabytes'], usage['snapshots']]).toMatchObject(
      [1, 2, 3].map(() => ({ in_use: 0 })),
    );
    expect((await listed('volumes', '&sort=size:asc&limit=1'))[0]).toMatchObject({ cinder_id: null });
    const back = await call('POST', '/os-volume-manage', { volume: { ...again, bootable: true } });
    expect(back.status).toBe(202);
    const { id } = back.json['volume'] as Volume;
    expect(await cinder.reaches(id, 'available', admin)).toMatchObject({
      name: 'n',
      size: 2,
      bootable: 'true',
      volume_type: kind,
      [HOST]: pool('fake'),
    });
    expect(Object.keys(cinder.store().volumes)).toEqual([id]);
    const missing = await call('POST', '/os-volume-manage', { volume: { ...again, ref: { 'source-name': 'none' } } });
    const lost = (missing.json['volume'] as Volume).id;
    await cinder.reaches(lost, 'error_managing', admin);
    expect((await call('POST', '/os-volume-manage', { volume: { ...again, host: 'x@y' } })).status).toBe(400);
    expect((await call('POST', '/os-volume-manage', { volume: { ...again, ref: {} } })).status).toBe(400);
    await removed(id, lost);
    const left = await cinder.query('SELECT 1 FROM quota_usage WHERE in_use <> 0');
    expect(left).toEqual([]);
  });
});

describe('what belongs to clusters and replication', () => {
  it('is answered as where there are none', async () => {
    expect((await call('GET', '/clusters/detail')).json).toEqual({ clusters: [] });
    expect((await call('GET', '/clusters?odd=1')).status).toBe(400);
    expect((await call('GET', '/clusters/c')).status).toBe(404);
    expect((await call('PUT', '/clusters/enable', { name: 'c' })).status).toBe(404);
    expect(await call('POST', '/workers/cleanup', {})).toEqual({
      status: 202,
      json: { cleaning: [], unavailable: [] },
    });
    const host = `${String(cinder.config.host)}@fake`;
    expect(message(await call('PUT', '/os-services/failover_host', { host }))).toMatch(/must be up to failover/);
    expect((await call('GET', '/clusters', undefined, member)).status).toBe(403);
  });
});
