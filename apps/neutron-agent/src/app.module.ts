import type { DynamicModule } from '@nestjs/common';
import { defineApp, kernelModule } from '@nestack/kernel/app';
import { AgentHandler, AgentLife, L3AgentHandler } from '@nestack/neutron/rpc';
import { neutronAgentConfig } from './neutron-agent.config';
import { neutronAgentProviders } from './neutron-agent.providers';

class NeutronAgentModule {}

/** Neutron's part on each compute host: layer 2, security groups, DHCP, metadata. It has no database. */
export const app = defineApp({
  name: 'neutron-agent',
  config: neutronAgentConfig,
  onServing: AgentLife,
  module: (config, { log }): DynamicModule => ({
    module: NeutronAgentModule,
    imports: [kernelModule({ service: 'neutron-agent', log, config, broker: config.broker })],
    controllers: [AgentHandler, L3AgentHandler],
    providers: neutronAgentProviders(config),
  }),
});
