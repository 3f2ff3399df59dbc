import { operation } from '@nestack/kernel/http';
import Type from 'typebox';
import { ServerListQuery } from './server-filters';
import {
  Any,
  Fqdn,
  GuestHostname,
  Links,
  LooseBoolean,
  Metadata,
  Name,
  Nullable,
  PositiveInteger,
  Strict,
  Uuid,
  versions,
} from './common';

const Tag = Type.String({ minLength: 1, maxLength: 60, pattern: '^[^,/]*$' });
const DeviceTag = Type.String({ minLength: 1, maxLength: 60, pattern: '^[^,/]*$' });
const DiskConfig = Type.Enum(['AUTO', 'MANUAL']);
export const AccessIpV4 = Type.String({ format: 'ipv4' });
export const AccessIpV6 = Type.String({ format: 'ipv6' });
const FixedIp = Type.String({ format: 'ip' });

/** upstream: nova/api/openstack/compute/schemas/servers.py _legacy_block_device_mapping */
const OldBlockDevice = {
  virtual_name: Type.Optional(Type.String({ maxLength: 255 })),
  volume_id: Type.Optional(Uuid),
  snapshot_id: Type.Optional(Uuid),
  volume_size: Type.Optional(
    Type.Union([Type.Integer({ minimum: 1, maximum: 0x7fffffff }), Type.String({ minLength: 1, pattern: '^[0-9]+$' })]),
  ),
  device_name: Type.Optional(Type.String({ minLength: 1, maxLength: 255, pattern: '^[a-zA-Z0-9._/-]*$' })),
  delete_on_termination: Type.Optional(LooseBoolean),
  no_device: Type.Optional(Any),
  connection_info: Type.Optional(Type.String({ maxLength: 16_777_215 })),
};
const BlockDeviceBase = {
  source_type: Type.Optional(Type.Enum(['volume', 'image', 'snapshot', 'blank'])),
  uuid: Type.Optional(Type.String({ minLength: 1, maxLength: 255, pattern: '^[a-zA-Z0-9._-]*$' })),
  image_id: Type.Optional(Uuid),
  destination_type: Type.Optional(Type.Enum(['volume', 'local'])),
  guest_format: Type.Optional(Type.String({ maxLength: 255 })),
  device_type: Type.Optional(Type.String({ maxLength: 255 })),
  disk_bus: Type.Optional(Type.String({ maxLength: 255 })),
  boot_index: Type.Optional(Nullable(Type.Union([Type.Integer(), Type.String({ pattern: '^-?[0-9]+$' })]))),
  ...OldBlockDevice,
};
/** Networks' ids are checked by the operation itself before 2.37; tags came with 2.32, and were lost from 2.37 to 2.41. */
const Networks = (minor: number) =>
  Type.Array(
    Strict({
      uuid: Type.Optional(minor >= 37 ? Uuid : Type.String()),
      port: Type.Optional(Nullable(Uuid)),
      fixed_ip: Type.Optional(FixedIp),
      ...((minor >= 32 && minor < 37) || minor >= 42 ? { tag: Type.Optional(DeviceTag) } : {}),
    }),
  );
const BlockDevices = (tagged: boolean, typed: boolean) =>
  Type.Array(
    Strict({
      ...BlockDeviceBase,
      ...(tagged ? { tag: Type.Optional(DeviceTag) } : {}),
      ...(typed ? { volume_type: Type.Optional(Nullable(Type.String({ maxLength: 255 }))) } : {}),
    }),
  );

const ids = Type.Union([Uuid, Type.Array(Uuid)]);
/** Hints that the scheduler knows have a form; others may be given. upstream: nova/api/openstack/compute/schemas/servers.py */
const SchedulerHints = Type.Object(
  {
    group: Type.Optional(ids),
    different_host: Type.Optional(ids),
    same_host: Type.Optional(Type.Union([Type.String(), Type.Array(Uuid)])),
    query: Type.Optional(Type.Union([Type.String(), Type.Record(Type.String(), Any)])),
    target_cell: Type.Optional(Name),
    different_cell: Type.Optional(Type.Union([Type.String(), Type.Array(Type.String())])),
    build_near_host_ip: Type.Optional(Type.String({ format: 'ip' })),
    cidr: Type.Optional(Type.String({ pattern: '^/[0-9a-f.:]+$' })),
  },
  { additionalProperties: true },
);

