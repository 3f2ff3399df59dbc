import { beforeAll, describe, expect, it } from '@jest/globals';
import { until } from '@nestack/kernel/testing';
import { refusal } from '@nestack/nova/testing';
import { Bench } from './testing/bench';
import { idle, survives, tidiesUp } from './testing/survival';

/**
 * The law, for every long operation: its worker is cut off before and after each effect and each journal entry, one place
 * per run, and another worker goes on. Each time the run ends as the undisturbed one does, and every effect is there once.
 */
let bench: Bench;
/** Of an anti-affinity group: a member that is cut off must not keep its place. */
let group = '';

beforeAll(async () => {
  bench = await Bench.start({ hosts: 3 });
  const made = await bench.call('POST', '/os-server-groups', {
    body: { server_group: { name: 'apart', policies: ['anti-affinity'] } },
  });
  group = (made.json as { server_group: { id: string } }).server_group.id;
}, 60_000);

tidiesUp(() => bench);

const act = (id: string, body: Record<string, unknown>) => bench.call('POST', `/servers/${id}/action`, { body });

async function active(): Promise<string> {
  const id = await bench.boot();
  await bench.until(id, 'ACTIVE');
  return id;
}

async function withVolume(): Promise<{ id: string; volume: string }> {
  const id = await active();
  const volume = bench.volumes.add({ project_id: bench.project });
  await attach({ id, volume: volume.id });
  await attached({ id, volume: volume.id });
  return { id, volume: volume.id };
}

const attach = ({ id, volume }: { id: string; volume: string }) =>
  bench.call('POST', `/servers/${id}/os-volume_attachments`, { body: { volumeAttachment: { volumeId: volume } } });

async function attached({ id, volume }: { id: string; volume: string }): Promise<void> {
  await idle(bench, id);
  expect(bench.volumes.volumes.get(volume)?.status).toBe('in-use');
  expect(bench.volumes.of(volume)).toHaveLength(1);
  expect((await bench.call('GET', `/servers/${id}/os-volume_attachments/${volume}`)).status).toBe(200);
  expect((await consoleOf(id)).match(/new disk/g)).toHaveLength(1);
}

async function detached({ id, volume }: { id: string; volume: string }): Promise<void> {
  await idle(bench, id);
  expect(bench.volumes.volumes.get(volume)?.status).toBe('available');
  expect(bench.volumes.of(volume)).toEqual([]);
  expect((await bench.call('GET', `/servers/${id}/os-volume_attachments/${volume}`)).status).toBe(404);
}

async function consoleOf(id: string): Promise<string> {
  return String((await act(id, { 'os-getConsoleOutput': {} })).json['output']);
}

/** One guest, one port, one claim: neither none nor two. */
async function once(id: string): Promise<void> {
  const guests = await Promise.all(bench.hosts.map(({ driver }) => driver.guests()));
  expect(guests.flat().filter(({ uuid }) => uuid === id)).toHaveLength(1);
  expect(bench.networks.of(id)).toHaveLength(1);
  expect(bench.placement.allocations.has(id)).toBe(true);
}

/** A server of the group with a NIC and a volume; the volume's id is in `volume`. */
async function create(made: { volume: string; id?: string }): Promise<void> {
  const block_device_mapping_v2 = [
    { source_type: 'image', uuid: bench.image, destination_type: 'local', boot_index: 0 },
    { source_type: 'volume', uuid: made.volume, destination_type: 'volume', boot_index: -1 },
  ];
  made.id = await bench.boot({ block_device_mapping_v2 }, {}, { group });
}

const aVolume = async (): Promise<{ volume: string; id?: string }> => {
  await Promise.resolve();
  return { volume: bench.volumes.add({ project_id: bench.project }).id };
};

