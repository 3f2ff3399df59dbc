import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** Where everything of one cloud lies: all below one directory. */
export interface Layout {
  readonly root: string;
  /** Settings, ports and secrets of the cloud (mode 0600). */
  readonly cloud: string;
  readonly config: string;
  readonly log: string;
  readonly run: string;
  readonly postgres: string;
  readonly rabbitmq: string;
  readonly keys: { readonly private: string; readonly public: string };
  readonly images: string;
  /** Guests' disks and what else a compute host keeps. */
  readonly host: (name: string) => string;
  readonly glance: string;
  readonly cinder: string;
  readonly supervisorSocket: string;
  readonly supervisorState: string;
  readonly openrc: string;
  readonly cloudsYaml: string;
}

/** Unix sockets' paths end at 108 bytes. */
const SOCKET_LIMIT = 100;

/** The layout of a state directory. */
export function layoutOf(stateDir: string): Layout {
  const root = path.resolve(stateDir);
  const at = (...parts: string[]): string => path.join(root, ...parts);
  return {
    root,
    cloud: at('cloud.json'),
    config: at('config'),
    log: at('log'),
    run: at('run'),
    postgres: at('postgres'),
    rabbitmq: at('rabbitmq'),
    keys: { private: at('keys', 'private'), public: at('keys', 'public') },
    images: at('images'),
    host: (name) => at('hosts', name),
    glance: at('glance'),
    cinder: at('cinder'),
    supervisorSocket: socketPath(at('run', 'supervisor.sock'), root),
    supervisorState: at('run', 'supervisor.json'),
    openrc: at('openrc'),
    cloudsYaml: at('clouds.yaml'),
  };
}

function socketPath(wanted: string, root: string): string {
  if (Buffer.byteLength(wanted) <= SOCKET_LIMIT) return wanted;
  const digest = createHash('sha256').update(root).digest('hex').slice(0, 16);
  return path.join(tmpdir(), `nestack-${digest}.sock`);
}
