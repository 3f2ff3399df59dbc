export { NeutronAgent, type NeutronAgentOptions } from './neutron-agent';
export type { AgentLog, Plugin } from './plugin';
