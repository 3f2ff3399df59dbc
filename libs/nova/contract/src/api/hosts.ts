import { operation } from '@nestack/kernel/http';
import Type from 'typebox';
import { Any, BOOLEAN_WORDS, Fqdn, Links, LooseBoolean, Strict, versions } from './common';
import { AnyText, OneName, OneOf, OnePage, Page, closed, closedSince275, open } from './queries';

const Item = Type.Record(Type.String(), Any);

export const listServices = operation({
  id: 'listServices',
  summary: 'List services',
  method: 'GET',
  path: '/os-services',
  status: 200,
  query: closedSince275({ host: AnyText, binary: AnyText }),
  response: Type.Object({ services: Type.Array(Item) }),
  policy: 'os_compute_api:os-services:list',
});
const Text = Type.String({ minLength: 1, maxLength: 255 });
const ServiceFields = { host: Fqdn, binary: Text, disabled_reason: Type.Optional(Text) };
export const updateService = operation({
  id: 'updateService',
  summary: 'Enable, disable or force down a service',
  method: 'PUT',
  path: '/os-services/{service_id}',
  status: 200,
  body: versions<Type.TObject>([
    { since: '2.1', schema: Strict(ServiceFields) },
    { since: '2.11', schema: Strict({ ...ServiceFields, forced_down: Type.Optional(LooseBoolean) }) },
    {
      since: '2.53',
      schema: Strict({
        status: Type.Optional(Type.Enum(['enabled', 'disabled'])),
        disabled_reason: Type.Optional(Text),
        forced_down: Type.Optional(LooseBoolean),
      }),
    },
  ]),
  response: Type.Object({ service: Item }),
  policy: 'os_compute_api:os-services:update',
  errors: ['ServiceNotFound', 'HostBinaryNotFound'],
});
export const deleteService = operation({
  id: 'deleteService',
  summary: 'Delete a service',
  method: 'DELETE',
  path: '/os-services/{service_id}',
  status: 204,
  policy: 'os_compute_api:os-services:delete',
  errors: ['ServiceNotFound'],
});

const HypervisorQuery = [
  open('2.33', Page),
  closed('2.53', { ...OnePage, hypervisor_hostname_pattern: OneName, with_servers: OneOf(BOOLEAN_WORDS) }),
];
export const listHypervisors = operation({
  id: 'listHypervisors',
  summary: 'List hypervisors',
  method: 'GET',
  path: '/os-hypervisors',
  status: 200,
  query: HypervisorQuery,
  response: Type.Object({ hypervisors: Type.Array(Item), hypervisors_links: Type.Optional(Links) }),
  policy: 'os_compute_api:os-hypervisors:list',
  errors: ['BadRequest', 'HypervisorPatternNotFound', 'ListMarkerNotFound'],
});
export const listHypervisorsDetail = operation({
  id: 'listHypervisorsDetail',
  summary: 'List hypervisors with details',
  method: 'GET',
  path: '/os-hypervisors/detail',
  status: 200,
  query: HypervisorQuery,
  response: Type.Object({ hypervisors: Type.Array(Item), hypervisors_links: Type.Optional(Links) }),
  policy: 'os_compute_api:os-hypervisors:list-detail',
  errors: ['BadRequest', 'HypervisorPatternNotFound', 'ListMarkerNotFound'],
});
export const hypervisorStatistics = operation({
  id: 'hypervisorStatistics',
  summary: 'Statistics over all hypervisors',
  method: 'GET',
  path: '/os-hypervisors/statistics',
  status: 200,
  maxVersion: '2.87',
  response: Type.Object({ hypervisor_statistics: Item }),
  policy: 'os_compute_api:os-hypervisors:statistics',
});
export const showHypervisor = operation({
  id: 'showHypervisor',
  summary: 'Show a hypervisor',
  method: 'GET',
  path: '/os-hypervisors/{hypervisor_id}',
  status: 200,
  query: [closed('2.53', { with_servers: OneOf(BOOLEAN_WORDS) })],
  response: Type.Object({ hypervisor: Item }),
  policy: 'os_compute_api:os-hypervisors:show',
  errors: ['HypervisorNotFound', 'BadRequest'],
});
export const hypervisorUptime = operation({
  id: 'hypervisorUptime',
  summary: 'Uptime of a hypervisor',
  method: 'GET',
  path: '/os-hypervisors/{hypervisor_id}/uptime',
  status: 200,
  maxVersion: '2.87',
  response: Type.Object({ hypervisor: Item }),
  policy: 'os_compute_api:os-hypervisors:uptime',
  errors: ['HypervisorNotFound', 'BadRequest'],
});
const pattern = { maxVersion: '2.52', errors: ['HypervisorPatternNotFound'] } as const;
export const searchHypervisors = operation({
  id: 'searchHypervisors',
  summary: 'Hypervisors by a part of their name',
  method: 'GET',
  path: '/os-hypervisors/{hypervisor_hostname_pattern}/search',
  status: 200,
  ...pattern,
  response: Type.Object({ hypervisors: Type.Array(Item) }),
  policy: 'os_compute_api:os-hypervisors:search',
});
export const hypervisorServers = operation({
  id: 'hypervisorServers',
  summary: 'Hypervisors by a part of their name, with their servers',
  method: 'GET',
  path: '/os-hypervisors/{hypervisor_hostname_pattern}/servers',
  status: 200,
  ...pattern,
  response: Type.Object({ hypervisors: Type.Array(Item) }),
  policy: 'os_compute_api:os-hypervisors:servers',
});

