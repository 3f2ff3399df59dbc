import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { newUuid } from '@nestack/kernel/ids';
import { until } from '@nestack/kernel/testing';
import { Bench } from './testing/bench';

/** What comes at once, or at the wrong time: one of them is done, the others hear why not, and nothing is left. */
let bench: Bench;
let admin: string;
let large: string;

beforeAll(async () => {
  bench = await Bench.start({ hosts: 2 });
  admin = `${bench.project}:admin`;
  large = await bench.addFlavor({ vcpus: 2, ram: 128, disk: 2 });
  await bench.call('PUT', `/os-quota-sets/${bench.project}`, {
    as: admin,
    body: { quota_set: { instances: -1, cores: -1, ram: -1 } },
  });
}, 60_000);

afterAll(() => bench.close());
afterEach(() => bench.tidy(), 60_000);

const act = (id: string, body: Record<string, unknown>) => bench.call('POST', `/servers/${id}/action`, { body });
const many = <T>(count: number, one: (at: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, at) => one(at)));
const slow = (delays: Record<string, number>): void => {
  for (const { behaviour } of bench.hosts) behaviour.delays = delays;
};

async function active(fields: Record<string, unknown> = {}): Promise<string> {
  const id = await bench.boot(fields);
  await bench.until(id, 'ACTIVE');
  return id;
}

/** What refused requests say, without the server's id; one of the answers must be the given success. */
function refusals(answers: readonly { status: number; json: unknown }[], success: number): readonly string[] {
  expect(answers.filter(({ status }) => status === success)).toHaveLength(1);
  const refused = answers.filter(({ status }) => status !== success);
  return [...new Set(refused.map(({ status, json }) => `${String(status)} ${Object.keys(json as object).join()}`))];
}

