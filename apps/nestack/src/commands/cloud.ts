import { existsSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { layoutOf, type Layout } from '../cloud/layout';
import { portOf, type CloudSettings } from '../cloud/settings';

/** Options that every command has. */
export interface CommonOptions {
  readonly state?: string;
}

/** The repository, the bundle that runs and the cloud's folder. */
export interface Place {
  readonly layout: Layout;
  /** Folder with package.json, images/ and node_modules/. */
  readonly home: string;
  /** The bundle of this command, and that of node roles. */
  readonly cli: string;
  readonly main: string;
}

/** Where this command runs from, and the cloud that it is about. */
export function placeOf(options: CommonOptions): Place {
  const cli = process.argv[1] ?? fileURLToPath(import.meta.url);
  const home = homeOf(path.dirname(cli));
  return {
    layout: layoutOf(options.state ?? process.env['NESTACK_STATE'] ?? path.join(home, '.nestack')),
    home,
    cli,
    main: path.join(path.dirname(cli), 'main.js'),
  };
}

function homeOf(start: string): string {
  for (let at = path.resolve(start); ; at = path.dirname(at)) {
    if (existsSync(path.join(at, 'package.json')) && existsSync(path.join(at, 'node_modules'))) return at;
    if (at === path.dirname(at)) throw new Error(`no package.json above ${start}`);
  }
}

/** The host name or address under which clients reach the services. */
export function publicHost(settings: Pick<CloudSettings, 'bind'>): string {
  if (settings.bind !== '0.0.0.0' && settings.bind !== '::') return settings.bind;
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return addresses.find((one) => one.family === 'IPv4' && !one.internal)?.address ?? '127.0.0.1';
}

/** Where a service is asked from this machine itself. */
export function localHost(settings: Pick<CloudSettings, 'bind'>): string {
  return settings.bind === '0.0.0.0' || settings.bind === '::' ? '127.0.0.1' : settings.bind;
}

/** Ports that answer `/healthcheck`. */
export const SERVICE_PORTS = ['keystone', 'glance', 'placement', 'nova', 'novnc', 'cinder', 'neutron'] as const;

/** Keystone's URL for clients. */
export function authUrlOf(settings: CloudSettings): string {
  return `http://${publicHost(settings)}:${portOf(settings, 'keystone')}/v3`;
}
