import { operation } from '@nestack/kernel/http';
import Type from 'typebox';
import { IntegerLike, NullableText } from './common';
import {
  AvailabilityZonesResponse,
  CapabilitiesResponse,
  ExtensionResponse,
  ExtensionsResponse,
  HostResponse,
  HostsResponse,
  LimitsResponse,
  MessageResponse,
  MessagesResponse,
  PoolsResponse,
  QuotaClassResponse,
  QuotaSetResponse,
  ResourceFiltersResponse,
  ServiceResponse,
  ServicesResponse,
  VersionResponse,
} from './views';

/** Unlike other services' it wants a token. upstream: cinder/api/versions.py */
export const showVersion = operation({
  id: 'showVersion',
  summary: 'Shows the API version',
  method: 'GET',
  path: '/',
  response: VersionResponse,
  status: 200,
});
export const listServices = operation({
  id: 'listServices',
  summary: "Lists cinder's services",
  method: 'GET',
  path: '/os-services',
  response: ServicesResponse,
  status: 200,
  policy: 'volume_extension:services:index',
});
const ServiceBody = Type.Object({
  host: Type.String(),
  binary: Type.Optional(NullableText),
  service: Type.Optional(NullableText),
  disabled_reason: Type.Optional(NullableText),
});
const serviceUpdate = <const Verb extends string>(id: string, verb: Verb) =>
  operation({
    id,
    summary: `Service update: ${verb}`,
    method: 'PUT',
    path: `/os-services/${verb}`,
    body: ServiceBody,
    response: ServiceResponse,
    status: 200,
    policy: 'volume_extension:services:update',
  });
export const enableService = serviceUpdate('enableService', 'enable');
export const disableService = serviceUpdate('disableService', 'disable');
export const disableServiceLogReason = serviceUpdate('disableServiceLogReason', 'disable-log-reason');
const HostBody = Type.Object({ host: Type.String({ minLength: 1, maxLength: 255 }) });
export const freezeHost = operation({
  id: 'freezeHost',
  summary: 'Takes a backend out of use',
  method: 'PUT',
  path: '/os-services/freeze',
  body: HostBody,
  status: 200,
  policy: 'volume:freeze_host',
});
export const thawHost = operation({
  id: 'thawHost',
  summary: 'Takes a backend into use again',
  method: 'PUT',
  path: '/os-services/thaw',
  body: HostBody,
  status: 200,
  policy: 'volume:thaw_host',
});
export const showLimits = operation({
  id: 'showLimits',
  summary: 'Shows limits and what is used of them',
  method: 'GET',
  path: '/limits',
  response: LimitsResponse,
  status: 200,
});
export const showQuota = operation({
  id: 'showQuota',
  summary: "Shows a project's quota",
  method: 'GET',
  path: '/os-quota-sets/{target_project_id}',
  response: QuotaSetResponse,
  status: 200,
});
export const showQuotaDefaults = operation({
  id: 'showQuotaDefaults',
  summary: 'Shows the default quota',
  method: 'GET',
  path: '/os-quota-sets/{target_project_id}/defaults',
  response: QuotaSetResponse,
  status: 200,
});
const QuotaSet = Type.Record(Type.String(), Type.Union([IntegerLike, Type.String(), Type.Null(), Type.Boolean()]));
export const updateQuota = operation({
  id: 'updateQuota',
  summary: "Changes a project's quota",
  method: 'PUT',
  path: '/os-quota-sets/{target_project_id}',
  body: Type.Object({ quota_set: QuotaSet }),
  response: QuotaSetResponse,
  status: 200,
  policy: 'volume_extension:quotas:update',
});
export const deleteQuota = operation({
  id: 'deleteQuota',
  summary: "Makes a project's quota the default again",
  method: 'DELETE',
  path: '/os-quota-sets/{target_project_id}',
  status: 200,
  policy: 'volume_extension:quotas:delete',
});
export const showQuotaClass = operation({
  id: 'showQuotaClass',
  summary: 'Shows the default quota by its class',
  method: 'GET',
  path: '/os-quota-class-sets/{class_name}',
  response: QuotaClassResponse,
  status: 200,
  policy: 'volume_extension:quota_classes',
});
export const updateQuotaClass = operation({
  id: 'updateQuotaClass',
  summary: 'Changes the default quota',
  method: 'PUT',
  path: '/os-quota-class-sets/{class_name}',
  body: Type.Object({ quota_class_set: QuotaSet }),
  response: QuotaClassResponse,
  status: 200,
  policy: 'volume_extension:quota_classes',
});
export const listAvailabilityZones = operation({
  id: 'listAvailabilityZones',
  summary: 'Lists availability zones',
  method: 'GET',
  path: '/os-availability-zone',
  response: AvailabilityZonesResponse,
  status: 200,
});
export const listPools = operation({
  id: 'listPools',
  summary: 'Lists storage pools as the scheduler sees them',
  method: 'GET',
  path: '/scheduler-stats/get_pools',
  response: PoolsResponse,
  status: 200,
  policy: 'scheduler_extension:scheduler_stats:get_pools',
});
export const listExtensions = operation({
  id: 'listExtensions',
  summary: 'Lists extensions',
  method: 'GET',
  path: '/extensions',
  response: ExtensionsResponse,
  status: 200,
});

