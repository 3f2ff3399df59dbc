import { operation } from '@nestack/kernel/http';
import Type from 'typebox';
import { BooleanLike, NullableText } from './common';

const SINCE = { minVersion: '3.7' } as const;

export const listClusters = operation({
  id: 'listClusters',
  summary: 'Lists clusters of volume services: there are none',
  method: 'GET',
  path: '/clusters',
  ...SINCE,
  status: 200,
  policy: 'clusters:get_all',
});
export const listClustersDetail = operation({
  id: 'listClustersDetail',
  summary: 'Lists clusters with details: there are none',
  method: 'GET',
  path: '/clusters/detail',
  ...SINCE,
  status: 200,
  policy: 'clusters:get_all',
});
export const showCluster = operation({
  id: 'showCluster',
  summary: 'Shows a cluster: there is none',
  method: 'GET',
  path: '/clusters/{cluster_id}',
  ...SINCE,
  status: 200,
  policy: 'clusters:get',
});
export const updateCluster = operation({
  id: 'updateCluster',
  summary: 'Enables or disables a cluster: there is none',
  method: 'PUT',
  path: '/clusters/{cluster_id}',
  ...SINCE,
  body: Type.Object({
    name: Type.String({ minLength: 1, maxLength: 255 }),
    binary: Type.Optional(NullableText),
    disabled_reason: Type.Optional(NullableText),
  }),
  status: 200,
  policy: 'clusters:update',
});
export const cleanupWorkers = operation({
  id: 'cleanupWorkers',
  summary: 'Cleans up after services that ended in their work: workers do that by themselves',
  method: 'POST',
  path: '/workers/cleanup',
  minVersion: '3.24',
  body: Type.Object(
    {
      cluster_name: Type.Optional(NullableText),
      disabled: Type.Optional(BooleanLike),
      host: Type.Optional(NullableText),
      is_up: Type.Optional(BooleanLike),
      binary: Type.Optional(Type.Union([Type.Literal('cinder-volume'), Type.Literal('cinder-scheduler')])),
      resource_id: Type.Optional(NullableText),
      resource_type: Type.Optional(NullableText),
      service_id: Type.Optional(Type.Union([Type.Integer(), Type.String(), Type.Null()])),
    },
    { additionalProperties: false },
  ),
  status: 202,
  policy: 'workers:cleanup',
});
const failover = (id: string, path: string, minVersion?: string) =>
  operation({
    id,
    summary: 'Fails a replicated backend over: none is replicated',
    method: 'PUT',
    path,
    ...(minVersion === undefined ? {} : { minVersion }),
    body: Type.Object({
      host: Type.Optional(NullableText),
      cluster: Type.Optional(NullableText),
      backend_id: Type.Optional(NullableText),
    }),
    status: 202,
    policy: 'volume:failover_host',
  });
export const failoverHost = failover('failoverHost', '/os-services/failover_host');
export const failoverCluster = failover('failoverCluster', '/os-services/failover', '3.26');

export const clusterOperations = [
  listClusters,
  listClustersDetail,
  showCluster,
  updateCluster,
  cleanupWorkers,
  failoverHost,
  failoverCluster,
];
