import { hostname } from 'node:os';
import path from 'node:path';
import type { Provider } from '@nestjs/common';
import { LOGGER } from '@nestack/kernel/app';
import { systemClock } from '@nestack/kernel/clock';
import type { Logger } from '@nestack/kernel/log';
import { FANOUT, RPC_CLIENTS, type FanoutBus, type RpcClients } from '@nestack/kernel/rpc';
import { PluginRpc } from '@nestack/neutron/contract';
import { NeutronAgent, type Dataplane } from '@nestack/neutron/domain';
import { FakeDataplane, createLinuxDataplane } from '@nestack/neutron/drivers';
import { AgentLife } from '@nestack/neutron/rpc';
import type { NeutronAgentConfig } from './neutron-agent.config';

function dataplaneOf(config: NeutronAgentConfig, log: Logger): Dataplane {
  if (config.driver === 'fake') {
    return new FakeDataplane({
      stateFile: path.join(config.state_path, 'fake.json'),
      delayMs: (config.fake_delay ?? 0) * 1000,
      failureRate: config.fake_failure_rate ?? 0,
    });
  }
  const metadata = new URL(config.nova_metadata_url ?? 'http://127.0.0.1:8775');
  return createLinuxDataplane({
    // The process itself runs in its host's network namespace.
    namespace: null,
    stateDir: config.state_path,
    localIp: config.local_ip ?? null,
    vxlanPort: config.udp_dstport ?? 4789,
    bridgeMappings: config.bridge_mappings ?? {},
    table: config.filter_table ?? 'neutron',
    dnsDomain: config.dns_domain ?? '',
    dnsServers: config.dnsmasq_dns_servers ?? [],
    metadata: {
      novaHost: metadata.hostname,
      novaPort: Number(metadata.port === '' ? 80 : metadata.port),
      sharedSecret: config.metadata_proxy_shared_secret ?? '',
    },
    log,
  });
}

/** The agent over its data plane; connections come from the kernel's module. */
export function neutronAgentProviders(config: NeutronAgentConfig): Provider[] {
  return [
    {
      provide: NeutronAgent,
      inject: [RPC_CLIENTS, LOGGER],
      useFactory: (rpc: RpcClients, log: Logger) =>
        new NeutronAgent({
          host: config.host ?? hostname(),
          plugin: rpc.client(PluginRpc),
          dataplane: dataplaneOf(config, log),
          clock: systemClock,
          log,
          localIp: config.local_ip ?? null,
          bridgeMappings: config.bridge_mappings ?? {},
          availabilityZone: config.availability_zone ?? 'nova',
          reportIntervalMs: (config.report_interval ?? 30) * 1000,
          resyncIntervalMs: (config.resync_interval ?? 600) * 1000,
        }),
    },
    {
      provide: AgentLife,
      inject: [NeutronAgent, FANOUT],
      useFactory: (agent: NeutronAgent, fanout: FanoutBus) => new AgentLife(agent, fanout),
    },
  ];
}
