import { beforeAll, describe, expect, it } from '@jest/globals';
import { until } from '@nestack/kernel/testing';
import { outage, refusal } from '@nestack/nova/testing';
import { Bench } from './testing/bench';
import { idle, survives, tidiesUp } from './testing/survival';

/** The law, for what happens to the volumes, disks and dumps of servers; see kill.int.spec.ts. */
let bench: Bench;

beforeAll(async () => {
  bench = await Bench.start({ hosts: 1 });
}, 60_000);

tidiesUp(() => bench);

const act = (id: string, body: Record<string, unknown>) => bench.call('POST', `/servers/${id}/action`, { body });

async function consoleOf(id: string): Promise<string> {
  return String((await act(id, { 'os-getConsoleOutput': {} })).json['output']);
}

async function withVolume(): Promise<{ id: string; volume: string }> {
  const id = await bench.boot();
  await bench.until(id, 'ACTIVE');
  const volume = bench.volumes.add({ project_id: bench.project }).id;
  await bench.call('POST', `/servers/${id}/os-volume_attachments`, {
    body: { volumeAttachment: { volumeId: volume } },
  });
  await idle(bench, id);
  expect(bench.volumes.volumes.get(volume)?.status).toBe('in-use');
  return { id, volume };
}

const sizesIn = async (id: string): Promise<readonly string[]> =>
  (await consoleOf(id)).match(/capacity change to \d+/g) ?? [];

describe('a cut worker', () => {
  it(
    'of server.extend_volume: the guest sees the new size once',
    () =>
      survives(bench, {
        kind: 'server.extend_volume',
        places: 12,
        prepare: withVolume,
        act: async ({ id, volume }) => {
          const grown = bench.volumes.volumes.get(volume);
          if (grown !== undefined) grown.size = 3;
          bench.volumes.outgrown.add(volume);
          const event = { name: 'volume-extended', server_uuid: id, tag: volume };
          const as = `${bench.project}:service`;
          const told = await bench.call('POST', '/os-server-external-events', {
            version: '2.93',
            as,
            body: { events: [event] },
          });
          expect(told.status).toBe(200);
        },
        check: async ({ id, volume }) => {
          await idle(bench, id);
          expect(await sizesIn(id)).toEqual([`capacity change to ${String(3 * 2 ** 21)}`]);
          const { rows } = await bench.query(
            'SELECT volume_size, connection_info FROM block_device_mapping WHERE instance_uuid = $1',
            [id],
          );
          expect(rows).toEqual([{ volume_size: 3, connection_info: { driver_volume_type: 'nbd', data: { volume } } }]);
        },
      }),
    120_000,
  );

  const exchange = ({ id, volume, other }: { id: string; volume: string; other: string }) =>
    bench.call('PUT', `/servers/${id}/os-volume_attachments/${volume}`, {
      as: `${bench.project}:admin`,
      body: { volumeAttachment: { volumeId: other } },
    });
  const twoVolumes = async () => ({
    ...(await withVolume()),
    other: bench.volumes.add({ project_id: bench.project }).id,
  });
  const statuses = (...ids: string[]) => ids.map((one) => bench.volumes.volumes.get(one)?.status);

  it(
    'of server.swap_volume: the guest has the other volume, and the first one is free',
    () =>
      survives(bench, {
        kind: 'server.swap_volume',
        places: 18,
        prepare: twoVolumes,
        act: exchange,
        check: async ({ id, volume, other }) => {
          await idle(bench, id);
          expect(statuses(volume, other)).toEqual(['available', 'in-use']);
          expect(bench.volumes.of(volume)).toEqual([]);
          expect(bench.volumes.of(other)).toMatchObject([{ attached: true }]);
          const { json } = await bench.call('GET', `/servers/${id}/os-volume_attachments`);
          expect(json['volumeAttachments']).toMatchObject([{ volumeId: other, device: '/dev/vdb' }]);
          expect((await consoleOf(id)).match(/is on volume/g)).toHaveLength(1);
          const { rows } = await bench.query(
            "SELECT 1 FROM external_event WHERE instance_uuid = $1 AND name = 'volume-swap'",
            [id],
          );
          expect(rows).toEqual([]);
        },
      }),
    180_000,
  );

  it(
    'of server.swap_volume that cannot be completed: the guest has the first volume again',
    () =>
      survives(bench, {
        kind: 'server.swap_volume',
        places: 18,
        prepare: async () => {
          const made = await twoVolumes();
          bench.volumes.faults.fail('complete', refusal('cinder'), { times: 2 });
          return made;
        },
        act: exchange,
        check: async ({ id, volume, other }) => {
          await idle(bench, id);
          bench.volumes.faults.forget();
          expect(statuses(volume, other)).toEqual(['in-use', 'available']);
          expect(bench.volumes.of(other)).toEqual([]);
          const { json } = await bench.call('GET', `/servers/${id}/os-volume_attachments`);
          expect(json['volumeAttachments']).toMatchObject([{ volumeId: volume }]);
          expect(await consoleOf(id)).toMatch(new RegExp(`is on volume ${other}[^]*is on volume ${volume}`));
          expect((await bench.call('DELETE', `/servers/${id}/os-volume_attachments/${volume}`)).status).toBe(202);
          await idle(bench, id);
        },
      }),
    180_000,
  );

  it(
    'of server.create_backup: the image is active, and the one before it is gone',
    () =>
      survives(bench, {
        kind: 'server.create_backup',
        places: 24,
        prepare: async () => {
          const id = await bench.boot();
          await bench.until(id, 'ACTIVE');
          await act(id, { createBackup: { name: 'before', backup_type: 'daily', rotation: 1 } });
          await idle(bench, id);
          return { id };
        },
        act: ({ id }) => act(id, { createBackup: { name: 'after', backup_type: 'daily', rotation: 1 } }),
        check: async ({ id }) => {
          await idle(bench, id);
          await bench.until(id, 'ACTIVE');
          const made = [...bench.images.images.values()].filter(
            ({ image }) => image.properties['instance_uuid'] === id,
          );
          expect(made).toMatchObject([{ status: 'active', image: { properties: { name: 'after' } } }]);
          for (const { image } of made) bench.images.images.delete(image.id);
        },
      }),
    180_000,
  );

  it(
    'of server.trigger_crash_dump: the guest is interrupted once',
    () =>
      survives(bench, {
        kind: 'server.trigger_crash_dump',
        places: 3,
        prepare: async () => {
          const id = await bench.boot();
          await bench.until(id, 'ACTIVE');
          return { id };
        },
        act: ({ id }) =>
          bench.call('POST', `/servers/${id}/action`, { version: '2.17', body: { trigger_crash_dump: null } }),
        check: async ({ id }) => {
          await idle(bench, id);
          expect((await consoleOf(id)).match(/NMI received/g)).toHaveLength(1);
        },
      }),
    60_000,
  );

  it(
    'of server.rebuild of a root volume to another image: it has the image, and one attachment',
    () =>
      survives(bench, {
        kind: 'server.rebuild',
        places: 34,
        prepare: async () => {
          bench.volumes.onReimaged = (tag, server_uuid) => {
            const event = { name: 'volume-reimaged', server_uuid, tag };
            const as = `${bench.project}:service`;
            void bench.call('POST', '/os-server-external-events', { version: '2.93', as, body: { events: [event] } });
          };
          const volume = bench.volumes.add({ project_id: bench.project, bootable: true }).id;
          const root = { source_type: 'volume', uuid: volume, destination_type: 'volume', boot_index: 0 };
          const id = await bench.boot({ imageRef: undefined, block_device_mapping_v2: [root] });
          await bench.until(id, 'ACTIVE');
          return { id, volume };
        },
        act: ({ id }) =>
          bench.call('POST', `/servers/${id}/action`, {
            version: '2.93',
            body: { rebuild: { imageRef: bench.image } },
          }),
        check: async ({ id, volume }) => {
          await idle(bench, id);
          await bench.until(id, 'ACTIVE');
          expect(bench.volumes.contents.get(volume)).toBe(bench.image);
          expect(bench.volumes.of(volume)).toMatchObject([{ attached: true }]);
          expect(bench.volumes.volumes.get(volume)?.status).toBe('in-use');
          expect((await consoleOf(id)).match(/rebuilt from its volume/g)).toHaveLength(1);
        },
      }),
    180_000,
  );
});

