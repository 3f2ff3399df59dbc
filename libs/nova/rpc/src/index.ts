export { ComputeHandler } from './compute/compute.handler';
export { ComputeHost, type ComputeHostDeps } from './compute/compute-host';
