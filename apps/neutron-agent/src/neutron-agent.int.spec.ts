import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startApp, type RunningApp } from '@nestack/kernel/app';
import { newContext } from '@nestack/kernel/context';
import { newUuid } from '@nestack/kernel/ids';
import { waitFor } from '@nestack/kernel/process';
import type { RpcClient } from '@nestack/kernel/rpc';
import { testBrokerUrl } from '@nestack/kernel/testing';
import { AgentRpc, tapName, type DeviceDetails, type DhcpNetwork, type NetworkInfo } from '@nestack/neutron/contract';
import type { FakeState } from '@nestack/neutron/drivers';
import { ServerState, serverStub } from '../test/server-stub';
import { app } from './app.module';

const url = testBrokerUrl();
const host = `h-${newUuid().slice(0, 8)}`;
const ctx = newContext();
const stateDir = mkdtempSync(path.join(tmpdir(), 'neutron-agent-'));
const state = new ServerState();
let server: RunningApp;
let agent: RunningApp;
let bell: RpcClient<typeof AgentRpc>;

function network(): NetworkInfo {
  return {
    id: newUuid(),
    project_id: 'p1',
    network_type: 'vxlan',
    segmentation_id: 7,
    mtu: 1450,
    admin_state_up: true,
    tunnel_endpoints: [],
  };
}

function bound(on: NetworkInfo, more: Partial<DeviceDetails> = {}): DeviceDetails {
  const id = newUuid();
  const details: DeviceDetails = {
    port_id: id,
    device: tapName(id),
    network: on,
    project_id: 'p1',
    mac_address: 'fa:16:3e:00:00:01',
    admin_state_up: true,
    fixed_ips: [],
    device_id: newUuid(),
    device_owner: 'compute:nova',
    port_security_enabled: true,
    allowed_address_pairs: [],
    security_groups: [],
    ...more,
  };
  state.ports.set(id, { host, details });
  return details;
}

function dhcp(of: NetworkInfo): DhcpNetwork {
  const served = { network: of, subnets: [], ports: [], dhcp_port_id: newUuid() };
  state.dhcp.set(of.id, { host, network: served });
  return served;
}

/** The simulated data plane, as it is saved; the agent saves soon after each change. */
function wires(): FakeState {
  try {
    return JSON.parse(readFileSync(path.join(stateDir, 'fake.json'), 'utf8')) as FakeState;
  } catch {
    return { networks: {}, ports: {}, dhcp: {}, routers: {} };
  }
}

const startAgent = () =>
  startApp(app, {
    host,
    broker: { url },
    driver: 'fake',
    state_path: stateDir,
    local_ip: '10.1.1.1',
    log_level: 'error',
  });