describe('actions', () => {
  const none = () => null;
  const toLarge = () => ({ flavorRef: large });
  /** Action, argument, status that it leads to, success; the vm_state in which it may not be asked for again. */
  const walk: readonly (readonly [string, () => unknown, string, number, string])[] = [
    ['createImage', () => ({ name: 'x' }), 'ACTIVE', 202, ''],
    ['rebuild', () => ({ imageRef: bench.image }), 'ACTIVE', 202, ''],
    ['reboot', () => ({ type: 'SOFT' }), 'ACTIVE', 202, ''],
    ['pause', none, 'PAUSED', 202, 'paused'],
    ['unpause', none, 'ACTIVE', 202, 'active'],
    ['suspend', none, 'SUSPENDED', 202, 'suspended'],
    ['resume', none, 'ACTIVE', 202, 'active'],
    ['rescue', none, 'RESCUE', 200, 'rescued'],
    ['unrescue', none, 'ACTIVE', 202, 'active'],
    ['os-stop', none, 'SHUTOFF', 202, 'stopped'],
    ['os-start', none, 'ACTIVE', 202, 'active'],
    ['resize', toLarge, 'VERIFY_RESIZE', 202, 'resized'],
    ['revertResize', none, 'ACTIVE', 202, 'active'],
    ['resize', toLarge, 'VERIFY_RESIZE', 202, 'resized'],
    ['confirmResize', none, 'ACTIVE', 204, 'active'],
    ['shelve', none, 'SHELVED_OFFLOADED', 202, 'shelved_offloaded'],
    ['unshelve', none, 'ACTIVE', 202, 'active'],
  ];

  it('of one kind at once: one is done, and again in the state that it brought none is', async () => {
    const id = await active();
    for (const [action, argument, status, success, state] of walk) {
      const body = { [action]: argument() };
      const images = bench.images.images.size;
      const answers = await many(8, () => act(id, body));
      // The migration that is to be confirmed is there once. upstream: nova/api/openstack/compute/servers.py _confirm_resize
      const refusal = action === 'confirmResize' ? '400 badRequest' : '409 conflictingRequest';
      for (const told of refusals(answers, success)) expect([action, told]).toEqual([action, refusal]);
      await bench.until(id, status);
      if (action === 'createImage') expect(bench.images.images.size).toBe(images + 1);
      if (state === '') continue;
      const again = await act(id, body);
      expect([action, again.status]).toEqual([action, 409]);
      expect((again.json['conflictingRequest'] as { message: string }).message).toMatch(
        new RegExp(`^Cannot '\\w+' instance ${id} while it is in vm_state ${state}$`),
      );
    }
  }, 60_000);

  it('of all kinds at once: one is done', async () => {
    const id = await active();
    const bodies = [
      { createImage: { name: 'x' } },
      { rebuild: { imageRef: bench.image } },
      { pause: null },
      { suspend: null },
      { 'os-stop': null },
      { reboot: { type: 'SOFT' } },
      { rescue: null },
      { resize: { flavorRef: large } },
      { shelve: null },
    ];
    slow({
      snapshot: 100,
      rebuild: 100,
      pause: 100,
      suspend: 100,
      power_off: 100,
      reboot: 100,
      rescue: 100,
      resize: 100,
    });
    for (let round = 0; round < 3; round += 1) {
      const server = round === 0 ? id : await active();
      const answers = await Promise.all(
        bodies
          .slice(round)
          .concat(bodies.slice(0, round))
          .map((body) => act(server, body)),
      );
      expect(answers.filter(({ status }) => status < 300)).toHaveLength(1);
      expect(answers.filter(({ status }) => status === 409)).toHaveLength(bodies.length - 1);
    }
  }, 60_000);

  it('while it is built are refused, and deletes are not, however far it is', async () => {
    slow({ spawn: 1000 });
    const first = await bench.boot();
    for (const body of [{ 'os-stop': null }, { rebuild: { imageRef: bench.image } }, { resize: { flavorRef: large } }])
      expect((await act(first, body)).status).toBe(409);
    const volume = bench.volumes.add({ project_id: bench.project });
    for (const [path, body, word] of [
      ['/metadata', { metadata: { a: 'b' } }, 'update metadata'],
      ['/tags', { tags: ['a'] }, 'update tags'],
    ] as const) {
      const label = await bench.call(word === 'update tags' ? 'PUT' : 'POST', `/servers/${first}${path}`, {
        body,
        version: '2.26',
      });
      expect([label.status, (label.json['conflictingRequest'] as { message?: string }).message]).toEqual([
        409,
        `Cannot '${word}' instance ${first} while it is in vm_state building`,
      ]);
    }
    const attach = await bench.call('POST', `/servers/${first}/os-volume_attachments`, {
      body: { volumeAttachment: { volumeId: volume.id } },
    });
    expect([attach.status, volume.status]).toEqual([409, 'available']);
    const ids = [first, ...(await many(5, () => bench.boot()))];
    const last = ids.at(-1) ?? '';
    await until('one is on its host', async () => {
      const server = await bench.show(last);
      return server?.['OS-EXT-STS:task_state'] === 'spawning' || server?.['status'] === 'ACTIVE';
    });
    const answers = await Promise.all(ids.flatMap((id) => [1, 2].map(() => bench.call('DELETE', `/servers/${id}`))));
    for (const { status } of answers) expect([204, 404]).toContain(status);
    for (const id of ids) await bench.until(id, 'GONE');
    expect(await bench.leftovers()).toEqual([]);
    const { absolute } = (await bench.call('GET', '/limits')).json['limits'] as { absolute: Record<string, number> };
    expect(absolute).toMatchObject({ totalInstancesUsed: 0, totalCoresUsed: 0, totalRAMUsed: 0 });
  }, 60_000);

  it('and deletes at once leave nothing, whoever was first', async () => {
    const bodies = [
      { createImage: { name: 'x' } },
      { rebuild: { imageRef: bench.image } },
      { suspend: null },
      { resize: { flavorRef: large } },
      { shelve: null },
      { rescue: null },
    ];
    slow({ snapshot: 50, rebuild: 50, suspend: 50, resize: 50, rescue: 50, attach_volume: 50 });
    const volume = bench.volumes.add({ project_id: bench.project });
    await Promise.all(
      bodies.map(async (body) => {
        const id = await active();
        const attach = { volumeAttachment: { volumeId: volume.id } };
        const answers = await Promise.all([
          act(id, body),
          bench.call('POST', `/servers/${id}/os-volume_attachments`, { body: attach }),
          bench.call('POST', `/servers/${id}/os-interface`, { body: { interfaceAttachment: {} } }),
          bench.call('DELETE', `/servers/${id}`),
          bench.call('DELETE', `/servers/${id}`),
        ]);
        for (const { status } of answers) expect([200, 202, 204, 400, 404, 409]).toContain(status);
        await bench.until(id, 'GONE');
      }),
    );
    await until('nothing is left', async () => (await bench.leftovers()).length === 0);
  }, 60_000);
});

