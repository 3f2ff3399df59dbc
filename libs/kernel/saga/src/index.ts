export * from './surface';
export { createSagas, type Doorbell } from './sagas';
export { createSagaWorker, type SagaWorkerOptions } from './worker';
export { cutWorkers, type Cut } from './fail-points';
