import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newUuid } from '@nestack/kernel/ids';
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
        version: operation.maxVersion ?? '2.79',
        ...(operation.body === undefined ? {} : { body }),
      });
      expect([as, answer.status]).toEqual([as, 403]);
    }
  });
});

describe("another project's things", () => {
  it('are not to be read, changed or used', async () => {
    const as = `${STRANGER}:member`;
    const group = await bench.call('POST', '/os-server-groups', {
      body: { server_group: { name: 'mine', policies: ['affinity'] } },
    });
    const { id } = group.json['server_group'] as { id: string };
    const key = await bench.call('POST', '/os-keypairs', { body: { keypair: { name: 'mine' } } });
    expect(key.status).toBe(200);
    const calls: readonly (readonly [string, string, number])[] = [
      ['GET', `/os-server-groups/${id}`, 404],
      ['DELETE', `/os-server-groups/${id}`, 404],
      ['GET', '/os-keypairs/mine', 404],
      ['DELETE', '/os-keypairs/mine', 404],
      ['GET', `/os-quota-sets/${bench.project}`, 403],
      ['GET', `/os-quota-sets/${bench.project}/detail`, 403],
      ['GET', `/os-simple-tenant-usage/${bench.project}`, 403],
      ['GET', `/limits?tenant_id=${bench.project}`, 403],
    ];
    for (const [method, url, status] of calls)
      expect([method, url, (await bench.call(method, url, { as })).status]).toEqual([method, url, status]);
    // Those that only read do not even hear that it is there.
    const reader = await bench.call('DELETE', `/os-server-groups/${id}`, { as: `${STRANGER}:reader` });
    expect(reader.status).toBe(404);
    for (const list of ['os-server-groups', 'os-keypairs', 'servers'])
      expect((await bench.call('GET', `/${list}`, { as })).json).toEqual({
        [list.replace('os-', '').replace('-', '_')]: [],
      });
    expect((await bench.call('GET', `/os-server-groups/${id}`)).status).toBe(200);
    expect((await bench.call('GET', '/os-keypairs/mine')).status).toBe(200);
  });
});