describe('a reservation that cinder makes when nobody waits for it any more', () => {
  /** Lets cinder make it now: the volume is reserved, and is let go again. */
  async function letGo(volume: string, make: () => Promise<void>): Promise<void> {
    const now = () => bench.volumes.volumes.get(volume)?.status;
    expect([now(), bench.volumes.of(volume)]).toEqual(['available', []]);
    await make();
    expect([now(), bench.volumes.of(volume)]).toMatchObject(['reserved', [{ attached: false }]]);
    await until('the volume is let go', () => now() === 'available', 30_000);
    expect(bench.volumes.of(volume)).toEqual([]);
  }
  const fails = (command: string) => {
    for (const { behaviour } of bench.hosts) behaviour.failures = { [command]: 100 };
  };
  const volumeOf = (fields = {}) => bench.volumes.add({ project_id: bench.project, ...fields }).id;

  it('of server.attach_volume, which the guest has refused', async () => {
    const id = await bench.boot();
    await bench.until(id, 'ACTIVE');
    const volume = volumeOf();
    fails('attach_volume');
    const make = bench.volumes.faults.late('ensureAttachment', outage('cinder'));
    const body = { volumeAttachment: { volumeId: volume } };
    expect((await bench.call('POST', `/servers/${id}/os-volume_attachments`, { body })).status).toBe(200);
    await idle(bench, id);
    await letGo(volume, make);
  }, 60_000);

  it('of server.swap_volume, which the guest has refused', async () => {
    const { id, volume } = await withVolume();
    const other = volumeOf();
    fails('swap_volume');
    const make = bench.volumes.faults.late('ensureAttachment', outage('cinder'));
    const as = `${bench.project}:admin`;
    const body = { volumeAttachment: { volumeId: other } };
    expect((await bench.call('PUT', `/servers/${id}/os-volume_attachments/${volume}`, { as, body })).status).toBe(202);
    await idle(bench, id);
    await letGo(other, make);
    expect(bench.volumes.volumes.get(volume)?.status).toBe('in-use');
  }, 60_000);

  it('of server.create, which no host could build', async () => {
    const volume = volumeOf({ bootable: true });
    fails('spawn');
    const make = bench.volumes.faults.late('ensureAttachment', outage('cinder'));
    const root = { uuid: volume, source_type: 'volume', destination_type: 'volume', boot_index: 0 };
    const id = await bench.boot({ imageRef: '', block_device_mapping_v2: [root] });
    await bench.until(id, 'ERROR');
    await letGo(volume, make);
  }, 60_000);
});