export const listHosts = operation({
  id: 'listHosts',
  summary: 'Lists hosts',
  method: 'GET',
  path: '/os-hosts',
  response: HostsResponse,
  status: 200,
  policy: 'volume_extension:hosts',
});
export const showHost = operation({
  id: 'showHost',
  summary: 'Shows what projects have on a host',
  method: 'GET',
  path: '/os-hosts/{host_name}',
  response: HostResponse,
  status: 200,
  policy: 'volume_extension:hosts',
});
export const showCapabilities = operation({
  id: 'showCapabilities',
  summary: 'Shows what a backend can',
  method: 'GET',
  path: '/capabilities/{host_name}',
  response: CapabilitiesResponse,
  status: 200,
  policy: 'volume_extension:capabilities',
});
export const listResourceFilters = operation({
  id: 'listResourceFilters',
  summary: 'Lists filters of lists',
  method: 'GET',
  path: '/resource_filters',
  minVersion: '3.33',
  response: ResourceFiltersResponse,
  status: 200,
});
export const showExtension = operation({
  id: 'showExtension',
  summary: 'Shows an extension',
  method: 'GET',
  path: '/extensions/{alias}',
  response: ExtensionResponse,
  status: 200,
});
export const listMessages = operation({
  id: 'listMessages',
  summary: 'Lists messages to users about what failed',
  method: 'GET',
  path: '/messages',
  minVersion: '3.3',
  response: MessagesResponse,
  status: 200,
  policy: 'message:get_all',
});
export const showMessage = operation({
  id: 'showMessage',
  summary: 'Shows a message',
  method: 'GET',
  path: '/messages/{message_id}',
  minVersion: '3.3',
  response: MessageResponse,
  status: 200,
});
export const deleteMessage = operation({
  id: 'deleteMessage',
  summary: 'Deletes a message',
  method: 'DELETE',
  path: '/messages/{message_id}',
  minVersion: '3.3',
  status: 204,
});

export const infoOperations = [
  showVersion,
  listHosts,
  showHost,
  showCapabilities,
  listResourceFilters,
  showExtension,
  listMessages,
  showMessage,
  deleteMessage,
  listServices,
  enableService,
  disableService,
  disableServiceLogReason,
  freezeHost,
  thawHost,
  showLimits,
  showQuota,
  showQuotaDefaults,
  updateQuota,
  deleteQuota,
  showQuotaClass,
  updateQuotaClass,
  listAvailabilityZones,
  listPools,
  listExtensions,
];
