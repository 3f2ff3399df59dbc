import { operation } from '@nestack/kernel/http';
import Type from 'typebox';
import {
  Any,
  Fqdn,
  GuestHostname,
  LooseBoolean,
  Metadata,
  Name,
  NonNegativeInteger,
  Nullable,
  Strict,
  Uuid,
  versions,
} from './common';
import { AccessIpV4, AccessIpV6 } from './servers';

const IpAddress = Type.Union([AccessIpV4, AccessIpV6]);

/** `POST /servers/{server_id}/action` with one key. */
export function action<const S extends Type.TSchema>(
  key: string,
  id: string,
  policy: string,
  value: S,
  more: {
    status?: number;
    response?: Type.TSchema;
    errors?: readonly string[];
    minVersion?: string;
    maxVersion?: string;
  } = {},
) {
  return operation({
    id,
    summary: `Server action ${key}`,
    method: 'POST',
    path: '/servers/{server_id}/action',
    action: key,
    status: more.status ?? 202,
    body: Type.Object({ [key]: value } as Record<string, S>, { additionalProperties: false }),
    ...(more.response === undefined ? {} : { response: more.response }),
    ...(more.minVersion === undefined ? {} : { minVersion: more.minVersion }),
    ...(more.maxVersion === undefined ? {} : { maxVersion: more.maxVersion }),
    policy,
    errors: ['InstanceNotFound', 'InstanceIsLocked', 'InstanceInvalidState', ...(more.errors ?? [])],
  });
}

export const startServer = action('os-start', 'startServer', 'os_compute_api:servers:start', Any);
export const stopServer = action('os-stop', 'stopServer', 'os_compute_api:servers:stop', Any);
export const rebootServer = action(
  'reboot',
  'rebootServer',
  'os_compute_api:servers:reboot',
  Strict({ type: Type.Enum(['HARD', 'Hard', 'hard', 'SOFT', 'Soft', 'soft']) }),
);
export const pauseServer = action('pause', 'pauseServer', 'os_compute_api:os-pause-server:pause', Any);
export const unpauseServer = action('unpause', 'unpauseServer', 'os_compute_api:os-pause-server:unpause', Any);
export const suspendServer = action('suspend', 'suspendServer', 'os_compute_api:os-suspend-server:suspend', Any);
export const resumeServer = action('resume', 'resumeServer', 'os_compute_api:os-suspend-server:resume', Any);

/** What a guest does with the interrupt is its own matter; its states stay. */
export const triggerCrashDump = action(
  'trigger_crash_dump',
  'triggerCrashDump',
  'os_compute_api:servers:trigger_crash_dump',
  Type.Null(),
  { minVersion: '2.17' },
);

/** upstream: nova/api/openstack/compute/schemas/rescue.py */
export const rescueServer = action(
  'rescue',
  'rescueServer',
  'os_compute_api:os-rescue',
  Nullable(
    Strict({
      adminPass: Type.Optional(Type.String()),
      rescue_image_ref: Type.Optional(Type.String({ format: 'uuid' })),
    }),
  ),
  { status: 200, response: Type.Object({ adminPass: Type.String() }), errors: ['InstanceNotRescuable'] },
);
export const unrescueServer = action('unrescue', 'unrescueServer', 'os_compute_api:os-unrescue', Any);

/** Below 2.45 the image's address is in the header `Location`. */
export const createServerImage = action(
  'createImage',
  'createServerImage',
  'os_compute_api:servers:create_image',
  Strict({ name: Name, metadata: Type.Optional(Metadata) }),
  { errors: ['MetadataLimitExceeded'] },
);

/**
 * An image, and of the server's images of this type (`daily`, `weekly`) only so many are kept. Below 2.45 the image's address
 * is in the header `Location`. upstream: nova/api/openstack/compute/create_backup.py
 */
export const createServerBackup = action(
  'createBackup',
  'createServerBackup',
  'os_compute_api:os-create-backup',
  Strict({
    name: Name,
    backup_type: Type.String(),
    rotation: NonNegativeInteger,
    metadata: Type.Optional(Metadata),
  }),
  { errors: ['MetadataLimitExceeded'] },
);

/** upstream: nova/api/openstack/compute/schemas/servers.py, rebuild */
function rebuildBody(since: string): { since: string; schema: Type.TSchema } {
  const minor = Number(since.split('.')[1]);
  const fields: Type.TProperties = {
    imageRef: Uuid,
    name: Type.Optional(Name),
    adminPass: Type.Optional(Type.String()),
    metadata: Type.Optional(Metadata),
    preserve_ephemeral: Type.Optional(LooseBoolean),
    'OS-DCF:diskConfig': Type.Optional(Type.Enum(['AUTO', 'MANUAL'])),
    accessIPv4: Type.Optional(AccessIpV4),
    accessIPv6: Type.Optional(AccessIpV6),
    ...(minor < 57
      ? {
          personality: Type.Optional(
            Type.Array(Strict({ path: Type.String(), contents: Type.String({ format: 'base64' }) })),
          ),
        }
      : {}),
    ...(minor >= 19 ? { description: Type.Optional(Nullable(Type.String({ maxLength: 255 }))) } : {}),
    ...(minor >= 54 ? { key_name: Type.Optional(Nullable(Type.String({ minLength: 1, maxLength: 255 }))) } : {}),
    ...(minor >= 57
      ? { user_data: Type.Optional(Nullable(Type.String({ maxLength: 65_535, format: 'base64' }))) }
      : {}),
    ...(minor >= 63
      ? {
          trusted_image_certificates: Type.Optional(
            Nullable(Type.Array(Type.String({ minLength: 1 }), { minItems: 1, maxItems: 50, uniqueItems: true })),
          ),
        }
      : {}),
    ...(minor >= 90
      ? {
          hostname: Type.Optional(GuestHostname(minor)),
        }
      : {}),
  };
  return { since, schema: Strict({ rebuild: Strict(fields) }) };
}