describe('a locked server', () => {
  it('refuses what upstream refuses, and allows the rest', async () => {
    const volume = bench.volumes.add({ project_id: bench.project });
    const id = await active({ metadata: { a: '1' } });
    const port = [...bench.networks.ports.values()].find(({ device_id: device }) => device === id)?.id ?? '';
    await act(id, { lock: null });
    const refused: readonly (readonly [string, string, unknown])[] = [
      ...[
        { 'os-stop': null },
        { 'os-start': null },
        { reboot: { type: 'SOFT' } },
        { reboot: { type: 'HARD' } },
        { pause: null },
        { unpause: null },
        { suspend: null },
        { resume: null },
        { rescue: null },
        { unrescue: null },
        { rebuild: { imageRef: bench.image } },
        { resize: { flavorRef: large } },
        { confirmResize: null },
        { revertResize: null },
        { shelve: null },
        { unshelve: null },
        { changePassword: { adminPass: 'x' } },
      ].map((body) => ['POST', '/action', body] as const),
      ['POST', '/metadata', { metadata: { b: '2' } }],
      ['PUT', '/metadata', { metadata: { b: '2' } }],
      ['PUT', '/metadata/a', { meta: { a: '2' } }],
      ['DELETE', '/metadata/a', undefined],
      ['POST', '/os-volume_attachments', { volumeAttachment: { volumeId: volume.id } }],
      ['POST', '/os-interface', { interfaceAttachment: {} }],
      ['DELETE', `/os-interface/${port}`, undefined],
      ['DELETE', '', undefined],
    ];
    for (const [method, path, body] of refused) {
      const answer = await bench.call(method, `/servers/${id}${path}`, body === undefined ? {} : { body });
      expect([method, path, body, answer.status, answer.json]).toEqual([
        method,
        path,
        body,
        409,
        { conflictingRequest: { code: 409, message: `Instance ${id} is locked` } },
      ]);
    }
    const allowed: readonly (readonly [string, string, unknown])[] = [
      ['PUT', '', { server: { name: 'renamed' } }],
      ['PUT', '/tags', { tags: ['x'] }],
      ['POST', '/action', { 'os-getConsoleOutput': {} }],
      ['POST', '/action', { createImage: { name: 'x' } }],
    ];
    for (const [method, path, body] of allowed) {
      const { status } = await bench.call(method, `/servers/${id}${path}`, { body, version: '2.44' });
      expect([method, path, status < 300]).toEqual([method, path, true]);
    }
    await bench.until(id, 'ACTIVE');
    expect(await bench.show(id)).toMatchObject({ name: 'renamed', metadata: { a: '1' } });
    // An administrator needs no key.
    await bench.call('POST', `/servers/${id}/action`, { as: admin, body: { 'os-stop': null } });
    await bench.until(id, 'SHUTOFF');
    await act(id, { unlock: null });
  }, 60_000);
});

