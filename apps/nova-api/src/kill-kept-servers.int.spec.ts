import { beforeAll, describe, expect, it } from '@jest/globals';
import { Bench } from './testing/bench';
import { idle, survives, tidiesUp } from './testing/survival';

/** Shelved servers that are kept on their hosts: until asked to leave, or for a while. The latter comes last. */
const options = { hosts: 1, shelvedOffloadTime: -1 };
let bench: Bench;

beforeAll(async () => {
  bench = await Bench.start(options);
}, 60_000);

tidiesUp(() => bench);

const admin = () => `${bench.project}:admin`;
const act = (id: string, body: Record<string, unknown>, version = '2.1') =>
  bench.call('POST', `/servers/${id}/action`, { body, as: admin(), version });
const guestOf = async (id: string) => (await bench.hosts[0]?.driver.guests())?.find(({ uuid }) => uuid === id);
const images = (id: string) =>
  [...bench.images.images.values()].filter(({ image }) => image.properties['instance_uuid'] === id);
const actions = async (id: string) => {
  const { json } = await bench.call('GET', `/servers/${id}/os-instance-actions`);
  return (json['instanceActions'] as { action: string }[]).map(({ action }) => action);
};

async function kept(): Promise<string> {
  const id = await bench.boot();
  await bench.until(id, 'ACTIVE');
  expect((await act(id, { shelve: null })).status).toBe(202);
  await bench.until(id, 'SHELVED');
  // The host's own copy goes last.
  await idle(bench, id);
  return id;
}

async function left(id: string): Promise<void> {
  expect(await bench.until(id, 'SHELVED_OFFLOADED')).toMatchObject({ 'OS-EXT-SRV-ATTR:host': null });
  expect([await guestOf(id), bench.placement.allocations.has(id)]).toEqual([undefined, false]);
  expect(images(id).map(({ status }) => status)).toEqual(['active']);
}

describe('a shelved server that is kept', () => {
  it('holds its host, its claim and an image, and starts there without it', async () => {
    const id = await kept();
    expect(await bench.show(id, { as: admin() })).toMatchObject({
      status: 'SHELVED',
      'OS-EXT-STS:vm_state': 'shelved',
      'OS-EXT-STS:power_state': 4,
      'OS-EXT-SRV-ATTR:host': bench.hosts[0]?.name,
    });
    expect([(await guestOf(id))?.power, bench.placement.allocations.has(id)]).toEqual([4, true]);
    const [image] = images(id);
    expect(image?.status).toBe('active');
    await expect(bench.hosts[0]?.driver.openSnapshot(id, image?.image.id ?? '')).rejects.toThrow();
    for (const body of [{ shelve: null }, { 'os-start': null }, { reboot: { type: 'HARD' } }])
      expect([(await act(id, body)).status, body]).toEqual([409, body]);
    expect(
      (await act(id, { unshelve: { availability_zone: 'nova' } }, '2.77')).json['conflictingRequest'],
    ).toMatchObject({ message: expect.stringMatching(/with status "shelved" is not supported\./) });
    const disk = bench.hosts[0]?.driver.diskOf(id);
    expect((await act(id, { unshelve: null })).status).toBe(202);
    expect((await bench.until(id, 'ACTIVE'))['OS-EXT-STS:power_state']).toBe(1);
    expect([bench.hosts[0]?.driver.diskOf(id), images(id)]).toEqual([disk, []]);
    expect(await actions(id)).toEqual(['unshelve', 'shelve', 'create']);
  }, 30_000);

  it('leaves its host when an administrator asks for it, and is deleted with its image', async () => {
    const id = await kept();
    const asked = await bench.call('POST', `/servers/${id}/action`, { body: { shelveOffload: null } });
    expect(asked.status).toBe(403);
    expect((await act(id, { shelveOffload: null })).status).toBe(202);
    await left(id);
    expect((await act(id, { shelveOffload: null })).status).toBe(409);
    expect((await act(id, { unshelve: null })).status).toBe(202);
    await bench.until(id, 'ACTIVE');
    const other = await kept();
    await bench.call('DELETE', `/servers/${other}`);
    await bench.until(other, 'GONE');
    expect(images(other)).toEqual([]);
  }, 30_000);

  it('never has a volume as its root: that leaves at once', async () => {
    const volume = bench.volumes.add({ project_id: bench.project, bootable: true });
    const root = { source_type: 'volume', uuid: volume.id, destination_type: 'volume', boot_index: 0 };
    const id = await bench.boot({ imageRef: undefined, block_device_mapping_v2: [root] });
    await bench.until(id, 'ACTIVE');
    await act(id, { shelve: null });
    await bench.until(id, 'SHELVED_OFFLOADED');
  }, 30_000);
});

describe('a cut worker', () => {
  it('of server.shelve_offload: the server has left', async () => {
    await survives(bench, {
      kind: 'server.shelve_offload',
      places: 9,
      prepare: kept,
      act: (id) => act(id, { shelveOffload: null }),
      check: async (id) => {
        await left(id);
        await idle(bench, id);
      },
    });
  }, 300_000);

  it('of server.unshelve_kept: the server runs, without the image', async () => {
    await survives(bench, {
      kind: 'server.unshelve_kept',
      places: 8,
      prepare: kept,
      act: (id) => act(id, { unshelve: null }),
      check: async (id) => {
        await bench.until(id, 'ACTIVE');
        expect([(await guestOf(id))?.power, images(id)]).toEqual([1, []]);
        await idle(bench, id);
      },
    });
  }, 300_000);
});

describe('a shelved server that is kept for a second', () => {
  it('leaves its host by itself', async () => {
    await bench.stopConductor();
    options.shelvedOffloadTime = 1;
    await bench.startConductor();
    const id = await bench.boot();
    await bench.until(id, 'ACTIVE');
    await act(id, { shelve: null });
    await left(id);
    expect(await actions(id)).toEqual(['shelveOffload', 'shelve', 'create']);
  }, 30_000);
});