/** Fields of a rebuild request after validation, over all microversions. */
export interface RebuildFields {
  readonly imageRef: string;
  readonly name?: string;
  readonly adminPass?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly preserve_ephemeral?: unknown;
  readonly 'OS-DCF:diskConfig'?: 'AUTO' | 'MANUAL';
  readonly accessIPv4?: string;
  readonly accessIPv6?: string;
  readonly personality?: readonly { readonly path: string; readonly contents: string }[];
  readonly description?: string | null;
  readonly key_name?: string | null;
  readonly user_data?: string | null;
  readonly trusted_image_certificates?: readonly string[] | null;
  readonly hostname?: string;
}

export const rebuildServer = operation({
  id: 'rebuildServer',
  summary: 'Server action rebuild',
  method: 'POST',
  path: '/servers/{server_id}/action',
  action: 'rebuild',
  status: 202,
  body: versions<Type.TObject<{ rebuild: Type.TObject }>>(
    ['2.1', '2.19', '2.54', '2.57', '2.63', '2.90', '2.94'].map(rebuildBody),
  ),
  response: Type.Object({ server: Type.Record(Type.String(), Any) }),
  policy: 'os_compute_api:servers:rebuild',
  errors: ['InstanceNotFound', 'InstanceIsLocked', 'InstanceInvalidState', 'ImageNotFound', 'FlavorDiskTooSmall'],
});

/** upstream: nova/api/openstack/compute/schemas/servers.py, resize */
export const resizeServer = action(
  'resize',
  'resizeServer',
  'os_compute_api:servers:resize',
  Strict({
    flavorRef: Type.Union([Type.String({ minLength: 1 }), Type.Integer()]),
    'OS-DCF:diskConfig': Type.Optional(Type.Enum(['AUTO', 'MANUAL'])),
  }),
  { errors: ['FlavorBadRequest', 'CannotResizeToSameFlavor', 'CannotResizeDisk', 'TooManyInstances'] },
);
export const confirmResize = action('confirmResize', 'confirmResize', 'os_compute_api:servers:confirm_resize', Any, {
  status: 204,
  errors: ['NotResized'],
});
export const revertResize = action('revertResize', 'revertResize', 'os_compute_api:servers:revert_resize', Any, {
  errors: ['NotResized'],
});

/** upstream: nova/api/openstack/compute/schemas/migrate_server.py */
export const migrateServer = operation({
  id: 'migrateServer',
  summary: 'Server action migrate',
  method: 'POST',
  path: '/servers/{server_id}/action',
  action: 'migrate',
  status: 202,
  body: versions<Type.TObject<{ migrate: Type.TSchema }>>([
    { since: '2.1', schema: Type.Object({ migrate: Any }) },
    {
      since: '2.56',
      schema: Strict({ migrate: Nullable(Strict({ host: Type.Optional(Nullable(Fqdn)) })) }),
    },
  ]),
  policy: 'os_compute_api:os-migrate-server:migrate',
  errors: [
    'InstanceNotFound',
    'InstanceIsLocked',
    'InstanceInvalidState',
    'ServiceUnavailable',
    'ComputeHostNotFound',
    'CannotMigrateToSameHost',
  ],
});

/** Servers are offloaded as soon as they are shelved, so there is never one to offload. */
export const shelveServer = action('shelve', 'shelveServer', 'os_compute_api:os-shelve:shelve', Any);
export const shelveOffloadServer = action(
  'shelveOffload',
  'shelveOffloadServer',
  'os_compute_api:os-shelve:shelve_offload',
  Any,
);
/** upstream: nova/api/openstack/compute/schemas/shelve.py */
export const unshelveServer = operation({
  id: 'unshelveServer',
  summary: 'Server action unshelve',
  method: 'POST',
  path: '/servers/{server_id}/action',
  action: 'unshelve',
  status: 202,
  body: versions<Type.TObject<{ unshelve: Type.TSchema }>>([
    { since: '2.1', schema: Strict({ unshelve: Any }) },
    { since: '2.77', schema: Strict({ unshelve: Nullable(Strict({ availability_zone: Name })) }) },
    {
      since: '2.91',
      schema: Strict({
        unshelve: Nullable(
          Strict({ availability_zone: Type.Optional(Nullable(Name)), host: Type.Optional(Type.String()) }),
        ),
      }),
    },
  ]),
  policy: 'os_compute_api:os-shelve:unshelve',
  errors: ['InstanceNotFound', 'InstanceIsLocked', 'InstanceInvalidState', 'AvailabilityZoneNotFound'],
});

