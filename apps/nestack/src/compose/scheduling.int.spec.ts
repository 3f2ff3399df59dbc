import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { request } from 'undici';
import { startApp, type AppDeclaration, type RunningApp } from '@nestack/kernel/app';
import { newContext } from '@nestack/kernel/context';
import { createApiClients } from '@nestack/kernel/http';
import { silentLogger } from '@nestack/kernel/log';
import { acquireBroker, createRpcClients, releaseBroker } from '@nestack/kernel/rpc';
import { createTestDatabase, testBrokerUrl, type TestDatabase } from '@nestack/kernel/testing';
import { PlacementClient } from '@nestack/nova/clients';
import { SchedulerRpc, type RequestSpec } from '@nestack/nova/contract';
import { ComputeNodesRepository, novaMigrations, ServicesRepository } from '@nestack/nova/data';
import { loadApp } from './registry';

const ctx = newContext();
const keys = mkdtempSync(path.join(tmpdir(), 'nestack-keys-'));
const running: RunningApp[] = [];
const databases: TestDatabase[] = [];
let keystone = '';
let adminToken = '';
let clients: ReturnType<typeof createApiClients> | null = null;
let placement: PlacementClient;

async function start(name: string, schema: string, settings: Record<string, unknown>): Promise<RunningApp> {
  const database = await createTestDatabase(schema, schema === 'nova' ? novaMigrations : []);
  databases.push(database);
  const app: AppDeclaration = await loadApp(name);
  const made = await startApp(app, {
    host: 'test',
    log_level: 'error',
    database: { url: database.url, schema, pool_size: 5 },
    broker: { url: testBrokerUrl() },
    ...settings,
  });
  running.push(made);
  return made;
}

async function identity(method: string, url: string, body?: unknown): Promise<Record<string, Record<string, string>>> {
  const response = await request(`${keystone}${url}`, {
    method: method as 'POST',
    headers: { 'x-auth-token': adminToken, 'content-type': 'application/json' },
    body: body === undefined ? null : JSON.stringify(body),
  });
  adminToken = String(response.headers['x-subject-token'] ?? adminToken);
  const text = await response.body.text();
  if (response.statusCode >= 300) throw new Error(`${method} ${url}: ${text}`);
  return (text === '' ? {} : JSON.parse(text)) as Record<string, Record<string, string>>;
}

/** How a service is known to keystone. */
function authOf(username: string): Record<string, string> {
  return { keystone_url: keystone, jws_public_keys: path.join(keys, 'public'), username, password: `${username}-pw` };
}

beforeAll(async () => {
  const app = await start('keystone', 'keystone', {
    port: 0,
    jws_private_keys: path.join(keys, 'private'),
    jws_public_keys: path.join(keys, 'public'),
    bootstrap: { password: 'admin-pw', public_url: 'http://keystone.test/v3' },
  });
  keystone = `http://127.0.0.1:${String(app.port)}/v3`;
  const user = { name: 'admin', password: 'admin-pw', domain: { id: 'default' } };
  await identity('POST', '/auth/tokens', {
    auth: {
      identity: { methods: ['password'], password: { user } },
      scope: { project: { name: 'admin', domain: { id: 'default' } } },
    },
  });
  const { project } = await identity('POST', '/projects', { project: { name: 'service', domain_id: 'default' } });
  const roles = (await identity('GET', '/roles?name=service')) as unknown as { roles: { id: string }[] };
  for (const name of ['placement', 'nova']) {
    const made = await identity('POST', '/users', {
      user: { name, password: `${name}-pw`, domain_id: 'default' },
    });
    const [id, role] = [made['user']?.['id'] ?? '', roles.roles[0]?.id ?? ''];
    await identity('PUT', `/projects/${project?.['id'] ?? ''}/users/${id}/roles/${role}`);
  }
  const served = await start('placement', 'placement', { port: 0, auth: authOf('placement') });
  const { service } = await identity('POST', '/services', { service: { name: 'placement', type: 'placement' } });
  await identity('POST', '/endpoints', {
    endpoint: {
      service_id: service?.['id'],
      interface: 'internal',
      region_id: 'RegionOne',
      url: `http://127.0.0.1:${String(served.port)}`,
    },
  });
  clients = createApiClients({
    auth: { keystone_url: keystone, username: 'nova', password: 'nova-pw', region: 'RegionOne' },
    log: silentLogger,
    service: 'nova-conductor',
  });
  placement = new PlacementClient(clients);
}, 60_000);

afterAll(async () => {
  await clients?.close();
  for (const app of running.reverse()) await app.close();
  for (const database of databases) await database.close();
  rmSync(keys, { recursive: true, force: true });
});

const row = (total: number, ratio = 1) => ({ total, reserved: 0, allocation_ratio: ratio, max_unit: total });

function aProvider(name: string, fields: { memory?: number; traits?: string[] } = {}) {
  return {
    uuid: randomUUID(),
    name,
    inventory: { VCPU: row(4, 4), MEMORY_MB: row(fields.memory ?? 1024), DISK_GB: row(100) },
    traits: fields.traits ?? [],
  };
}

function aSpec(fields: Partial<RequestSpec> = {}, extraSpecs: Record<string, string> = {}): RequestSpec {
  return {
    instance_uuid: randomUUID(),
    project_id: 'p1',
    user_id: 'u1',
    flavor: {
      id: '1',
      name: 'tiny',
      vcpus: 1,
      memory_mb: 512,
      root_gb: 1,
      ephemeral_gb: 0,
      swap_mb: 0,
      extra_specs: extraSpecs,
      description: null,
    },
    root_gb_on_host: 1,
    image_properties: {},
    availability_zone: null,
    force_host: null,
    ignore_hosts: [],
    scheduler_hints: {},
    ...fields,
  };
}