/** Hosts by name, before there were services and hypervisors. upstream: nova/api/openstack/compute/hosts.py */
export const listHosts = operation({
  id: 'listHosts',
  summary: 'List hosts',
  method: 'GET',
  path: '/os-hosts',
  status: 200,
  maxVersion: '2.42',
  query: Type.Object({ zone: AnyText }),
  response: Type.Object({ hosts: Type.Array(Item) }),
  policy: 'os_compute_api:os-hosts:list',
});
export const showHost = operation({
  id: 'showHost',
  summary: 'Show what a host has and what is used of it',
  method: 'GET',
  path: '/os-hosts/{host_name}',
  status: 200,
  maxVersion: '2.42',
  response: Type.Object({ host: Type.Array(Item) }),
  policy: 'os_compute_api:os-hosts:show',
  errors: ['ComputeHostUnknown'],
});
const OnOff = Type.Enum(['enable', 'Enable', 'ENABLE', 'disable', 'Disable', 'DISABLE']);
export const updateHost = operation({
  id: 'updateHost',
  summary: 'Enable or disable a host',
  method: 'PUT',
  path: '/os-hosts/{host_name}',
  status: 200,
  maxVersion: '2.42',
  body: Type.Object(
    { status: Type.Optional(OnOff), maintenance_mode: Type.Optional(OnOff) },
    { additionalProperties: false, minProperties: 1 },
  ),
  response: Item,
  policy: 'os_compute_api:os-hosts:update',
  errors: ['ComputeHostUnknown', 'FeatureNotSupported'],
});
/** What no driver of ours does to its host. */
const powerAction = (name: string, policy: string) =>
  operation({
    id: `${name}Host`,
    summary: `Power action ${name} of a host`,
    method: 'GET',
    path: `/os-hosts/{host_name}/${name}`,
    status: 200,
    maxVersion: '2.42',
    response: Item,
    policy: `os_compute_api:os-hosts:${policy}`,
    errors: ['ComputeHostUnknown', 'FeatureNotSupported'],
  });
export const startupHost = powerAction('startup', 'start');
export const shutdownHost = powerAction('shutdown', 'shutdown');
export const rebootHost = powerAction('reboot', 'reboot');

export const listAvailabilityZones = operation({
  id: 'listAvailabilityZones',
  summary: 'List availability zones',
  method: 'GET',
  path: '/os-availability-zone',
  status: 200,
  response: Type.Object({ availabilityZoneInfo: Type.Array(Item) }),
  policy: 'os_compute_api:os-availability-zone:list',
});
export const listAvailabilityZonesDetail = operation({
  id: 'listAvailabilityZonesDetail',
  summary: 'List availability zones with hosts',
  method: 'GET',
  path: '/os-availability-zone/detail',
  status: 200,
  response: Type.Object({ availabilityZoneInfo: Type.Array(Item) }),
  policy: 'os_compute_api:os-availability-zone:detail',
});

/** What is told of, and since when. upstream: nova/api/openstack/compute/schemas/server_external_events.py */
const EVENTS: ReadonlyMap<string, readonly string[]> = new Map([
  ['2.1', ['network-changed', 'network-vif-plugged', 'network-vif-unplugged', 'network-vif-deleted']],
  ['2.51', ['volume-extended']],
  ['2.76', ['power-update']],
  ['2.82', ['accelerator-request-bound']],
  ['2.93', ['volume-reimaged']],
]);
const minorOf = (version: string): number => Number(version.split('.')[1]);
const EventsBody = (names: readonly string[]) =>
  Strict({
    events: Type.Array(
      Strict({
        server_uuid: Type.String({ format: 'uuid' }),
        name: Type.Enum([...names]),
        status: Type.Optional(Type.Enum(['failed', 'completed', 'in-progress'])),
        tag: Type.Optional(Type.String({ maxLength: 255 })),
      }),
      { minItems: 1 },
    ),
  });

export const createExternalEvents = operation({
  id: 'createExternalEvents',
  summary: 'Tell of events in other services',
  method: 'POST',
  path: '/os-server-external-events',
  status: [200, 207],
  body: versions<ReturnType<typeof EventsBody>>(
    [...EVENTS.keys()].map((since) => ({
      since,
      schema: EventsBody([...EVENTS].flatMap(([from, names]) => (minorOf(from) <= minorOf(since) ? names : []))),
    })),
  ),
  response: Type.Object({ events: Type.Array(Item) }),
  policy: 'os_compute_api:os-server-external-events:create',
});

export const hostOperations = [
  listServices,
  updateService,
  deleteService,
  listHypervisors,
  listHypervisorsDetail,
  hypervisorStatistics,
  showHypervisor,
  hypervisorUptime,
  searchHypervisors,
  hypervisorServers,
  listHosts,
  showHost,
  updateHost,
  startupHost,
  shutdownHost,
  rebootHost,
  listAvailabilityZones,
  listAvailabilityZonesDetail,
  createExternalEvents,
];