/** Guests here have no agent that could set a password. */
export const changeServerPassword = action(
  'changePassword',
  'changeServerPassword',
  'os_compute_api:os-admin-password',
  Strict({ adminPass: Type.String() }),
  { errors: ['GuestAgentNotEnabled'] },
);
/** Servers are deleted at once, so there is never one to restore. */
export const restoreServer = action('restore', 'restoreServer', 'os_compute_api:os-deferred-delete:restore', Any);
/** A reason may be given from 2.73 on; older versions do not look at what is said. */
export const lockServer = operation({
  id: 'lockServer',
  summary: 'Server action lock',
  method: 'POST',
  path: '/servers/{server_id}/action',
  action: 'lock',
  status: 202,
  body: versions<Type.TObject<{ lock: Type.TSchema }>>([
    { since: '2.1', schema: Strict({ lock: Any }) },
    {
      since: '2.73',
      schema: Strict({
        lock: Nullable(Strict({ locked_reason: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })) })),
      }),
    },
  ]),
  policy: 'os_compute_api:os-lock-server:lock',
  errors: ['InstanceNotFound'],
});
export const unlockServer = action('unlock', 'unlockServer', 'os_compute_api:os-lock-server:unlock', Any);
export const getConsoleOutput = action(
  'os-getConsoleOutput',
  'getConsoleOutput',
  'os_compute_api:os-console-output',
  Strict({
    length: Type.Optional(
      Nullable(Type.Union([Type.Integer({ minimum: -1 }), Type.String({ pattern: '^-?[0-9]+$' })])),
    ),
  }),
  { status: 200, response: Type.Object({ output: Type.String() }) },
);
export const resetServerState = action(
  'os-resetState',
  'resetServerState',
  'os_compute_api:os-admin-actions:reset_state',
  Strict({ state: Type.Enum(['active', 'error']) }),
);
/** Guests that are told of their networks by libvirt have nothing to be told. */
export const injectNetworkInfo = action(
  'injectNetworkInfo',
  'injectNetworkInfo',
  'os_compute_api:os-admin-actions:inject_network_info',
  Any,
);
export const forceDeleteServer = action(
  'forceDelete',
  'forceDeleteServer',
  'os_compute_api:os-deferred-delete:force',
  Any,
);
export const addSecurityGroup = action(
  'addSecurityGroup',
  'addSecurityGroup',
  'os_compute_api:os-security-groups:add',
  Strict({ name: Type.String({ minLength: 1 }) }),
);
export const removeSecurityGroup = action(
  'removeSecurityGroup',
  'removeSecurityGroup',
  'os_compute_api:os-security-groups:remove',
  Strict({ name: Type.String({ minLength: 1 }) }),
);
/** Clients of today ask neutron. upstream: nova/api/openstack/compute/schemas/floating_ips.py */
export const addFloatingIp = action(
  'addFloatingIp',
  'addFloatingIp',
  'os_compute_api:os-floating-ips:add',
  Strict({ address: IpAddress, fixed_address: Type.Optional(IpAddress) }),
  { maxVersion: '2.43', errors: ['BadRequest', 'NotFound', 'Conflict'] },
);
export const removeFloatingIp = action(
  'removeFloatingIp',
  'removeFloatingIp',
  'os_compute_api:os-floating-ips:remove',
  Strict({ address: IpAddress }),
  { maxVersion: '2.43', errors: ['NotFound', 'Conflict'] },
);

/** upstream: nova/api/openstack/compute/schemas/multinic.py */
export const addFixedIp = action(
  'addFixedIp',
  'addFixedIp',
  'os_compute_api:os-multinic:add',
  Strict({ networkId: Type.Union([Type.String({ minLength: 1, maxLength: 36 }), Type.Number()]) }),
  { maxVersion: '2.43', errors: ['BadRequest', 'NotFound'] },
);
export const removeFixedIp = action(
  'removeFixedIp',
  'removeFixedIp',
  'os_compute_api:os-multinic:remove',
  Strict({ address: IpAddress }),
  { maxVersion: '2.43', errors: ['BadRequest'] },
);

export const serverActionOperations = [
  startServer,
  stopServer,
  rebootServer,
  pauseServer,
  unpauseServer,
  suspendServer,
  resumeServer,
  triggerCrashDump,
  rescueServer,
  unrescueServer,
  createServerImage,
  createServerBackup,
  rebuildServer,
  shelveServer,
  shelveOffloadServer,
  unshelveServer,
  resizeServer,
  confirmResize,
  revertResize,
  migrateServer,
  changeServerPassword,
  restoreServer,
  lockServer,
  unlockServer,
  getConsoleOutput,
  resetServerState,
  injectNetworkInfo,
  forceDeleteServer,
  addSecurityGroup,
  removeSecurityGroup,
  addFloatingIp,
  removeFloatingIp,
  addFixedIp,
  removeFixedIp,
];
