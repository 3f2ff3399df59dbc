import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from '@nestack/kernel/db';
import { newUuid } from '@nestack/kernel/ids';
import { until } from '@nestack/kernel/testing';
import { goneOperations, novaApi } from '@nestack/nova/contract';
import { novaPolicies } from '@nestack/nova/rest';
import { Bench } from './testing/bench';

let bench: Bench;
let server: string;
const STRANGER = newUuid();

beforeAll(async () => {
  bench = await Bench.start();
  server = await bench.boot();
  await bench.until(server, 'ACTIVE');
}, 60_000);

afterAll(async () => {
  await bench.tidy();
  await bench.close();
}, 60_000);

/** Bodies that pass validation, by operation. */
const BODIES: Readonly<Record<string, unknown>> = {
  updateServer: { server: { name: 'mine' } },
  createServerMetadata: { metadata: { a: 'b' } },
  replaceServerMetadata: { metadata: { a: 'b' } },
  updateServerMetadataItem: { meta: { key: 'b' } },
  replaceServerTags: { tags: ['a'] },
  createVolumeAttachment: { volumeAttachment: { volumeId: newUuid() } },
  updateVolumeAttachment: { volumeAttachment: { volumeId: newUuid() } },
  createInterface: { interfaceAttachment: {} },
  rebootServer: { reboot: { type: 'SOFT' } },
  getVncConsole: { 'os-getVNCConsole': { type: 'novnc' } },
  getSpiceConsole: { 'os-getSPICEConsole': { type: 'spice-html5' } },
  getRdpConsole: { 'os-getRDPConsole': { type: 'rdp-html5' } },
  getSerialConsole: { 'os-getSerialConsole': { type: 'serial' } },
  createRemoteConsole: { remote_console: { protocol: 'vnc', type: 'novnc' } },
  getConsoleOutput: { 'os-getConsoleOutput': {} },
  createServerBackup: { createBackup: { name: 'x', backup_type: 'daily', rotation: 1 } },
  createServerImage: { createImage: { name: 'x' } },
  rebuildServer: { rebuild: { imageRef: newUuid() } },
  resizeServer: { resize: { flavorRef: '1' } },
  migrateServer: { migrate: null },
  changeServerPassword: { changePassword: { adminPass: 'x' } },
  resetServerState: { 'os-resetState': { state: 'active' } },
  addSecurityGroup: { addSecurityGroup: { name: 'x' } },
  removeSecurityGroup: { removeSecurityGroup: { name: 'x' } },
  addFixedIp: { addFixedIp: { networkId: newUuid() } },
  removeFixedIp: { removeFixedIp: { address: '10.0.0.3' } },
  addFloatingIp: { addFloatingIp: { address: '172.24.4.4' } },
  removeFloatingIp: { removeFloatingIp: { address: '172.24.4.4' } },
};
const PARAMS: Readonly<Record<string, string>> = {
  key: 'key',
  tag: 'tag',
  network_label: 'private',
  request_id: 'req-00000000-0000-0000-0000-000000000000',
  volume_id: newUuid(),
  port_id: newUuid(),
  migration_id: '1',
};

const onServers = novaApi.operations.filter(
  (one) => one.path.startsWith('/servers/{server_id}') && !goneOperations.includes(one),
);
const rows = onServers.map((one) => [one.id, one] as const);

function request(operation: (typeof onServers)[number], id: string): { url: string; body: unknown } {
  const url = operation.path.replace(/\{(\w+)\}/g, (_all, name: string) =>
    name === 'server_id' ? id : (PARAMS[name] ?? ''),
  );
  const body = BODIES[operation.id] ?? (operation.action === undefined ? undefined : { [operation.action]: null });
  return { url, body };
}

function call(operation: (typeof onServers)[number], id: string, as: string) {
  const { url, body } = request(operation, id);
  return bench.call(operation.method, url, {
    as,
    version: operation.maxVersion ?? '2.79',
    ...(body === undefined ? {} : { body }),
  });
}

