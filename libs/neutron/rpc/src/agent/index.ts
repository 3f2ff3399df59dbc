export { AgentHandler } from './agent.handler';
export { AgentLife } from './agent-life';
