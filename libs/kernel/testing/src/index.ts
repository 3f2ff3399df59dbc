export * from './broker';
export * from './database';
export { exampleOf } from './example-of';
export * from './infra';
export { sagaKillSuite, type SagaKillScenario } from './saga-kill-suite';
export * from '@nestack/kernel/servers';
