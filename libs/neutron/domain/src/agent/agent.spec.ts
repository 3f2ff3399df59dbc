import { describe, expect, it } from '@jest/globals';
import { systemClock } from '@nestack/kernel/clock';
import { newContext } from '@nestack/kernel/context';
import type { DhcpNetwork, DhcpPort, NetworkInfo } from '@nestack/neutron/contract';
import type { DhcpDataplane, L2Dataplane } from '../ports';
import { CarriedNetworks } from './carried-networks';
import { DhcpAgent } from './dhcp-agent';

const ctx = newContext();
const quiet = { info: () => undefined, warn: () => undefined };

const NET: NetworkInfo = {
  id: 'n1',
  project_id: 'p1',
  network_type: 'vxlan',
  segmentation_id: 1,
  mtu: 1450,
  admin_state_up: true,
  tunnel_endpoints: [],
};

/** A host's wires that only remember. */
function wires(present: string[] = []) {
  const log: string[] = [];
  const l2: L2Dataplane = {
    start: async () => undefined,
    devices: async () => [],
    ensureNetwork: async (network) => void log.push(`ensure ${network.id} ${network.mtu}`),
    absentNetwork: async (id) => void log.push(`absent ${id}`),
    ensurePort: async () => true,
    absentPort: async () => undefined,
    networks: async () => present,
    close: async () => undefined,
  };
  return { log, networks: new CarriedNetworks(l2) };
}

describe('networks of a host', () => {
  it('stay as long as somebody wants them', async () => {
    const { log, networks } = wires();
    await networks.hold(NET, 'a');
    await networks.hold(NET, 'b');
    await networks.release('n1', 'a');
    await networks.release('n1', 'a');
    expect(log).toEqual(['ensure n1 1450']);
    await networks.hold({ ...NET, mtu: 1400 }, 'b');
    await networks.release('n1', 'b');
    expect(log).toEqual(['ensure n1 1450', 'ensure n1 1400', 'absent n1']);
  });

  it('are not taken away from whoever comes while they are going', async () => {
    const { log, networks } = wires();
    await networks.hold(NET, 'a');
    await Promise.all([networks.release('n1', 'a'), networks.hold(NET, 'b')]);
    expect(log.at(-1)).toBe('ensure n1 1450');
    expect(networks.has('n1')).toBe(true);
  });

  it('are swept when they are left over', async () => {
    const { log, networks } = wires(['n1', 'old']);
    await networks.hold(NET, 'a');
    await networks.sweep();
    expect(log).toEqual(['ensure n1 1450', 'absent old']);
  });
});

function portOf(id: string, revision = 1): DhcpPort {
  return {
    id,
    network_id: 'n1',
    project_id: 'p1',
    mac_address: `fa:${id}`,
    fixed_ips: [{ subnet_id: 's', ip_address: `10.0.0.${id}` }],
    device_id: `vm-${id}-${revision}`,
    device_owner: 'compute:nova',
    extra_dhcp_opts: [],
    revision_number: revision,
  };
}

/** A DHCP agent whose server answers when the test lets it. */
function dhcpAgent() {
  let served: string[] | null = null;
  let release: (network: DhcpNetwork | null) => void = () => undefined;
  const note = async (network: DhcpNetwork) => {
    served = network.ports.map((one) => `${one.id}/${one.revision_number}`).sort();
  };
  const dhcp: DhcpDataplane = {
    ensureDhcp: note,
    ensurePorts: note,
    absentDhcp: async () => {
      served = null;
    },
    sweep: async () => undefined,
    close: async () => undefined,
  };
  const agent = new DhcpAgent({
    host: 'h',
    dhcp,
    networks: wires().networks,
    clock: systemClock,
    log: quiet,
    plugin: {
      get_active_networks_info: async () => ({ networks: [] }),
      get_network_info: () =>
        new Promise((resolve) => {
          release = (network) => resolve({ network });
        }),
    },
  });
  const settled = async () => {
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  };
  const answer = async (ports: DhcpPort[] | null) => {
    await settled();
    release(ports === null ? null : { network: NET, subnets: [], ports, dhcp_port_id: 'own' });
    await settled();
  };
  return { agent, answer, settled, served: () => served };
}

describe('a DHCP agent', () => {
  it('takes over what it hears while it reads, and not what is older', async () => {
    const { agent, answer, served, settled } = dhcpAgent();
    agent.networkChanged(ctx, 'n1');
    await answer([portOf('1')]);
    expect(served()).toEqual(['1/1']);
    agent.networkChanged(ctx, 'n1');
    await settled();
    agent.portChanged(ctx, portOf('2'));
    agent.portChanged(ctx, portOf('1', 5));
    agent.portDeleted(ctx, 'n1', '3');
    // What was read is from before all that.
    await answer([portOf('1', 4), portOf('3')]);
    expect(served()).toEqual(['1/5', '2/1']);
    agent.portChanged(ctx, portOf('1', 2));
    agent.portChanged(ctx, portOf('3', 9));
    await settled();
    expect(served()).toEqual(['1/5', '2/1']);
  });

  it('knows whose address it is, as things are now', async () => {
    const { agent, answer, settled } = dhcpAgent();
    agent.networkChanged(ctx, 'n1');
    await answer([portOf('1')]);
    expect(agent.resolve('n1', '10.0.0.1')).toEqual({ port_id: '1', device_id: 'vm-1-1', project_id: 'p1' });
    agent.portChanged(ctx, portOf('1', 2));
    expect(agent.resolve('n1', '10.0.0.1')?.device_id).toBe('vm-1-2');
    agent.portDeleted(ctx, 'n1', '1');
    await settled();
    expect(agent.resolve('n1', '10.0.0.1')).toBeNull();
    expect(agent.resolve('n2', '10.0.0.1')).toBeNull();
  });

  it('gives up a network that is not its own any more', async () => {
    const { agent, answer, served } = dhcpAgent();
    agent.networkChanged(ctx, 'n1');
    await answer([portOf('1')]);
    agent.networkDeleted(ctx, 'n1');
    await answer(null);
    expect(served()).toBeNull();
    expect(agent.resolve('n1', '10.0.0.1')).toBeNull();
  });
});