describe.each(rows)('%s', (_id, operation) => {
  it.each(['member', 'reader'])("answers 404 for another project's server, to a %s", async (role) => {
    const answer = await call(operation, server, `${STRANGER}:${role}`);
    expect([answer.status, answer.json]).toEqual([
      404,
      { itemNotFound: { code: 404, message: `Instance ${server} could not be found.` } },
    ]);
  });

  it('answers 404 for a server that does not exist, and for what is no id', async () => {
    for (const id of [newUuid(), 'no-such-thing']) {
      const answer = await call(operation, id, bench.project);
      expect([answer.status, answer.json]).toEqual([
        404,
        { itemNotFound: { code: 404, message: `Instance ${id} could not be found.` } },
      ]);
    }
  });

  if (operation.method !== 'GET') {
    it('answers 403 to a reader of the project', async () => {
      const answer = await call(operation, server, `${bench.project}:reader`);
      expect([answer.status, answer.json]).toEqual([
        403,
        { forbidden: { code: 403, message: `Policy doesn't allow ${String(operation.policy)} to be performed.` } },
      ]);
    });
  }

  it('answers 401 without a token', async () => {
    const answer = await call(operation, server, '');
    expect(answer.status).toBe(401);
    expect(answer.headers['www-authenticate']).toMatch(/^Keystone uri=/);
  });
});

describe('a server', () => {
  it('is unharmed by all this', async () => {
    expect(await bench.show(server)).toMatchObject({ status: 'ACTIVE', name: 'vm', metadata: {} });
  });

  it("is in no other project's list", async () => {
    const answer = await bench.call('GET', '/servers/detail', { as: STRANGER });
    expect(answer.json).toEqual({ servers: [] });
    const all = await bench.call('GET', '/servers/detail?all_tenants=True', { as: STRANGER });
    expect(all.status).toBe(403);
    const admin = await bench.call('GET', '/servers?all_tenants=1', { as: `${STRANGER}:admin` });
    expect(admin.json['servers']).toMatchObject([{ id: server }]);
  });
});

/** Operations elsewhere that only administrators may call, and those whose path names what belongs to a project. */
const elsewhere = novaApi.operations.filter((one) => !one.path.startsWith('/servers') && !goneOperations.includes(one));
const forAdmins = new Set(novaPolicies.filter(({ check }) => check === 'role:admin').map(({ name }) => name));
const operators = elsewhere.filter(({ policy }) => policy !== undefined && forAdmins.has(policy));

describe('operations of operators', () => {
  it.each(operators.map((one) => [one.id, one] as const))('%s answers 403 to who is none', async (_id, operation) => {
    const url = operation.path.replace(/\{\w+\}/g, bench.project);
    const body = operation.action === undefined ? {} : { [operation.action]: null };
    for (const as of [`${STRANGER}:member`, `${bench.project}:member`, `${STRANGER}:reader`]) {
      const answer = await bench.call(operation.method, url, {
        as,
        version: operation.maxVersion ?? '2.93',
        ...(operation.body === undefined ? {} : { body }),
      });
      expect([as, answer.status]).toEqual([as, 403]);
    }
  });
});

/** Operations elsewhere whose path names what somebody may own. */
const others = elsewhere.filter((one) => one.path.includes('{') && !operators.includes(one));
/** What everybody may see. */
const OPEN: readonly string[] = ['showExtension', 'showQuotaDefaults'];
/** Who may not see a project's figures at all is told so. upstream: nova/policies/{quota_sets,simple_tenant_usage}.py */
const FIGURES: readonly string[] = ['showQuotaSet', 'showQuotaSetDetail', 'showTenantUsage'];
const BODIES_ELSEWHERE: Readonly<Record<string, unknown>> = {
  createImageMetadata: { metadata: { a: 'c' } },
  replaceImageMetadata: { metadata: { a: 'c' } },
  updateImageMetadataItem: { meta: { a: 'c' } },
  updateSecurityGroupProxy: { security_group: { name: 'mine', description: 'mine' } },
};

