import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { UserError } from '../user-error';
import { writeAtomically } from './files';
import type { Layout } from './layout';

export const SERVICES = ['keystone', 'glance', 'placement', 'nova', 'cinder', 'neutron'] as const;
export type ServiceName = (typeof SERVICES)[number];

export type VirtDriver = 'libvirt' | 'fake';
export type NetDriver = 'linuxbridge' | 'fake';
export type VolumeDriver = 'nbd' | 'fake';

/** What a cloud was made with; written before anything is started, so that a second `up` finds the same cloud. */
export interface CloudSettings {
  readonly version: 1;
  readonly portOffset: number;
  readonly bind: string;
  readonly virt: VirtDriver;
  readonly net: NetDriver;
  readonly volume: VolumeDriver;
  /** Administrator's URLs of servers that are not ours, or null for private ones. */
  readonly databaseUrl: string | null;
  readonly brokerUrl: string | null;
  /** Names of the compute hosts; the first one is the controller's own. */
  readonly hosts: readonly string[];
  readonly secrets: Readonly<Record<string, string>>;
  /** Each app in a process of its own instead of all of a host in one. */
  readonly separate?: boolean;
}

export interface UpOptions {
  readonly separate?: boolean;
  readonly portOffset?: number;
  readonly bind?: string;
  readonly virt?: VirtDriver;
  readonly net?: NetDriver;
  readonly volume?: VolumeDriver;
  readonly databaseUrl?: string;
  readonly brokerUrl?: string;
}

/** Upstream's ports, and those of our private servers; `portOffset` is added to each. */
const PORTS = {
  keystone: 5000,
  glance: 9292,
  placement: 8778,
  nova: 8774,
  metadata: 8775,
  novnc: 6080,
  /** Of the first compute host; the others' follow. */
  console: 6100,
  cinder: 8776,
  neutron: 9696,
  postgres: 25_432,
  rabbitmq: 25_672,
  rabbitmqDist: 25_673,
  epmd: 24_369,
} as const;

export type PortName = keyof typeof PORTS;

/** The port of one part of a cloud. */
export function portOf(settings: Pick<CloudSettings, 'portOffset'>, name: PortName): number {
  return PORTS[name] + settings.portOffset;
}

/** All ports of a cloud that are its own to open. */
export function portsOf(settings: CloudSettings): [PortName, number][] {
  const foreign: PortName[] = [
    ...(settings.databaseUrl === null ? [] : (['postgres'] as const)),
    ...(settings.brokerUrl === null ? [] : (['rabbitmq', 'rabbitmqDist', 'epmd'] as const)),
  ];
  return (Object.keys(PORTS) as PortName[])
    .filter((name) => !foreign.includes(name))
    .map((name) => [name, portOf(settings, name)]);
}

/** The settings of an existing cloud, or null. */
export function readSettings(layout: Layout): CloudSettings | null {
  if (!existsSync(layout.cloud)) return null;
  const parsed = JSON.parse(readFileSync(layout.cloud, 'utf8')) as CloudSettings;
  if (parsed.version !== 1)
    throw new UserError(`${layout.cloud} is of another version of nestack.`, 'Remove it with: nestack reset');
  return parsed;
}

/** The settings of a cloud that must exist. */
export function requireSettings(layout: Layout): CloudSettings {
  const settings = readSettings(layout);
  if (settings === null) throw new UserError(`There is no cloud in ${layout.root}.`, 'Make one with: nestack up');
  return settings;
}

/**
 * The settings for this `up`: what exists, changed by the options given, with secrets for all that need one. Drivers
 * and ports of an existing cloud stay as they are: guests and catalogue depend on them.
 */
export function mergeSettings(
  existing: CloudSettings | null,
  options: UpOptions,
  defaults: CloudDefaults,
): CloudSettings {
  if (existing !== null) {
    refuseChange('--port-offset', existing.portOffset, options.portOffset);
    refuseChange('--virt', existing.virt, options.virt);
    refuseChange('--net', existing.net, options.net);
    refuseChange('--volume', existing.volume, options.volume);
    refuseChange('--database-url', existing.databaseUrl, options.databaseUrl);
    refuseChange('--broker-url', existing.brokerUrl, options.brokerUrl);
    refuseChange('--bind', existing.bind, options.bind);
    refuseChange('--separate', existing.separate === true, options.separate);
    return { ...existing, secrets: withSecrets(existing.secrets) };
  }
  return {
    version: 1,
    portOffset: options.portOffset ?? 0,
    bind: options.bind ?? '127.0.0.1',
    virt: options.virt ?? defaults.virt,
    net: options.net ?? defaults.net,
    volume: options.volume ?? defaults.volume,
    databaseUrl: options.databaseUrl ?? null,
    brokerUrl: options.brokerUrl ?? null,
    hosts: [defaults.host],
    ...(options.separate === true ? { separate: true } : {}),
    secrets: withSecrets({}),
  };
}

export interface CloudDefaults {
  readonly virt: VirtDriver;
  readonly net: NetDriver;
  readonly volume: VolumeDriver;
  readonly host: string;
}

function refuseChange(option: string, existing: unknown, wanted: unknown): void {
  if (wanted === undefined || wanted === existing) return;
  throw new UserError(
    `This cloud was made with ${option} ${String(existing ?? '(none)')}; it cannot become ${String(wanted)}.`,
    'Name another directory with --state for a cloud beside it, or remove this one with: nestack reset',
  );
}

/** Names under which passwords are kept. */
export const SECRET_NAMES = [
  'admin',
  'demo',
  'metadata',
  ...SERVICES.map((service) => `db-${service}`),
  ...SERVICES.map((service) => `user-${service}`),
] as const;

function withSecrets(existing: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    SECRET_NAMES.map((name) => [name, existing[name] ?? randomBytes(18).toString('base64url')]),
  );
}

/** One of the cloud's passwords. */
export function secretOf(settings: CloudSettings, name: string): string {
  const secret = settings.secrets[name];
  if (secret === undefined) throw new Error(`no secret named ${name}`);
  return secret;
}

/** Writes the settings; readable by the owner alone. */
export function writeSettings(layout: Layout, settings: CloudSettings): void {
  mkdirSync(layout.root, { recursive: true });
  // PostgreSQL runs as another user and must pass through; everything secret inside is closed by itself.
  chmodSync(layout.root, 0o711);
  writeAtomically(layout.cloud, `${JSON.stringify(settings, null, 2)}\n`, 0o600);
}
