import { operation } from '@nestack/kernel/http';
import Type from 'typebox';
import { Strict, versions } from './common';
import { action } from './server-actions';

const POLICY = 'os_compute_api:os-remote-consoles';
const ERRORS = ['ConsoleTypeUnavailable', 'ConsoleNotReady', 'InstanceNotReady'] as const;

/** The old actions, one for each protocol. upstream: nova/api/openstack/compute/schemas/remote_consoles.py */
function consoleAction(key: string, id: string, types: readonly string[]) {
  return action(key, id, POLICY, Strict({ type: Type.Enum([...types]) }), {
    status: 200,
    response: Type.Object({ console: Type.Object({ type: Type.String(), url: Type.String() }) }),
    errors: ERRORS,
    maxVersion: '2.5',
  });
}

export const getVncConsole = consoleAction('os-getVNCConsole', 'getVncConsole', ['novnc', 'xvpvnc']);
export const getSpiceConsole = consoleAction('os-getSPICEConsole', 'getSpiceConsole', ['spice-html5']);
export const getRdpConsole = consoleAction('os-getRDPConsole', 'getRdpConsole', ['rdp-html5']);
export const getSerialConsole = consoleAction('os-getSerialConsole', 'getSerialConsole', ['serial']);

/** What a remote console may be of, over all microversions. */
export interface RemoteConsoleFields {
  readonly protocol: string;
  readonly type: string;
}

function remoteConsoleBody(since: string, more: { readonly protocols: string[]; readonly types: string[] }) {
  return {
    since,
    schema: Strict({
      remote_console: Strict({
        protocol: Type.Enum(['vnc', 'spice', 'serial', ...more.protocols]),
        type: Type.Enum(['novnc', 'xvpvnc', 'spice-html5', 'serial', ...more.types]),
      }),
    }),
  };
}

export const createRemoteConsole = operation({
  id: 'createRemoteConsole',
  summary: 'Create a remote console',
  method: 'POST',
  path: '/servers/{server_id}/remote-consoles',
  minVersion: '2.6',
  status: 200,
  body: versions<Type.TObject<{ remote_console: Type.TObject }>>([
    remoteConsoleBody('2.6', { protocols: [], types: [] }),
    remoteConsoleBody('2.8', { protocols: ['mks'], types: ['webmks'] }),
  ]),
  response: Type.Object({
    remote_console: Type.Object({ protocol: Type.String(), type: Type.String(), url: Type.String() }),
  }),
  policy: POLICY,
  errors: ['InstanceNotFound', ...ERRORS],
});

/** Before 2.31 RDP consoles alone are shown, of which there are none. */
export const showConsoleAuthToken = operation({
  id: 'showConsoleAuthToken',
  summary: "Show what a console's token leads to",
  method: 'GET',
  path: '/os-console-auth-tokens/{token}',
  status: 200,
  response: Type.Object({
    console: Type.Object({
      instance_uuid: Type.String(),
      host: Type.String(),
      port: Type.Integer(),
      internal_access_path: Type.String(),
    }),
  }),
  policy: 'os_compute_api:os-console-auth-tokens',
  errors: ['ConsoleTokenNotFound', 'ConsoleDetailsNotAccessible'],
});

export const consoleOperations = [
  getVncConsole,
  getSpiceConsole,
  getRdpConsole,
  getSerialConsole,
  createRemoteConsole,
  showConsoleAuthToken,
];