/** The `server` of a create request in a range of microversions. */
function createServerBody(version: { readonly minor: number }) {
  const v = version.minor;
  const tagged = v >= 42 || v === 32;
  const networks = Networks(v);
  const server: Type.TProperties = {
    name: Name,
    imageRef: Type.Optional(Type.Union([Uuid, Type.Literal('')])),
    flavorRef: Type.Union([Type.String({ minLength: 1 }), Type.Integer()]),
    adminPass: Type.Optional(Type.String()),
    metadata: Type.Optional(Metadata),
    networks: v >= 37 ? Type.Union([networks, Type.Enum(['none', 'auto'])]) : Type.Optional(networks),
    accessIPv4: Type.Optional(AccessIpV4),
    accessIPv6: Type.Optional(AccessIpV6),
    'OS-DCF:diskConfig': Type.Optional(DiskConfig),
    availability_zone: Type.Optional(Name),
    block_device_mapping: Type.Optional(Type.Array(Strict(OldBlockDevice))),
    block_device_mapping_v2: Type.Optional(BlockDevices(tagged, v >= 67)),
    config_drive: Type.Optional(LooseBoolean),
    key_name: Type.Optional(Name),
    min_count: Type.Optional(PositiveInteger),
    max_count: Type.Optional(PositiveInteger),
    return_reservation_id: Type.Optional(LooseBoolean),
    security_groups: Type.Optional(Type.Array(Strict({ name: Type.Optional(Name) }))),
    user_data: Type.Optional(Type.String({ maxLength: 65_535, format: 'base64' })),
    ...(v < 57
      ? {
          personality: Type.Optional(
            Type.Array(Strict({ path: Type.String(), contents: Type.String({ format: 'base64' }) })),
          ),
        }
      : {}),
    ...(v >= 19 ? { description: Type.Optional(Nullable(Type.String({ maxLength: 255 }))) } : {}),
    ...(v >= 52 ? { tags: Type.Optional(Type.Array(Tag, { maxItems: 50 })) } : {}),
    ...(v >= 63
      ? {
          trusted_image_certificates: Type.Optional(
            Nullable(Type.Array(Type.String({ minLength: 1 }), { minItems: 1, maxItems: 50, uniqueItems: true })),
          ),
        }
      : {}),
    ...(v >= 74
      ? {
          host: Type.Optional(Fqdn),
          hypervisor_hostname: Type.Optional(Fqdn),
        }
      : {}),
    ...(v >= 90 ? { hostname: Type.Optional(GuestHostname(v)) } : {}),
  };
  const hints = Type.Optional(SchedulerHints);
  return Strict({ server: Strict(server), 'os:scheduler_hints': hints, 'OS-SCH-HNT:scheduler_hints': hints });
}

/** Fields of a create request after validation, over all microversions. */
export interface CreateServerFields {
  readonly name: string;
  readonly imageRef?: string;
  readonly flavorRef: string | number;
  readonly adminPass?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly networks?:
    readonly { uuid?: string | null; port?: string | null; fixed_ip?: string | null; tag?: string }[] | 'none' | 'auto';
  readonly accessIPv4?: string;
  readonly accessIPv6?: string;
  readonly 'OS-DCF:diskConfig'?: 'AUTO' | 'MANUAL';
  readonly availability_zone?: string | null;
  readonly block_device_mapping?: readonly Readonly<Record<string, unknown>>[];
  readonly block_device_mapping_v2?: readonly BlockDeviceFields[];
  readonly config_drive?: unknown;
  readonly key_name?: string | null;
  readonly min_count?: number | string;
  readonly max_count?: number | string;
  readonly return_reservation_id?: unknown;
  readonly security_groups?: readonly { name?: string }[];
  readonly user_data?: string | null;
  readonly personality?: readonly { path: string; contents: string }[];
  readonly description?: string | null;
  readonly tags?: readonly string[];
  readonly trusted_image_certificates?: readonly string[] | null;
  readonly host?: string;
  readonly hypervisor_hostname?: string;
  readonly hostname?: string;
}
export interface BlockDeviceFields {
  readonly source_type?: 'volume' | 'image' | 'snapshot' | 'blank';
  readonly uuid?: string | null;
  readonly destination_type?: 'volume' | 'local' | null;
  readonly boot_index?: number | string | null;
  readonly volume_size?: number | string | null;
  readonly device_name?: string | null;
  readonly delete_on_termination?: unknown;
  readonly volume_type?: string | null;
  readonly guest_format?: string | null;
  readonly disk_bus?: string | null;
  readonly no_device?: unknown;
  readonly tag?: string;
}

