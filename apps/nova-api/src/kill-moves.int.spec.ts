import { beforeAll, describe, expect, it } from '@jest/globals';
import { Bench } from './testing/bench';
import { idle, survives, tidiesUp } from './testing/survival';

/** The law for operations that change where servers are and what they have. */
let bench: Bench;
let large = '';

beforeAll(async () => {
  bench = await Bench.start({ hosts: 1, allowResizeToSameHost: true });
  large = await bench.addFlavor({ vcpus: 2, ram: 128, disk: 2 });
}, 60_000);

tidiesUp(() => bench);

const act = (id: string, body: Record<string, unknown>) => bench.call('POST', `/servers/${id}/action`, { body });
const resize = (id: string) => act(id, { resize: { flavorRef: large } });

async function active(): Promise<string> {
  const id = await bench.boot();
  await bench.until(id, 'ACTIVE');
  return id;
}

async function resized(): Promise<string> {
  const id = await active();
  await resize(id);
  await bench.until(id, 'VERIFY_RESIZE');
  return id;
}

async function shelved(): Promise<string> {
  const id = await active();
  await act(id, { shelve: null });
  await bench.until(id, 'SHELVED_OFFLOADED');
  return id;
}

/** Statuses of the images that shelving has made. */
const images = (): readonly string[] =>
  [...bench.images.images.values()]
    .filter(({ image }) => image.properties['image_type'] === 'snapshot')
    .map(({ status }) => status);

/** Memory that Placement counts for servers and their migrations. */
const claims = (): readonly (number | undefined)[] =>
  [...bench.placement.allocations.values()].map(({ amounts }) => amounts['MEMORY_MB']).sort();

async function is(id: string, status: string, flavor: string, memory: number): Promise<void> {
  await idle(bench, id);
  const server = await bench.until(id, status);
  expect((server['flavor'] as { id: string }).id).toBe(flavor);
  const { json } = await bench.call('GET', `/servers/${id}/diagnostics`, { as: `${bench.project}:admin` });
  expect(json['memory']).toBe(memory * 1024);
}

describe('a cut worker', () => {
  it(
    'of server.resize: the server has the new flavor and holds both',
    () =>
      survives(bench, {
        kind: 'server.resize',
        places: 14,
        prepare: active,
        act: resize,
        check: async (id) => {
          await is(id, 'VERIFY_RESIZE', large, 128);
          expect(claims()).toEqual([128, 64]);
          const output = (await act(id, { 'os-getConsoleOutput': {} })).json['output'];
          expect(String(output).match(/resized to 128 MB/g)).toHaveLength(1);
        },
      }),
    120_000,
  );

  it(
    'of server.resize that the host refuses: the server is as it was',
    () =>
      survives(bench, {
        kind: 'server.resize',
        places: 12,
        prepare: async () => {
          for (const { behaviour } of bench.hosts) behaviour.failures = { resize: 100 };
          return active();
        },
        act: resize,
        check: async (id) => {
          await is(id, 'ACTIVE', bench.flavor, 64);
          expect(claims()).toEqual([64]);
        },
      }),
    120_000,
  );

  it(
    'of server.confirm_resize: only the new flavor is held',
    () =>
      survives(bench, {
        kind: 'server.confirm_resize',
        places: 8,
        prepare: resized,
        act: (id) => act(id, { confirmResize: null }),
        check: async (id) => {
          await is(id, 'ACTIVE', large, 128);
          expect(claims()).toEqual([128]);
        },
      }),
    120_000,
  );

  it(
    'of server.revert_resize: the server is as it was',
    () =>
      survives(bench, {
        kind: 'server.revert_resize',
        places: 8,
        prepare: resized,
        act: (id) => act(id, { revertResize: null }),
        check: async (id) => {
          await is(id, 'ACTIVE', bench.flavor, 64);
          expect(claims()).toEqual([64]);
        },
      }),
    120_000,
  );

  it(
    'of server.delete in VERIFY_RESIZE: nothing is held any more',
    () =>
      survives(bench, {
        kind: 'server.delete',
        places: 16,
        prepare: resized,
        act: (id) => bench.call('DELETE', `/servers/${id}`),
        check: async (id) => {
          await bench.until(id, 'GONE');
          expect(claims()).toEqual([]);
        },
      }),
    120_000,
  );

  it(
    'of server.shelve: the server is offloaded, with one image',
    () =>
      survives(bench, {
        kind: 'server.shelve',
        places: 24,
        prepare: active,
        act: (id) => act(id, { shelve: null }),
        check: async (id) => {
          await idle(bench, id);
          await bench.until(id, 'SHELVED_OFFLOADED');
          expect([claims(), images()]).toEqual([[], ['active']]);
          expect((await Promise.all(bench.hosts.map(({ driver }) => driver.guests()))).flat()).toEqual([]);
        },
      }),
    180_000,
  );

  it(
    'of server.shelve that the host refuses: the server runs on',
    () =>
      survives(bench, {
        kind: 'server.shelve',
        places: 12,
        prepare: async () => {
          for (const { behaviour } of bench.hosts) behaviour.failures = { snapshot: 100 };
          return active();
        },
        act: (id) => act(id, { shelve: null }),
        check: async (id) => {
          await is(id, 'ACTIVE', bench.flavor, 64);
          expect([claims(), images()]).toEqual([[64], []]);
        },
      }),
    180_000,
  );

  it(
    'of server.unshelve: the server runs, and its image is gone',
    () =>
      survives(bench, {
        kind: 'server.unshelve',
        places: 24,
        prepare: shelved,
        act: (id) => act(id, { unshelve: null }),
        check: async (id) => {
          await is(id, 'ACTIVE', bench.flavor, 64);
          expect([claims(), images(), bench.networks.of(id).length]).toEqual([[64], [], 1]);
        },
      }),
    180_000,
  );

  it(
    'of server.unshelve that no host can build: the server is offloaded as before',
    () =>
      survives(bench, {
        kind: 'server.unshelve',
        places: 16,
        prepare: async () => {
          const id = await shelved();
          for (const { behaviour } of bench.hosts) behaviour.failures = { spawn: 100 };
          return id;
        },
        act: (id) => act(id, { unshelve: null }),
        check: async (id) => {
          await idle(bench, id);
          await bench.until(id, 'SHELVED_OFFLOADED');
          expect([claims(), images(), bench.networks.of(id).length]).toEqual([[], ['active'], 1]);
        },
      }),
    180_000,
  );
});
