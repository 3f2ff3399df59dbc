export * from './define-rpc';
export { acquireBroker, Broker, releaseBroker } from './broker';
export { brokerUnavailable } from './broker-errors';
export { createRpcClients, RpcClientProxy } from './client';
export { createFanoutBus, FANOUT, type FanoutBus, type FanoutHandler } from './fanout-bus';
export { HandlesRpc, RPC_TRANSPORT, type RpcQueues } from './handles-rpc';
export type { QueueType } from './queues';
export { RpcServer, type RpcServerOptions } from './server';
