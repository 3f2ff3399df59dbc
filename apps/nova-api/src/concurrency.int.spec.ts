import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { until } from '@nestack/kernel/testing';
import { Bench } from './testing/bench';

let bench: Bench;
let admin: string;

beforeAll(async () => {
  bench = await Bench.start({ hosts: 2 });
  admin = `${bench.project}:admin`;
}, 60_000);

afterAll(async () => {
  await bench.close();
});

afterEach(() => bench.tidy(), 60_000);

const create = (fields: Record<string, unknown> = {}) =>
  bench.call('POST', '/servers', {
    body: {
      server: {
        name: 'vm',
        imageRef: bench.image,
        flavorRef: bench.flavor,
        networks: [{ uuid: bench.network }],
        ...fields,
      },
    },
  });

const quota = (limits: Record<string, number>) =>
  bench.call('PUT', `/os-quota-sets/${bench.project}`, { as: admin, body: { quota_set: limits } });

describe('50 creates at once', () => {
  it('never exceed a quota of 7 instances', async () => {
    await quota({ instances: 7, cores: -1, ram: -1 });
    const answers = await Promise.all(Array.from({ length: 50 }, () => create()));
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(7);
    const refused = answers.filter(({ status }) => status !== 202);
    expect(new Set(refused.map(({ status }) => status))).toEqual(new Set([403]));
    const { servers } = (await bench.call('GET', '/servers')).json as { servers: { id: string }[] };
    expect(servers).toHaveLength(7);
    for (const { id } of servers) await bench.until(id, 'ACTIVE');
    const { absolute } = (await bench.call('GET', '/limits')).json['limits'] as { absolute: Record<string, number> };
    expect(absolute).toMatchObject({ maxTotalInstances: 7, totalInstancesUsed: 7, totalCoresUsed: 7 });
  }, 60_000);

  it('never exceed a quota of 5 cores, whichever limit is met first', async () => {
    await quota({ instances: 40, cores: 5, ram: 320 });
    const answers = await Promise.all(Array.from({ length: 50 }, () => create()));
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(5);
  }, 60_000);

  it('of several servers each take what fits, but at least what they need', async () => {
    await quota({ instances: 5, cores: -1, ram: -1 });
    const answers = await Promise.all(Array.from({ length: 10 }, () => create({ min_count: 2, max_count: 4 })));
    expect(answers.filter(({ status }) => status === 202).length).toBeGreaterThan(0);
    const { servers } = (await bench.call('GET', '/servers')).json as { servers: { id: string }[] };
    expect(servers.length).toBeLessThanOrEqual(5);
    for (const { id } of servers) await bench.until(id, 'ACTIVE');
  }, 60_000);

  it('leave no volumes of servers that the quota refuses', async () => {
    await quota({ instances: 3, cores: -1, ram: -1 });
    const disk = {
      source_type: 'image',
      uuid: bench.image,
      destination_type: 'volume',
      volume_size: 1,
      boot_index: 0,
      delete_on_termination: true,
    };
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => create({ imageRef: undefined, block_device_mapping_v2: [disk] })),
    );
    const made = answers.filter(({ status }) => status === 202);
    expect(made).toHaveLength(3);
    expect(bench.volumes.volumes.size).toBe(3);
    await bench.tidy();
    expect(bench.volumes.volumes.size).toBe(0);
  }, 60_000);

  it('all become ACTIVE, each with one guest, one port and one claim', async () => {
    await quota({ instances: -1, cores: -1, ram: -1 });
    const answers = await Promise.all(Array.from({ length: 50 }, () => create()));
    const ids = answers.map(({ json }) => (json as { server: { id: string } }).server.id);
    for (const id of ids) await bench.until(id, 'ACTIVE', 60_000);
    const guests = (await Promise.all(bench.hosts.map(({ driver }) => driver.guests()))).flat();
    expect(guests.map(({ uuid }) => uuid).sort()).toEqual([...ids].sort());
    expect(bench.networks.ports.size).toBe(50);
    expect(bench.placement.allocations.size).toBe(50);
    await bench.tidy();
    expect(await bench.leftovers()).toEqual([]);
  }, 120_000);
});

describe('actions at once', () => {
  it('of which one may begin: the others are refused', async () => {
    const id = await bench.boot();
    await bench.until(id, 'ACTIVE');
    for (const { behaviour } of bench.hosts) behaviour.delays = { power_off: 100 };
    const act = (body: Record<string, unknown>) => bench.call('POST', `/servers/${id}/action`, { body });
    const answers = await Promise.all(Array.from({ length: 10 }, () => act({ 'os-stop': null })));
    expect(answers.map(({ status }) => status).sort()).toEqual([202, ...Array.from({ length: 9 }, () => 409)]);
    await bench.until(id, 'SHUTOFF');
  }, 30_000);

  it('of twenty deletes all are accepted or find nothing, and one deletes', async () => {
    const id = await bench.boot();
    await bench.until(id, 'ACTIVE');
    const answers = await Promise.all(Array.from({ length: 20 }, () => bench.call('DELETE', `/servers/${id}`)));
    for (const { status } of answers) expect([204, 404]).toContain(status);
    await bench.until(id, 'GONE');
    const { rows } = await bench.query("SELECT 1 FROM saga WHERE resource_id = $1 AND kind = 'server.delete'", [id]);
    expect(rows).toHaveLength(1);
    expect(await bench.leftovers()).toEqual([]);
  }, 30_000);

  it('of ten attachments of one volume one has it', async () => {
    const ids = await Promise.all(Array.from({ length: 5 }, () => bench.boot()));
    for (const id of ids) await bench.until(id, 'ACTIVE');
    const volume = bench.volumes.add({ project_id: bench.project });
    const answers = await Promise.all(
      [...ids, ...ids].map((id) =>
        bench.call('POST', `/servers/${id}/os-volume_attachments`, {
          body: { volumeAttachment: { volumeId: volume.id } },
        }),
      ),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    await until('the volume is in use', () => volume.status === 'in-use');
    expect(bench.volumes.of(volume.id)).toHaveLength(1);
    const listed = await Promise.all(ids.map((id) => bench.call('GET', `/servers/${id}/os-volume_attachments`)));
    await until('the others show nothing', async () => {
      const now = await Promise.all(ids.map((id) => bench.call('GET', `/servers/${id}/os-volume_attachments`)));
      return now.flatMap(({ json }) => json['volumeAttachments'] as unknown[]).length === 1;
    });
    expect(listed.every(({ status }) => status === 200)).toBe(true);
  }, 60_000);
});