describe('neutron-agent', () => {
  beforeAll(async () => {
    server = await startApp(serverStub(state), { host: 'controller', broker: { url }, log_level: 'error' });
    if (state.rpc === null) throw new Error('no clients');
    bell = state.rpc.client(AgentRpc);
  });

  afterAll(async () => {
    await agent.close();
    await server.close();
    rmSync(stateDir, { recursive: true, force: true });
  });

  it('reports itself and wires at its start what is bound to its host', async () => {
    const first = network();
    const here = [bound(first), bound(first)];
    const elsewhere = bound(first);
    state.ports.set(elsewhere.port_id, { host: 'other', details: elsewhere });
    dhcp(first);
    agent = await startAgent();
    await waitFor('the ports', () => here.every((port) => state.status.get(port.port_id) === 'ACTIVE'), 5000, 10);
    expect(state.status.has(elsewhere.port_id)).toBe(false);
    expect(state.reports.map((one) => [one.agent_type, one.start_flag]).sort()).toEqual(
      [
        ['DHCP agent', true],
        ['L3 agent', true],
        ['Linux bridge agent', true],
        ['Metadata agent', true],
      ].sort(),
    );
    const layer2 = state.reports.find((one) => one.agent_type === 'Linux bridge agent');
    expect(layer2?.configurations).toMatchObject({ tunneling_ip: '10.1.1.1', tunnel_types: ['vxlan'] });
    await waitFor('the wires', () => Object.keys(wires().dhcp).length === 1, 5000, 10);
    expect(Object.keys(wires().ports).sort()).toEqual(here.map((port) => port.port_id).sort());
    expect(Object.keys(wires().networks)).toEqual([first.id]);
  });

  it('wires a port when it is told of it, and asks once for many', async () => {
    const second = network();
    const ports = Array.from({ length: 40 }, () => bound(second));
    state.calls.length = 0;
    await Promise.all(ports.map((port) => bell.port_update(ctx, { port_id: port.port_id }, { host })));
    await waitFor('the ports', () => ports.every((port) => state.status.get(port.port_id) === 'ACTIVE'), 5000, 5);
    expect(state.calls.length).toBeLessThan(ports.length);
  });

  it('removes a port that was unbound, and its network with the last one', async () => {
    const third = network();
    const port = bound(third);
    await bell.port_update(ctx, { port_id: port.port_id }, { host });
    await waitFor('the port', () => wires().ports[port.port_id] !== undefined, 5000, 20);
    state.ports.delete(port.port_id);
    await bell.port_delete(ctx, { port_id: port.port_id }, { host });
    await waitFor('its end', () => wires().ports[port.port_id] === undefined, 5000, 20);
    await waitFor('the end of its network', () => wires().networks[third.id] === undefined, 5000, 20);
  });

  it('says again that a port works when it is bound anew', async () => {
    const port = bound(network());
    await bell.port_update(ctx, { port_id: port.port_id }, { host });
    await waitFor('the port', () => state.status.get(port.port_id) === 'ACTIVE', 5000, 5);
    state.status.set(port.port_id, 'DOWN');
    await bell.port_update(ctx, { port_id: port.port_id }, { host });
    await waitFor('the port again', () => state.status.get(port.port_id) === 'ACTIVE', 5000, 5);
    state.ports.set(port.port_id, { host, details: { ...port, admin_state_up: false } });
    await bell.port_update(ctx, { port_id: port.port_id }, { host });
    await waitFor('the port down', () => state.status.get(port.port_id) === 'DOWN', 5000, 5);
  });

  it('serves DHCP on a network from the moment that it is given to it', async () => {
    const fourth = network();
    const served = dhcp(fourth);
    const port = {
      id: newUuid(),
      network_id: fourth.id,
      project_id: 'p1',
      mac_address: 'fa:16:3e:00:00:09',
      fixed_ips: [],
      device_id: 'd',
      device_owner: 'compute:nova',
      extra_dhcp_opts: [],
      revision_number: 1,
    };
    await bell.network_update_end(ctx, { network_id: fourth.id }, { host });
    await waitFor('the server', () => wires().dhcp[fourth.id]?.dhcp_port_id === served.dhcp_port_id, 5000, 20);
    await bell.port_update_end(ctx, { port }, { host });
    await waitFor('the port', () => wires().dhcp[fourth.id]?.ports.includes(port.id) === true, 5000, 20);
    await bell.port_delete_end(ctx, { network_id: fourth.id, port_id: port.id }, { host });
    await waitFor('its end', () => wires().dhcp[fourth.id]?.ports.length === 0, 5000, 20);
    // A word that was overtaken must not bring it back.
    await bell.port_update_end(ctx, { port: { ...port, revision_number: 0 } }, { host });
    state.dhcp.delete(fourth.id);
    await bell.network_delete(ctx, { network_id: fourth.id });
    await waitFor('the end of the server', () => wires().dhcp[fourth.id] === undefined, 5000, 20);
    expect(wires().networks[fourth.id]).toBeUndefined();
  });

  it('goes on asking while the server is away', async () => {
    state.away = true;
    const port = bound(network());
    await bell.port_update(ctx, { port_id: port.port_id }, { host });
    await new Promise((resolve) => setImmediate(resolve));
    state.away = false;
    await waitFor('the port', () => state.status.get(port.port_id) === 'ACTIVE', 10_000, 20);
  });

  it('takes its wires over after a restart, without those that are bound here no more', async () => {
    const kept = Object.keys(wires().ports);
    await agent.close();
    const [lost = '', ...rest] = kept;
    const lostNetwork = state.ports.get(lost)?.details.network.id;
    state.ports.delete(lost);
    state.status.clear();
    expect(Object.keys(wires().ports)).toEqual(expect.arrayContaining(kept));
    agent = await startAgent();
    await waitFor(
      'all ports',
      () =>
        [...state.ports.values()].every(
          ({ host: at, details }) =>
            at !== host || !details.admin_state_up || state.status.get(details.port_id) === 'ACTIVE',
        ),
      5000,
      20,
    );
    await waitFor('the swept port', () => wires().ports[lost] === undefined, 5000, 20);
    expect(rest.every((id) => wires().ports[id] !== undefined)).toBe(true);
    expect(lostNetwork).toBeDefined();
  });
});
