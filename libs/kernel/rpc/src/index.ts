export * from './define-rpc';
export { acquireBroker, Broker, brokerUnavailable, releaseBroker } from './broker';
export { createRpcClients, RpcClientProxy } from './client';
export { createFanoutBus, FANOUT, type FanoutBus } from './fanout-bus';
export { HandlesRpc, RPC_TRANSPORT, type RpcQueues } from './handles-rpc';
export { RpcServer, type RpcServerOptions } from './server';