describe("nova's client of placement, with the real services", () => {
  it('claims on providers that it made, once for each server', async () => {
    const small = aProvider('small', { traits: ['COMPUTE_VOLUME_EXTEND', 'CUSTOM_RACK_1'] });
    const large = aProvider('large', { memory: 4096 });
    for (const one of [small, large, small]) await placement.ensureProvider(ctx, one);
    const offered = await placement.candidates(ctx, aSpec(), 10);
    expect(offered.map((one) => one.provider_uuid)).toEqual([large.uuid, small.uuid]);
    expect(offered[0]?.capacity).toEqual({
      VCPU: { capacity: 16, used: 0 },
      MEMORY_MB: { capacity: 4096, used: 0 },
      DISK_GB: { capacity: 100, used: 0 },
    });
    expect(await placement.candidates(ctx, aSpec(), 1)).toHaveLength(1);
    const within = await placement.candidates(ctx, aSpec(), 10, small.uuid);
    expect(within.map((one) => one.provider_uuid)).toEqual([small.uuid]);
    const racked = await placement.candidates(ctx, aSpec({}, { 'trait:CUSTOM_RACK_1': 'required' }), 10);
    expect(racked.map((one) => one.provider_uuid)).toEqual([small.uuid]);

    const [candidate] = within;
    if (candidate === undefined) throw new Error('no candidate');
    const [first, second, third] = [aSpec(), aSpec(), aSpec()];
    expect(await placement.claim(ctx, first, candidate)).toBe(true);
    expect(await placement.claim(ctx, first, candidate)).toBe(false);
    expect(await placement.claim(ctx, second, candidate)).toBe(true);
    expect(await placement.claim(ctx, third, candidate)).toBe(false);
    expect(await placement.allocatedOn(ctx, first.instance_uuid)).toBe(small.uuid);
    expect(await placement.allocatedOn(ctx, third.instance_uuid)).toBeNull();
    expect(await placement.candidates(ctx, aSpec(), 10, small.uuid)).toEqual([]);
    for (const one of [first, first, second]) await placement.release(ctx, one.instance_uuid);
    expect(await placement.candidates(ctx, aSpec(), 10, small.uuid)).toHaveLength(1);
    for (const one of [small, large, large]) await placement.removeProvider(ctx, one.uuid);
    expect(await placement.candidates(ctx, aSpec(), 10)).toEqual([]);
  });

  it('keeps disabled hosts out, and follows what hosts report', async () => {
    const host = aProvider('host');
    await placement.setDisabled(ctx, host.uuid, true);
    await placement.ensureProvider(ctx, host);
    const count = async () => (await placement.candidates(ctx, aSpec(), 10)).length;
    expect(await count()).toBe(1);
    await placement.setDisabled(ctx, host.uuid, true);
    expect(await count()).toBe(0);
    await placement.ensureProvider(ctx, { ...host, traits: ['COMPUTE_STATUS_DISABLED'] });
    expect(await count()).toBe(0);
    await placement.setDisabled(ctx, host.uuid, false);
    expect(await count()).toBe(1);
    await placement.ensureProvider(ctx, { ...host, inventory: { ...host.inventory, MEMORY_MB: row(256) } });
    expect(await count()).toBe(0);
    await placement.ensureProvider(ctx, { ...host, inventory: { ...host.inventory, DISK_GB: row(0) } });
    expect(await placement.candidates(ctx, aSpec({ root_gb_on_host: 0 }), 10)).toHaveLength(1);
    // Several conductors may report at the same time, and a host that goes takes along what is left on it.
    await Promise.all([1, 2, 3].map((part) => placement.setDisabled(ctx, host.uuid, part === 2)));
    await placement.setDisabled(ctx, host.uuid, false);
    const [candidate] = await placement.candidates(ctx, aSpec({ root_gb_on_host: 0 }), 10);
    if (candidate === undefined) throw new Error('no candidate');
    const left = aSpec({ root_gb_on_host: 0 });
    expect(await placement.claim(ctx, left, candidate)).toBe(true);
    await placement.removeProvider(ctx, host.uuid);
    expect(await placement.allocatedOn(ctx, left.instance_uuid)).toBeNull();
  });

  it('serves nova-scheduler, which fills hosts to the last place', async () => {
    await start('nova-scheduler', 'nova', { auth: authOf('nova') });
    const database = databases.at(-1);
    const services = new ServicesRepository();
    const nodes = new ComputeNodesRepository();
    const hosts = [aProvider('h1'), aProvider('h2', { memory: 2048 })];
    for (const host of hosts) {
      await placement.ensureProvider(ctx, host);
      await database?.database.run('host', async (tx) => {
        const service = await services.beat(tx, host.name, 'nova-compute', 'compute', new Date());
        const facts = {
          hypervisor_hostname: host.name,
          hypervisor_version: 1,
          supported_instances: [],
          cpu_info: {},
        };
        await nodes.upsert(tx, {
          uuid: host.uuid,
          host: host.name,
          service_id: service.id,
          facts: facts as unknown as Parameters<typeof nodes.upsert>[1]['facts'],
        });
      });
    }
    const broker = acquireBroker(testBrokerUrl(), silentLogger);
    const scheduler = createRpcClients(broker, silentLogger, 'test').client(SchedulerRpc);
    const outcomes = await Promise.allSettled(
      Array.from({ length: 10 }, () => scheduler.select_destinations(ctx, { request_spec: aSpec() })),
    );
    const chosen = outcomes.flatMap((one) => (one.status === 'fulfilled' ? [one.value.selection.service_host] : []));
    expect(chosen.sort()).toEqual(['h1', 'h1', 'h2', 'h2', 'h2', 'h2']);
    await releaseBroker(testBrokerUrl());
  }, 30_000);
});