describe("another project's things", () => {
  /** What the owner has, by the parameter that names it in paths. */
  const owned: Record<string, string> = { keypair_name: 'mine', key: 'a', alias: 'os-keypairs' };
  const as = `${STRANGER}:member`;

  beforeAll(async () => {
    const admin = { as: `${bench.project}:admin` };
    const made = async (url: string, body: Record<string, unknown>, options = {}) => {
      const answer = await bench.call('POST', url, { body, ...options });
      if (answer.status >= 300) throw new Error(`${url}: ${answer.text}`);
      const [shown] = Object.values(answer.json) as { id: string }[];
      return shown?.id ?? '';
    };
    const flavor = { name: 'private', vcpus: 1, ram: 64, disk: 1, 'os-flavor-access:is_public': false };
    owned['flavor_id'] = await made('/flavors', { flavor }, admin);
    await bench.call('POST', `/flavors/${owned['flavor_id']}/os-extra_specs`, {
      ...admin,
      body: { extra_specs: { a: 'b' } },
    });
    await bench.call('POST', `/flavors/${owned['flavor_id']}/action`, {
      ...admin,
      body: { addTenantAccess: { tenant: bench.project } },
    });
    await made('/os-keypairs', { keypair: { name: 'mine' } });
    const group = { name: 'mine', policies: ['anti-affinity'] };
    const volume = bench.volumes.add({ project_id: bench.project, bootable: true });
    const group_id = bench.networks.addGroup(bench.project, 'secret');
    const kept = await bench.volumes.ensureSnapshot({} as never, { volume_id: volume.id, name: 'x', key: 'k' });
    Object.assign(owned, {
      tenant_id: bench.project,
      image_id: bench.images.add({ project_id: bench.project, properties: { a: 'b' } }),
      floating_ip_id: await made('/os-floating-ips', {}),
      network_id: bench.network,
      security_group_id: group_id,
      rule_id: bench.networks.groups.get(group_id)?.security_group_rules[0]?.id,
      server_group_id: await made('/os-server-groups', { server_group: group }),
      volume_id: volume.id,
      snapshot_id: await made('/os-snapshots', { snapshot: { volume_id: volume.id } }),
      kept_id: kept.id,
      port_id: bench.networks.addPort(bench.project, bench.network).id,
    });
    const shown = await bench.call('GET', `/os-floating-ips/${owned['floating_ip_id'] ?? ''}`);
    owned['address'] = (shown.json['floating_ip'] as { ip: string }).ip;
  });

  function ask(operation: (typeof others)[number], ids: Readonly<Record<string, string>>, who: string) {
    const url = operation.path.replace(/\{(\w+)\}/g, (_all, name: string) => {
      const id = ids[name];
      if (id === undefined) throw new Error(`${operation.id}: the test has nothing for ${name}`);
      return id;
    });
    const body = BODIES_ELSEWHERE[operation.id];
    const version = operation.maxVersion ?? '2.79';
    return bench.call(operation.method, url, { as: who, version, ...(body === undefined ? {} : { body }) });
  }

  /** An answer without what names the thing. */
  function told({ status, text }: { readonly status: number; readonly text: string }, ids: object): string {
    const named = Object.values(ids).map(String);
    const without = named.filter(({ length }) => length > 3).reduce((left, id) => left.replaceAll(id, '…'), text);
    return `${String(status)} ${without}`;
  }

  /** All that nova keeps, and all that it could have changed elsewhere. */
  async function everything(): Promise<unknown> {
    const { networks, volumes, images, placement, database } = bench;
    const tables = await database.database.read('test', async (tx) => {
      const names = await sql<{ name: string }>(
        tx,
        `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = current_schema()
         AND table_name NOT IN ('inbox', 'outbox', 'migration', 'service', 'compute_node') ORDER BY 1`,
      );
      const found: unknown[] = [];
      for (const { name } of names)
        found.push([name, await sql(tx, `SELECT to_jsonb(t) FROM "${name}" t ORDER BY to_jsonb(t)::text`)]);
      return found;
    });
    const kept = [networks.ports, networks.groups, volumes.volumes, volumes.attachments, images.images];
    return structuredClone([tables, ...[...kept, placement.allocations].map((map) => [...map])]);
  }

  it('are absent in every operation outside /servers, and nothing is changed', async () => {
    const before = await everything();
    const ids = Object.keys(owned).map((name) => [name, newUuid()] as const);
    const absent = { ...Object.fromEntries(ids), alias: 'none', key: 'a', tenant_id: newUuid() };
    const wrong: string[] = [];
    expect(others.length).toBeGreaterThan(28);
    for (const operation of others) {
      const theirs = await ask(operation, owned, as);
      const nobodys = await ask(operation, absent, as);
      const read = await ask(operation, owned, `${STRANGER}:reader`);
      const own = await ask({ ...operation, method: 'GET' }, owned, bench.project);
      if (OPEN.includes(operation.id)) {
        if (theirs.status !== 200) wrong.push(`${operation.id}: ${told(theirs, {})}`);
        continue;
      }
      const expected = FIGURES.includes(operation.id) ? 403 : 404;
      if (theirs.status !== expected || told(theirs, owned) !== told(nobodys, absent))
        wrong.push(`${operation.id}: ${told(theirs, owned)} instead of ${told(nobodys, absent)}`);
      // Who only reads is told that he may not write, or that there is nothing.
      const refusals = operation.method === 'GET' ? [expected] : [403, 404];
      if (!refusals.includes(read.status)) wrong.push(`${operation.id}, a reader: ${told(read, owned)}`);
      // It is there, so that the test means something.
      if (operation.method === 'GET' && own.status !== 200) wrong.push(`${operation.id}, the owner: ${told(own, {})}`);
    }
    expect(wrong).toEqual([]);
    const lists = ['os-server-groups', 'os-keypairs', 'servers', 'os-floating-ips', 'os-volumes', 'os-snapshots'];
    for (const list of [...lists, 'os-security-groups', 'os-tenant-networks', 'os-networks'])
      expect([list, Object.values((await bench.call('GET', `/${list}`, { as })).json)]).toEqual([list, [[]]]);
    for (const [list, id] of [
      ['flavors', 'flavor_id'],
      ['images', 'image_id'],
    ] as const)
      expect((await bench.call('GET', `/${list}?is_public=None`, { as })).text).not.toContain(owned[id]);
    for (const query of ['project_id', 'tenant_id'])
      expect((await bench.call('GET', `/servers?${query}=${bench.project}`, { as })).json).toEqual({ servers: [] });
    for (const url of [
      `/limits?tenant_id=${bench.project}`,
      `/os-keypairs?user_id=u-${bench.project}`,
      `/os-keypairs/mine?user_id=u-${bench.project}`,
    ])
      expect([url, (await bench.call('GET', url, { as, version: '2.79' })).status]).toEqual([url, 403]);
    const forAnother = {
      keypair: { name: 'x', type: 'ssh', user_id: `u-${bench.project}`, public_key: 'ssh-rsa AAAA' },
    };
    expect((await bench.call('POST', '/os-keypairs', { as, version: '2.79', body: forAnother })).status).toBe(403);
    expect(await everything()).toEqual(before);
  });

  it('are absent in bodies, and nothing is left of the attempt', async () => {
    const network = bench.networks.addNetwork({ project_id: STRANGER, name: 'own' });
    const own = bench.networks.addPort(STRANGER, network).id;
    // Seen by whose network it is, and owned by another project.
    const guest = bench.networks.addPort(newUuid(), network).id;
    const mine = await bench.boot({ networks: [{ port: own }] }, { as });
    await until('it is there', async () => (await bench.show(mine, { as }))?.['status'] === 'ACTIVE');
    const { volume_id, snapshot_id, kept_id, image_id, security_group_id, server_group_id, port_id, flavor_id } = owned;
    const device = (source_type: string, uuid: unknown) => ({
      block_device_mapping_v2: [{ boot_index: 0, source_type, destination_type: 'volume', uuid, volume_size: 1 }],
      imageRef: '',
    });
    const boots: readonly (readonly [Record<string, unknown>, RegExp, Record<string, unknown>?])[] = [
      [{ networks: [{ uuid: bench.network }] }, /^Network .* could not be found\.$/],
      [{ networks: [{ port: port_id }] }, /^Port .* could not be found\.$/],
      [{ networks: [{ port: guest }] }, /^Port .* not usable for instance vm\.$/],
      [{ security_groups: [{ name: security_group_id }] }, /^Security group .* not found/],
      [{ security_groups: [{ name: 'secret' }] }, /^Security group secret not found/],
      [{ imageRef: image_id }, /^Image .* could not be found\.$|^Can not find requested image$/],
      [{ flavorRef: flavor_id }, /^Flavor .* could not be found\.$/],
      [{ key_name: 'mine' }, /^Invalid key_name provided\.$/],
      [device('volume', volume_id), /failed to get volume/],
      [device('snapshot', kept_id), /failed to get snapshot/],
      [device('image', image_id), /failed to get image/],
      [{}, /^Instance group .* could not be found\.$/, { group: server_group_id }],
    ];
    const before = await everything();
    const wrong: string[] = [];
    for (const [fields, message, hints] of boots) {
      const server = {
        name: 'vm',
        imageRef: bench.image,
        flavorRef: bench.flavor,
        networks: [{ uuid: network }],
        ...fields,
      };
      const body = { server, ...(hints === undefined ? {} : { 'os:scheduler_hints': hints }) };
      const answer = await bench.call('POST', '/servers', { as, body, version: '2.60' });
      const { message: why = '' } = (answer.json['badRequest'] ?? {}) as { message?: string };
      if (answer.status !== 400 || !message.test(why)) wrong.push(`${JSON.stringify(body)}: ${told(answer, {})}`);
    }
    const at = `/servers/${mine}`;
    const calls: readonly (readonly [number, string, string, unknown, string?])[] = [
      [404, 'POST', `${at}/os-volume_attachments`, { volumeAttachment: { volumeId: volume_id } }],
      [404, 'POST', `${at}/os-interface`, { interfaceAttachment: { port_id } }],
      [400, 'POST', `${at}/os-interface`, { interfaceAttachment: { port_id: guest } }],
      [404, 'POST', `${at}/os-interface`, { interfaceAttachment: { net_id: bench.network } }],
      [404, 'DELETE', `${at}/os-interface/${port_id ?? ''}`, undefined],
      [404, 'DELETE', `${at}/os-volume_attachments/${volume_id ?? ''}`, undefined],
      [404, 'POST', `${at}/action`, { addSecurityGroup: { name: security_group_id } }],
      [404, 'POST', `${at}/action`, { removeSecurityGroup: { name: security_group_id } }],
      [404, 'POST', `${at}/action`, { addFloatingIp: { address: owned['address'] } }, '2.43'],
      [404, 'POST', `${at}/action`, { removeFloatingIp: { address: owned['address'] } }, '2.43'],
      [404, 'POST', `${at}/action`, { addFixedIp: { networkId: bench.network } }, '2.43'],
      [400, 'POST', `${at}/action`, { rebuild: { imageRef: image_id } }],
      [400, 'POST', `${at}/action`, { rebuild: { imageRef: bench.image, key_name: 'mine' } }],
      [400, 'POST', `${at}/action`, { resize: { flavorRef: flavor_id } }],
      [400, 'POST', `${at}/action`, { rescue: { rescue_image_ref: image_id } }],
      [404, 'POST', '/os-snapshots', { snapshot: { volume_id } }, '2.1'],
      [404, 'POST', '/os-volumes', { volume: { size: 1, snapshot_id } }, '2.1'],
      [404, 'POST', '/os-security-group-rules', rule(security_group_id), '2.1'],
      [
        404,
        'POST',
        '/os-security-group-rules',
        rule(bench.networks.addGroup(STRANGER, 'own'), security_group_id),
        '2.1',
      ],
    ];
    const start = await everything();
    for (const [status, method, url, body, version = '2.79'] of calls) {
      const answer = await bench.call(method, url, { as, version, ...(body === undefined ? {} : { body }) });
      if (answer.status !== status) wrong.push(`${method} ${url} ${JSON.stringify(body)}: ${told(answer, {})}`);
    }
    expect(wrong).toEqual([]);
    expect(await everything()).toEqual(start);
    expect(JSON.stringify(start).length).toBeGreaterThan(JSON.stringify(before).length);
    // A port of another project that poses as the server's is none of it.
    const posing = bench.networks.addPort(bench.project, bench.network);
    posing.device_id = mine;
    const { json } = await bench.call('GET', `${at}/os-interface`, { as });
    expect((json['interfaceAttachments'] as { port_id: string }[]).map((one) => one.port_id)).toEqual([own]);
    await bench.call('DELETE', at, { as });
    await until('it is gone', async () => (await bench.show(mine, { as })) === null);
    expect(bench.networks.ports.get(posing.id)).toMatchObject({ device_id: mine });
    Object.assign(posing, { device_id: '' });
  });
});

function rule(parent: unknown, group?: unknown): unknown {
  const range = { ip_protocol: 'tcp', from_port: 80, to_port: 80 };
  return {
    security_group_rule: { parent_group_id: parent, ...range, ...(group === undefined ? {} : { group_id: group }) },
  };
}
