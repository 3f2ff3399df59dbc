export { ComputeHandler } from './compute/compute.handler';
export { ComputeHost, type ComputeHostDeps } from './compute/compute-host';
export { ConsoleGate, type ConsoleGateOptions } from './compute/console-gate';
export { ConductorHandler } from './conductor/conductor.handler';
export { OverdueRounds } from './conductor/overdue-rounds';
export { ServiceHeartbeat } from './conductor/service-heartbeat';
export { SchedulerHandler } from './scheduler/scheduler.handler';