describe('disks and interfaces', () => {
  const attach = (id: string, volumeId: string, device?: string) =>
    bench.call('POST', `/servers/${id}/os-volume_attachments`, {
      body: { volumeAttachment: { volumeId, ...(device === undefined ? {} : { device }) } },
    });

  it('at once: a volume is attached once and detached once, a device is taken once', async () => {
    const id = await active();
    const [one, two, three] = Array.from({ length: 3 }, () => bench.volumes.add({ project_id: bench.project }));
    if (one === undefined || two === undefined || three === undefined) throw new Error('no volumes');
    expect(refusals(await many(10, () => attach(id, one.id)), 200)).toEqual(['400 badRequest']);
    await until('it is in use', () => one.status === 'in-use');
    expect((await attach(id, one.id)).json['badRequest']).toMatchObject({
      message: `Invalid volume: volume ${one.id} already attached`,
    });
    const clash = await Promise.all([attach(id, two.id, '/dev/vdk'), attach(id, three.id, '/dev/vdk')]);
    expect(refusals(clash, 200)).toEqual(['409 conflictingRequest']);
    await until(
      'one of them is in use, one is free',
      () =>
        [two, three]
          .map(({ status }) => status)
          .sort()
          .join() === 'available,in-use',
    );
    const detach = () => bench.call('DELETE', `/servers/${id}/os-volume_attachments/${one.id}`);
    const gone = await many(6, detach);
    expect(gone.filter(({ status }) => status === 202)).toHaveLength(1);
    for (const { status } of gone) expect([202, 400, 404]).toContain(status);
    await until('it is free', async () => {
      const shown = await bench.call('GET', `/servers/${id}/os-volume_attachments/${one.id}`);
      return shown.status === 404 && one.status === 'available';
    });
    expect((await detach()).status).toBe(404);
    const { json } = await bench.call('GET', `/servers/${id}/os-volume_attachments`);
    expect(json['volumeAttachments']).toHaveLength(1);
  }, 60_000);

  it('at once: a port is given to one server', async () => {
    const ids = await Promise.all([active(), active(), active()]);
    const port = bench.networks.addPort(bench.project, bench.network).id;
    const asked = await many(9, (at) =>
      bench.call('POST', `/servers/${ids[at % 3] ?? ''}/os-interface`, {
        body: { interfaceAttachment: { port_id: port } },
      }),
    );
    expect(refusals(asked, 200)).toEqual(['409 conflictingRequest']);
    await until('it is plugged', async () => {
      const owners = await Promise.all(
        ids.map(async (id) => (await bench.call('GET', `/servers/${id}/os-interface`)).json),
      );
      const counts = owners.map((one) => (one['interfaceAttachments'] as unknown[]).length);
      return counts.sort().join() === '1,1,2';
    });
    const owner = bench.networks.ports.get(port)?.device_id ?? '';
    expect(ids).toContain(owner);
    const removals = await many(4, () => bench.call('DELETE', `/servers/${owner}/os-interface/${port}`));
    for (const { status } of removals) expect([202, 404, 409]).toContain(status);
    await until('it is free', () => bench.networks.ports.get(port)?.device_id === '');
  }, 60_000);
});