const row = (since: string) => ({ since, schema: createServerBody({ minor: Number(since.split('.')[1]) }) });

/** A server as shown; attributes vary with microversion and role. */
export const Server = Type.Record(Type.String(), Any);
const ServerBrief = Type.Object({ id: Type.String(), name: Type.String(), links: Links });

export const listServers = operation({
  id: 'listServers',
  summary: 'List servers',
  method: 'GET',
  path: '/servers',
  status: 200,
  query: ServerListQuery,
  response: Type.Object({ servers: Type.Array(ServerBrief), servers_links: Type.Optional(Links) }),
  policy: 'os_compute_api:servers:index',
  errors: ['BadRequest', 'MarkerNotFound', 'InvalidSortKey'],
});
export const listServersDetail = operation({
  id: 'listServersDetail',
  summary: 'List servers with details',
  method: 'GET',
  path: '/servers/detail',
  status: 200,
  query: ServerListQuery,
  response: Type.Object({ servers: Type.Array(Server), servers_links: Type.Optional(Links) }),
  policy: 'os_compute_api:servers:detail',
  errors: ['BadRequest', 'MarkerNotFound', 'InvalidSortKey'],
});
export const createServer = operation({
  id: 'createServer',
  summary: 'Create one or several servers',
  method: 'POST',
  path: '/servers',
  status: 202,
  body: ['2.1', '2.19', '2.32', '2.33', '2.37', '2.42', '2.52', '2.57', '2.63', '2.67', '2.74', '2.90', '2.94'].map(
    row,
  ),
  response: Type.Union([
    Type.Object({
      server: Type.Object({
        id: Type.String(),
        links: Links,
        'OS-DCF:diskConfig': Type.Enum(['AUTO', 'MANUAL']),
        security_groups: Type.Array(Type.Object({ name: Type.String() })),
        adminPass: Type.Optional(Type.String()),
      }),
    }),
    Type.Object({ reservation_id: Type.String() }),
  ]),
  policy: 'os_compute_api:servers:create',
  errors: [
    'InvalidImageRef',
    'ImageNotFound',
    'FlavorBadRequest',
    'KeypairUnknown',
    'NetworkNotFound',
    'NetworkAmbiguous',
    'PortInUse',
    'TooManyInstances',
    'InvalidBDM',
    'InstanceGroupUnknown',
    'GroupMemberLimitExceeded',
  ],
});
export const showServer = operation({
  id: 'showServer',
  summary: 'Show a server',
  method: 'GET',
  path: '/servers/{server_id}',
  status: 200,
  response: Type.Object({ server: Server }),
  policy: 'os_compute_api:servers:show',
  errors: ['InstanceNotFound'],
});
const updateBody = (minor: number) =>
  Strict({
    server: Strict({
      name: Type.Optional(Name),
      'OS-DCF:diskConfig': Type.Optional(DiskConfig),
      accessIPv4: Type.Optional(AccessIpV4),
      accessIPv6: Type.Optional(AccessIpV6),
      ...(minor >= 19 ? { description: Type.Optional(Nullable(Type.String({ maxLength: 255 }))) } : {}),
      ...(minor >= 90 ? { hostname: Type.Optional(GuestHostname(minor)) } : {}),
    }),
  });
export const updateServer = operation({
  id: 'updateServer',
  summary: 'Update a server',
  method: 'PUT',
  path: '/servers/{server_id}',
  status: 200,
  body: versions<Type.TObject<{ server: Type.TObject }>>(
    [1, 19, 90, 94].map((minor) => ({ since: `2.${minor}`, schema: updateBody(minor) })),
  ),
  response: Type.Object({ server: Server }),
  policy: 'os_compute_api:servers:update',
  errors: ['InstanceNotFound'],
});
export const deleteServer = operation({
  id: 'deleteServer',
  summary: 'Delete a server',
  method: 'DELETE',
  path: '/servers/{server_id}',
  status: 204,
  policy: 'os_compute_api:servers:delete',
  errors: ['InstanceNotFound', 'InstanceIsLocked', 'InstanceInvalidState'],
});

export const serverOperations = [listServers, listServersDetail, createServer, showServer, updateServer, deleteServer];
