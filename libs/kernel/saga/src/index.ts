export * from './surface';
export { createSagas, type Bell, type Doorbell } from './sagas';
export { createSagaWorker, type LeasingWorker, type SagaWorkerOptions } from './worker';
export { cutWorkers, telling, type Cut } from './fail-points';
