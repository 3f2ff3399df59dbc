import { beforeAll, describe, expect, it } from '@jest/globals';
import { until } from '@nestack/kernel/testing';
import { Bench, type BenchHost } from './testing/bench';
import { idle, survives, tidiesUp } from './testing/survival';

/** The law for servers that go from one host to another, with a volume. */
let bench: Bench;
let large = '';

beforeAll(async () => {
  bench = await Bench.start({ hosts: 2 });
  large = await bench.addFlavor({ vcpus: 2, ram: 128, disk: 2 });
}, 60_000);

tidiesUp(() => bench);

interface Made {
  readonly id: string;
  readonly from: BenchHost;
  readonly to: BenchHost;
  readonly disk: string | null | undefined;
}

const act = (id: string, body: Record<string, unknown>, as = bench.project) =>
  bench.call('POST', `/servers/${id}/action`, { body, as });
const migrate = ({ id }: Made) => act(id, { migrate: null }, `${bench.project}:admin`);

async function active(): Promise<Made> {
  bench.volumes.volumes.clear();
  const id = await bench.boot();
  const host = (await bench.until(id, 'ACTIVE'))['OS-EXT-SRV-ATTR:host'];
  const volume = bench.volumes.add({ project_id: bench.project });
  const body = { volumeAttachment: { volumeId: volume.id } };
  await bench.call('POST', `/servers/${id}/os-volume_attachments`, { body });
  await until('it is attached', () => bench.volumes.of(volume.id).some((one) => one.attached));
  await idle(bench, id);
  const [from, to] = [...bench.hosts].sort((a) => (a.name === host ? -1 : 1)) as [BenchHost, BenchHost];
  return { id, from, to, disk: from.driver.diskOf(id) };
}

async function moved(): Promise<Made> {
  const made = await active();
  await migrate(made);
  await bench.until(made.id, 'VERIFY_RESIZE');
  return made;
}

/** What Placement counts, by the name of the host. */
const claims = (): readonly string[] =>
  [...bench.placement.allocations.values()]
    .map(
      ({ provider, amounts }) =>
        `${bench.placement.providers.get(provider)?.name ?? ''} ${String(amounts['MEMORY_MB'])}`,
    )
    .sort();

/** The server, its disk, its volume and its port are on the host, and on no other. */
async function isOn({ id, disk }: Made, host: BenchHost, status: string, away: BenchHost, left: null | undefined) {
  await idle(bench, id);
  expect((await bench.until(id, status))['OS-EXT-SRV-ATTR:host']).toBe(host.name);
  expect([host.driver.diskOf(id), away.driver.diskOf(id)]).toEqual([disk, left]);
  expect([...bench.volumes.attachments.values()]).toMatchObject([{ attached: true, connector: { host: host.name } }]);
  expect(bench.networks.of(id).map((port) => port.host)).toEqual([host.name]);
  const running = (await host.driver.guests()).filter((guest) => guest.uuid === id && guest.power === 1);
  expect(running).toHaveLength(1);
}

describe('a cut worker', () => {
  it(
    'of server.resize to another host: the server is there, with its new flavor, and both hosts are held',
    () =>
      survives(bench, {
        kind: 'server.resize',
        places: 36,
        prepare: active,
        act: ({ id }) => act(id, { resize: { flavorRef: large } }),
        check: async (made) => {
          await isOn(made, made.to, 'VERIFY_RESIZE', made.from, null);
          expect(claims()).toEqual([`${made.from.name} 64`, `${made.to.name} 128`].sort());
        },
      }),
    400_000,
  );

  it(
    'of server.migrate that the new host refuses in the end: the server is where and as it was',
    () =>
      survives(bench, {
        kind: 'server.migrate',
        places: 40,
        prepare: async () => {
          const made = await active();
          made.to.behaviour.failures = { finish_resize: 100 };
          return made;
        },
        act: migrate,
        check: async (made) => {
          await isOn(made, made.from, 'ACTIVE', made.to, undefined);
          expect(claims()).toEqual([`${made.from.name} 64`]);
        },
      }),
    400_000,
  );

  it(
    'of server.confirm_resize: the old host has nothing any more',
    () =>
      survives(bench, {
        kind: 'server.confirm_resize',
        places: 8,
        prepare: moved,
        act: ({ id }) => act(id, { confirmResize: null }),
        check: async (made) => {
          await isOn(made, made.to, 'ACTIVE', made.from, undefined);
          expect(claims()).toEqual([`${made.to.name} 64`]);
        },
      }),
    200_000,
  );

  it(
    'of server.revert_resize: the server is where and as it was',
    () =>
      survives(bench, {
        kind: 'server.revert_resize',
        places: 20,
        prepare: moved,
        act: ({ id }) => act(id, { revertResize: null }),
        check: async (made) => {
          await isOn(made, made.from, 'ACTIVE', made.to, undefined);
          expect(claims()).toEqual([`${made.from.name} 64`]);
        },
      }),
    300_000,
  );

  it(
    'of server.delete in VERIFY_RESIZE: neither host has anything any more',
    () =>
      survives(bench, {
        kind: 'server.delete',
        places: 16,
        prepare: moved,
        act: ({ id }) => bench.call('DELETE', `/servers/${id}`),
        check: async ({ id }) => {
          await bench.until(id, 'GONE');
          expect(claims()).toEqual([]);
        },
      }),
    200_000,
  );
});