describe('a cut worker', () => {
  it(
    'of server.create: the server becomes ACTIVE',
    () =>
      survives(bench, {
        kind: 'server.create',
        places: 30,
        prepare: aVolume,
        act: create,
        check: async ({ id = '', volume }) => {
          const server = await bench.until(id, 'ACTIVE');
          expect(Object.keys(server['addresses'] as object)).toEqual(['private']);
          await once(id);
          expect(bench.volumes.of(volume)).toMatchObject([{ attached: true }]);
        },
      }),
    180_000,
  );

  it(
    'of server.create with a host without the network and one that cannot build it: the third has it',
    () =>
      survives(bench, {
        kind: 'server.create',
        places: 50,
        prepare: async () => {
          const [first, second] = bench.hosts;
          if (first !== undefined) bench.networks.faults.hosts.add(first.name);
          if (second !== undefined) second.behaviour.failures = { spawn: 100 };
          return aVolume();
        },
        act: create,
        check: async ({ id = '' }) => {
          const server = await bench.until(id, 'ACTIVE');
          expect(server['OS-EXT-SRV-ATTR:host']).toBe(bench.hosts[2]?.name);
          await once(id);
        },
      }),
    180_000,
  );

  it(
    'of server.create that fails at its end: everything is given back',
    () =>
      survives(bench, {
        kind: 'server.create',
        places: 34,
        prepare: async () => {
          bench.volumes.faults.fail('complete', refusal('cinder'), { times: 1000 });
          return aVolume();
        },
        act: create,
        check: async ({ id = '' }) => {
          expect((await bench.until(id, 'ERROR'))['fault']).toMatchObject({ message: 'cinder refuses.' });
          expect(await bench.leftovers()).toEqual([]);
        },
      }),
    180_000,
  );

  it(
    'of server.create that a delete takes over: nothing is left',
    () =>
      survives(bench, {
        kind: 'server.create',
        places: 12,
        prepare: aVolume,
        act: async (made) => {
          const release = bench.networks.faults.hold('ensurePorts');
          await create(made);
          const { id = '' } = made;
          await Promise.race([
            until('the boot is at its ports', () => bench.networks.faults.count('ensurePorts') > 0),
            // A worker that is cut before it gets there never gets there.
            new Promise((resolve) => setTimeout(resolve, 300)),
          ]);
          expect((await bench.call('DELETE', `/servers/${id}`)).status).toBe(204);
          release();
        },
        check: async ({ id = '' }) => {
          await bench.until(id, 'GONE');
          expect(await bench.leftovers()).toEqual([]);
        },
      }),
    180_000,
  );

  it(
    'of server.delete: the server is gone',
    () =>
      survives(bench, {
        kind: 'server.delete',
        places: 20,
        prepare: withVolume,
        act: ({ id }) => bench.call('DELETE', `/servers/${id}`),
        check: async ({ id, volume }) => {
          await bench.until(id, 'GONE');
          expect(bench.volumes.volumes.get(volume)?.status).toBe('available');
          expect(await bench.leftovers()).toEqual([]);
        },
      }),
    180_000,
  );

  it.each([
    ['server.stop', { 'os-stop': null }, 'SHUTOFF', null],
    ['server.reboot', { reboot: { type: 'HARD' } }, 'ACTIVE', /hard reboot/g],
    ['server.reboot', { reboot: { type: 'SOFT' } }, 'ACTIVE', /soft reboot/g],
    ['server.pause', { pause: null }, 'PAUSED', null],
    ['server.suspend', { suspend: null }, 'SUSPENDED', null],
    ['server.rescue', { rescue: null }, 'RESCUE', /\(rescue\)/g],
  ])(
    'of %s %j: it is done once',
    (kind, body, status, line) =>
      survives(bench, {
        kind,
        places: 7,
        prepare: active,
        act: (id) => act(id, body),
        check: async (id) => {
          await idle(bench, id);
          await bench.until(id, status);
          if (line !== null) expect((await consoleOf(id)).match(line)).toHaveLength(1);
        },
      }),
    60_000,
  );

  it.each([
    ['server.start', { 'os-stop': null }, 'SHUTOFF', { 'os-start': null }],
    ['server.unpause', { pause: null }, 'PAUSED', { unpause: null }],
    ['server.resume', { suspend: null }, 'SUSPENDED', { resume: null }],
    ['server.unrescue', { rescue: null }, 'RESCUE', { unrescue: null }],
  ])(
    'of %s: the guest runs',
    (kind, before, state, body) =>
      survives(bench, {
        kind,
        places: 7,
        prepare: async () => {
          const id = await active();
          await act(id, before);
          await bench.until(id, state);
          return id;
        },
        act: (id) => act(id, body),
        check: async (id) => {
          await bench.until(id, 'ACTIVE');
        },
      }),
    60_000,
  );

  it(
    'of server.stop that the host refuses: the server runs on',
    () =>
      survives(bench, {
        kind: 'server.stop',
        places: 4,
        prepare: async () => {
          const id = await active();
          for (const { behaviour } of bench.hosts) behaviour.failures = { power_off: 100 };
          return id;
        },
        act: (id) => act(id, { 'os-stop': null }),
        check: async (id) => {
          await bench.until(id, 'ACTIVE');
        },
      }),
    60_000,
  );

  it(
    'of server.rescue that the host refuses: the server is off as before',
    () =>
      survives(bench, {
        kind: 'server.rescue',
        places: 6,
        prepare: async () => {
          const id = await active();
          await act(id, { 'os-stop': null });
          await bench.until(id, 'SHUTOFF');
          for (const { behaviour } of bench.hosts) behaviour.failures = { rescue: 100 };
          return id;
        },
        act: (id) => act(id, { rescue: null }),
        check: async (id) => {
          await idle(bench, id);
          expect((await bench.until(id, 'SHUTOFF'))['OS-EXT-STS:power_state']).toBe(4);
          const guests = await Promise.all(bench.hosts.map(({ driver }) => driver.guests()));
          expect(guests.flat().find(({ uuid }) => uuid === id)?.power).toBe(4);
        },
      }),
    60_000,
  );

  it(
    'of server.rebuild of a stopped server: it is rebuilt once and stopped',
    () =>
      survives(bench, {
        kind: 'server.rebuild',
        places: 17,
        prepare: async () => {
          const id = await active();
          await act(id, { 'os-stop': null });
          await bench.until(id, 'SHUTOFF');
          return id;
        },
        act: (id) => act(id, { rebuild: { imageRef: bench.images.add() } }),
        check: async (id) => {
          await idle(bench, id);
          await bench.until(id, 'SHUTOFF');
          expect((await consoleOf(id)).match(/rebuilt from/g)).toHaveLength(1);
          await once(id);
        },
      }),
    60_000,
  );

  it(
    'of server.rebuild with an image that its host may not have: the server has the one it had',
    () =>
      survives(bench, {
        kind: 'server.rebuild',
        places: 6,
        prepare: active,
        act: (id) => act(id, { rebuild: { imageRef: bench.images.add({ properties: { hw_architecture: 'sparc' } }) } }),
        check: async (id) => {
          expect(await bench.until(id, 'ERROR')).toMatchObject({ image: { id: bench.image } });
          expect(await consoleOf(id)).not.toMatch('rebuilt from');
        },
      }),
    60_000,
  );

  const snapshot = async (made: { id: string; image: string }): Promise<void> => {
    const answer = await bench.call('POST', `/servers/${made.id}/action`, {
      version: '2.45',
      body: { createImage: { name: 'snap' } },
    });
    made.image = String(answer.json['image_id']);
  };

  it(
    'of server.create_image: the image is active and no copy is left',
    () =>
      survives(bench, {
        kind: 'server.create_image',
        places: 22,
        prepare: async () => ({ id: await active(), image: '' }),
        act: snapshot,
        check: async ({ id, image }) => {
          await idle(bench, id);
          await bench.until(id, 'ACTIVE');
          expect(bench.images.images.get(image)?.status).toBe('active');
          await Promise.all(bench.hosts.map(({ driver }) => expect(driver.openSnapshot(id, image)).rejects.toThrow()));
          bench.images.images.delete(image);
        },
      }),
    180_000,
  );

  it(
    'of server.create_volume_image: the image names one snapshot',
    () =>
      survives(bench, {
        kind: 'server.create_volume_image',
        places: 16,
        prepare: async () => {
          const volume = bench.volumes.add({ project_id: bench.project, bootable: true }).id;
          const root = { source_type: 'volume', uuid: volume, destination_type: 'volume', boot_index: 0 };
          const id = await bench.boot({ imageRef: undefined, block_device_mapping_v2: [root] });
          await bench.until(id, 'ACTIVE');
          return { id, image: '' };
        },
        act: snapshot,
        check: async ({ id, image }) => {
          await idle(bench, id);
          await bench.until(id, 'ACTIVE');
          expect(bench.images.images.get(image)?.status).toBe('active');
          expect(bench.volumes.snapshots.size).toBe(1);
          bench.volumes.snapshots.clear();
          bench.images.images.delete(image);
        },
      }),
    180_000,
  );

  it(
    'of server.create_image whose upload is refused: there is no image',
    () =>
      survives(bench, {
        kind: 'server.create_image',
        places: 20,
        prepare: async () => {
          bench.images.faults.fail('upload', refusal('glance'), { times: 1000 });
          return { id: await active(), image: '' };
        },
        act: snapshot,
        check: async ({ id, image }) => {
          await idle(bench, id);
          await bench.until(id, 'ACTIVE');
          expect(bench.images.images.has(image)).toBe(false);
        },
      }),
    180_000,
  );

  it(
    'of server.attach_volume: the guest has it',
    () =>
      survives(bench, {
        kind: 'server.attach_volume',
        places: 22,
        prepare: async () => ({ id: await active(), volume: bench.volumes.add({ project_id: bench.project }).id }),
        act: attach,
        check: attached,
      }),
    120_000,
  );

  it(
    'of server.attach_volume that the guest refuses: the volume is available',
    () =>
      survives(bench, {
        kind: 'server.attach_volume',
        places: 16,
        prepare: async () => {
          for (const { behaviour } of bench.hosts) behaviour.failures = { attach_volume: 100 };
          return { id: await active(), volume: bench.volumes.add({ project_id: bench.project }).id };
        },
        act: attach,
        check: detached,
      }),
    120_000,
  );

  it(
    'of server.detach_volume: the volume is available',
    () =>
      survives(bench, {
        kind: 'server.detach_volume',
        places: 16,
        prepare: withVolume,
        act: ({ id, volume }) => bench.call('DELETE', `/servers/${id}/os-volume_attachments/${volume}`),
        check: detached,
      }),
    120_000,
  );

  it(
    'of server.detach_volume that the guest refuses: it keeps the volume',
    () =>
      survives(bench, {
        kind: 'server.detach_volume',
        places: 8,
        prepare: async () => {
          const made = await withVolume();
          for (const { behaviour } of bench.hosts) behaviour.failures = { detach_volume: 100 };
          return made;
        },
        act: ({ id, volume }) => bench.call('DELETE', `/servers/${id}/os-volume_attachments/${volume}`),
        check: async (made) => {
          await attached(made);
          for (const { behaviour } of bench.hosts) behaviour.failures = {};
        },
      }),
    120_000,
  );
});
