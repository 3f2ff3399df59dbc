export { AgentHandler, L3AgentHandler } from './agent.handler';
export { AgentLife } from './agent-life';
