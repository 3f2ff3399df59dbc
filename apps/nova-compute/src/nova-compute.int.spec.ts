import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startApp, type RunningApp } from '@nestack/kernel/app';
import { newContext } from '@nestack/kernel/context';
import { newUuid } from '@nestack/kernel/ids';
import { waitFor } from '@nestack/kernel/process';
import type { RpcClient } from '@nestack/kernel/rpc';
import { ComputeRpc, POWER_STATE, type InstanceSpec } from '@nestack/nova/contract';
import { ConductorState, conductorStub } from '../test/conductor-stub';
import { app } from './app.module';

const url = process.env['NESTACK_TEST_AMQP_URL'] ?? '';
const host = `h-${newUuid().slice(0, 8)}`;
const ctx = newContext();
const stateDir = mkdtempSync(path.join(tmpdir(), 'nova-compute-'));
const state = new ConductorState();
let conductor: RunningApp;
let compute: RunningApp;
let rpc: RpcClient<typeof ComputeRpc>;

const startHost = (more: Record<string, unknown> = {}) =>
  startApp(app, {
    host,
    broker: { url },
    auth: { keystone_url: 'http://127.0.0.1:1/v3', jws_public_keys: stateDir, username: 'nova', password: 'x' },
    driver: 'fake',
    state_path: stateDir,
    reserved_host_memory_mb: 64,
    log_level: 'error',
    ...more,
  });

function instance(name: string): InstanceSpec {
  return {
    uuid: newUuid(),
    name,
    hostname: name,
    project_id: 'p1',
    user_id: 'u1',
    availability_zone: 'nova',
    flavor: {
      id: '1',
      name: 'm1.tiny',
      vcpus: 1,
      memory_mb: 512,
      root_gb: 1,
      ephemeral_gb: 0,
      swap_mb: 0,
      extra_specs: {},
      description: null,
    },
    image: null,
    nics: [],
    volumes: [],
    config_drive: false,
    user_data: null,
    key_name: null,
    key_data: null,
    metadata: {},
    launch_index: 0,
    reservation_id: 'r-1',
    personality: [],
    created_at: '2026-01-01T00:00:00Z',
  };
}

/** The simulated hypervisor, as it is saved. */
const guests = () =>
  Object.fromEntries(
    readdirSync(path.join(stateDir, 'fake')).map((name) => [
      name.replace(/\.json$/, ''),
      JSON.parse(readFileSync(path.join(stateDir, 'fake', name), 'utf8')) as { power: number },
    ]),
  );
const code = (promise: Promise<unknown>) => promise.then(String, (error: { code?: string }) => error.code);

describe('nova-compute', () => {
  beforeAll(async () => {
    conductor = await startApp(conductorStub(state), { host: 'controller', broker: { url }, log_level: 'error' });
    if (state.rpc === null) throw new Error('no clients');
    rpc = state.rpc.client(ComputeRpc);
  });

  afterAll(async () => {
    await compute.close();
    await conductor.close();
    rmSync(stateDir, { recursive: true, force: true });
  });

  it('reports what the host has, again until the conductor takes it', async () => {
    state.refusals = 2;
    compute = await startHost();
    await waitFor('the report', () => state.hosts.has(host), 10_000);
    expect(state.hosts.get(host)).toMatchObject({
      hypervisor_hostname: host,
      hypervisor_type: 'fake',
      vcpus: 1000,
      accounting: { cpu_allocation_ratio: 4, reserved_host_memory_mb: 64, reserved_host_disk_mb: 0 },
    });
  });

  it('takes commands; each makes true what it names, however often it comes', async () => {
    const one = instance('one');
    const { uuid } = one;
    for (const _ of [1, 2])
      expect(await rpc.build_and_run_instance(ctx, { instance: one }, { host })).toEqual({
        power_state: POWER_STATE.running,
        root_device_name: '/dev/vda',
      });
    for (const _ of [1, 2])
      expect(
        await rpc.stop_instance(ctx, { instance_uuid: uuid, clean_shutdown: true, timeout_s: 1 }, { host }),
      ).toEqual({
        power_state: POWER_STATE.shutdown,
      });
    expect(guests()[uuid]?.power).toBe(POWER_STATE.shutdown);
    await rpc.start_instance(ctx, { instance: one }, { host });
    const { output } = await rpc.get_console_output(ctx, { instance_uuid: uuid, tail_length: null }, { host });
    expect(output).toContain('one login:');
    expect(
      await rpc.get_console_output(ctx, { instance_uuid: uuid, tail_length: 2 }, { host }).then((r) => r.output),
    ).toBe(output.split('\n').slice(-2).join('\n'));
    const volume = {
      instance_uuid: uuid,
      volume_id: newUuid(),
      device: '/dev/vdb',
      connection_info: { driver_volume_type: 'fake', data: {} },
    };
    for (const _ of [1, 2]) expect(await rpc.attach_volume(ctx, volume, { host })).toEqual({ device: '/dev/vdb' });
    for (const _ of [1, 2]) await rpc.detach_volume(ctx, { ...volume, connection_info: null }, { host });
    const nothing = { instance_uuid: uuid, nics: [], volumes: [] };
    for (const _ of [1, 2]) await rpc.terminate_instance(ctx, nothing, { host });
    expect(guests()).toEqual({});
    expect(await code(rpc.pause_instance(ctx, { instance_uuid: uuid }, { host }))).toBe('InstanceNotFound');
    expect((await rpc.get_volume_connector(ctx, {}, { host })).connector).toMatchObject({ host, ip: '127.0.0.1' });
  });

  it('leaves guests running when it ends, and puts the host in order when it returns', async () => {
    const [runs, off, gone, kept, busy] = ['runs', 'off', 'gone', 'kept', 'busy'].map(instance);
    if (!runs || !off || !gone || !kept || !busy) throw new Error('no guests');
    for (const one of [runs, gone, kept]) await rpc.build_and_run_instance(ctx, { instance: one }, { host });
    await compute.close();
    expect(Object.keys(guests()).sort()).toEqual([runs, gone, kept].map((one) => one.uuid).sort());
    state.orphans.add(gone.uuid);
    state.wanted.push(
      { instance: runs, should_run: true, busy: false },
      { instance: off, should_run: true, busy: false },
      { instance: busy, should_run: true, busy: true },
      { instance: kept, should_run: false, busy: false },
    );
    compute = await startHost();
    await waitFor('the power states', () => state.powers.length >= 3, 10_000);
    expect(Object.keys(guests()).sort()).toEqual([runs, off, kept].map((one) => one.uuid).sort());
    expect(new Map(state.powers.map(({ uuid, power }) => [uuid, power]))).toEqual(
      new Map([runs, off, kept].map((one) => [one.uuid, POWER_STATE.running])),
    );
    // Commands go on where they were: the queue is the host's.
    expect(await rpc.reboot_instance(ctx, { instance: runs, reboot_type: 'HARD', timeout_s: 1 }, { host })).toEqual({
      power_state: POWER_STATE.running,
    });
  });

  it('fails as often as it is told to', async () => {
    await compute.close();
    state.wanted.length = 0;
    compute = await startHost({ fake: { failure_percent: { spawn: 100 }, delays_ms: { spawn: 20 } } });
    expect(await code(rpc.build_and_run_instance(ctx, { instance: instance('bad') }, { host }))).toBe('FakeFailure');
  });

  it('refuses settings that it does not know', async () => {
    await expect(startHost({ fake: { vcpu: 4 } })).rejects.toThrow("unknown key 'vcpu'");
  });
});