describe('names and items at once', () => {
  it('make each once and lose none', async () => {
    const id = await active();
    await many(20, (at) => bench.call('POST', `/servers/${id}/metadata`, { body: { metadata: { [`k${at}`]: 'v' } } }));
    expect(Object.keys((await bench.show(id))?.['metadata'] ?? {})).toHaveLength(20);
    await many(20, (at) => bench.call('PUT', `/servers/${id}/tags/t${at}`, { version: '2.26' }));
    const { json } = await bench.call('GET', `/servers/${id}/tags`, { version: '2.26' });
    expect(json['tags']).toHaveLength(20);

    const post = (url: string, body: unknown) => many(12, () => bench.call('POST', url, { as: admin, body }));
    const flavor = { name: `f-${newUuid()}`, vcpus: 1, ram: 64, disk: 1 };
    for (const [url, body] of [
      ['/os-keypairs', { keypair: { name: 'twin' } }],
      ['/flavors', { flavor }],
      ['/flavors', { flavor: { ...flavor, name: 'other', id: 'twin' } }],
      ['/os-aggregates', { aggregate: { name: 'twin' } }],
    ] as const)
      expect([url, refusals(await post(url, body), 200)]).toEqual([url, ['409 conflictingRequest']]);
    const aggregates = (await bench.call('GET', '/os-aggregates', { as: admin })).json['aggregates'] as {
      id: number;
    }[];
    const url = `/os-aggregates/${String(aggregates[0]?.id)}/action`;
    const host = bench.hosts[0]?.name;
    expect(refusals(await post(url, { add_host: { host } }), 200)).toEqual(['409 conflictingRequest']);
    const busy = await bench.call('DELETE', `/os-aggregates/${String(aggregates[0]?.id)}`, { as: admin });
    expect(busy.status).toBe(400);
    expect(
      (await many(6, () => bench.call('DELETE', '/os-keypairs/twin', { as: admin }))).map((one) => one.status).sort(),
    ).toEqual([202, 404, 404, 404, 404, 404]);
  }, 60_000);
});

describe('quotas', () => {
  const quota = (limits: Record<string, number>) =>
    bench.call('PUT', `/os-quota-sets/${bench.project}`, { as: admin, body: { quota_set: limits } });

  it('of key pairs and memory are kept by fifty requests at once', async () => {
    await quota({ key_pairs: 6 });
    const pairs = await many(50, (at) => bench.call('POST', '/os-keypairs', { body: { keypair: { name: `k${at}` } } }));
    expect(pairs.filter(({ status }) => status === 200)).toHaveLength(6);
    const refused = pairs.filter(({ status }) => status !== 200);
    expect(new Set(refused.map(({ text }) => text))).toEqual(
      new Set([JSON.stringify({ forbidden: { code: 403, message: 'Quota exceeded, too many key pairs.' } })]),
    );
    expect((await bench.call('GET', '/os-keypairs')).json['keypairs']).toHaveLength(6);
    await quota({ ram: 64 * 5, instances: -1, cores: -1 });
    const servers = await many(50, () =>
      bench.call('POST', '/servers', {
        body: {
          server: { name: 'vm', imageRef: bench.image, flavorRef: bench.flavor, networks: [{ uuid: bench.network }] },
        },
      }),
    );
    expect(servers.filter(({ status }) => status === 202)).toHaveLength(5);
    expect(servers.find(({ status }) => status !== 202)?.json).toEqual({
      forbidden: { code: 403, message: 'Quota exceeded for ram: Requested 64, but already used 320 of 320 ram' },
    });
    const detail = await bench.call('GET', `/os-quota-sets/${bench.project}/detail`);
    expect(detail.json['quota_set']).toMatchObject({ ram: { in_use: 320, limit: 320 }, instances: { in_use: 5 } });
    const { servers: made } = (await bench.call('GET', '/servers')).json as { servers: { id: string }[] };
    expect(made).toHaveLength(5);
    for (const { id } of made) await bench.until(id, 'ACTIVE');
    // Five resizes at once have room for two of them.
    await quota({ ram: 64 * 7 });
    const resized = await Promise.all(made.map(({ id }) => act(id, { resize: { flavorRef: large } })));
    expect(resized.map(({ status }) => status).sort()).toEqual([202, 202, 403, 403, 403]);
    await bench.tidy();
    const after = await bench.call('GET', `/os-quota-sets/${bench.project}/detail`);
    expect(after.json['quota_set']).toMatchObject({
      ram: { in_use: 0 },
      cores: { in_use: 0 },
      instances: { in_use: 0 },
    });
  }, 60_000);
});
