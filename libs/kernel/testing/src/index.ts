export * from './broker';
export * from './database';
export { exampleOf } from './example-of';
export * from './infra';
export { sagaKillSuite, type SagaKillScenario } from './saga-kill-suite';
export { until } from './until';
export * from '@nestack/kernel/servers';
