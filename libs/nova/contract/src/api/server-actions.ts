import { operation } from '@nestack/kernel/http';
import Type from 'typebox';
import { Any, Nullable, Strict } from './common';

/** `POST /servers/{server_id}/action` with one key. */
function action<const S extends Type.TSchema>(
  key: string,
  id: string,
  policy: string,
  value: S,
  more: { status?: number; response?: Type.TSchema; minVersion?: string; maxVersion?: string } = {},
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
    errors: ['InstanceNotFound', 'InstanceIsLocked', 'InstanceInvalidState'],
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
export const lockServer = action(
  'lock',
  'lockServer',
  'os_compute_api:os-lock-server:lock',
  Nullable(Type.Object({ locked_reason: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })) })),
);
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
  Type.Object({ name: Type.String({ minLength: 1, maxLength: 255 }) }),
);
export const removeSecurityGroup = action(
  'removeSecurityGroup',
  'removeSecurityGroup',
  'os_compute_api:os-security-groups:remove',
  Type.Object({ name: Type.String({ minLength: 1, maxLength: 255 }) }),
);

export const serverActionOperations = [
  startServer,
  stopServer,
  rebootServer,
  pauseServer,
  unpauseServer,
  lockServer,
  unlockServer,
  getConsoleOutput,
  resetServerState,
  forceDeleteServer,
  addSecurityGroup,
  removeSecurityGroup,
];
