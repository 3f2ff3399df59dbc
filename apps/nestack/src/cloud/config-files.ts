import path from 'node:path';
import type { GatewayConfig, RoleConfig } from '../compose/role';
import { databaseUrlOf } from './databases';
import { writeAtomically } from './files';
import type { Layout } from './layout';
import { libvirtUri } from './libvirt';
import { portOf, portsOf, secretOf, type CloudSettings, type PortName, type ServiceName } from './settings';
import type { Underlay } from './underlay';

/** What the settings of apps are made from. */
export interface ConfigSources {
  readonly layout: Layout;
  readonly settings: CloudSettings;
  readonly underlay: Underlay;
  /** Administrator's URL of PostgreSQL, and the URL of RabbitMQ. */
  readonly databaseUrl: string;
  readonly brokerUrl: string;
  /** A service's URL for clients, and for other services; they differ where each service is a host of its own. */
  readonly publicUrl: (port: PortName) => string;
  readonly internalUrl: (port: PortName) => string;
  /** Whether nova-compute starts libvirt's daemon itself, there being no supervisor for it. */
  readonly ownLibvirt?: boolean;
}

/** The URLs of a cloud whose services share a host. */
export function urlsAt(host: string, settings: CloudSettings): Pick<ConfigSources, 'publicUrl' | 'internalUrl'> {
  const url = (port: PortName): string => `http://${host}:${portOf(settings, port)}`;
  return { publicUrl: url, internalUrl: url };
}

/** Apps of the controller, in the order of their start; the compute host's own two come after. */
export const CONTROLLER_APPS = [
  'keystone',
  'glance',
  'placement',
  'neutron',
  'cinder',
  'nova-api',
  'nova-conductor',
  'nova-scheduler',
  'nova-novncproxy',
] as const;

export const COMPUTE_APPS = ['neutron-agent', 'nova-compute'] as const;

type Values = Readonly<Record<string, unknown>>;

/** The role of the first host: all services, its own compute and agent. */
export function controllerRole(sources: ConfigSources): RoleConfig {
  const { settings } = sources;
  const [host = 'localhost'] = settings.hosts;
  const builders: Readonly<Record<(typeof CONTROLLER_APPS)[number], () => Values>> = {
    keystone: () => keystone(sources, host),
    glance: () => glance(sources, host),
    placement: () => ({ ...api(sources, host, 'placement', 'placement'), ...auth(sources, 'placement') }),
    neutron: () => neutron(sources, host),
    cinder: () => cinder(sources, host),
    'nova-api': () => novaApi(sources, host),
    'nova-conductor': () => ({ ...nova(sources, host) }),
    'nova-scheduler': () => ({ ...nova(sources, host) }),
    'nova-novncproxy': () => novncproxy(sources, host),
  };
  const apps: Record<string, Values> = {};
  for (const name of CONTROLLER_APPS) apps[name] = builders[name]();
  Object.assign(apps, computeApps(sources, host));
  return { apps, ...(settings.hosts.length > 1 ? { gateway: gatewayOf(sources) } : {}) };
}

/** The role of a further compute host, in its network namespace where networks are real. */
export function computeRole(sources: ConfigSources, host: string): RoleConfig {
  const apps = computeApps(sources, host);
  return sources.underlay.netns(host) === null ? { apps } : { apps, uplink: gatewayOf(sources) };
}

/** One process of a cloud: its name, its host and what it runs. */
export interface Role {
  readonly name: string;
  readonly host: string;
  readonly config: RoleConfig;
}

/** The names of a host's processes: one for all its apps, or on the controller one for each. */
export function roleNames(settings: Pick<CloudSettings, 'hosts' | 'separate'>, host: string): readonly string[] {
  if (host !== settings.hosts[0]) return [`compute-${host}`];
  return settings.separate === true ? [...CONTROLLER_APPS, ...COMPUTE_APPS] : ['controller'];
}

/** All processes that run apps of the cloud, in the order of their start. */
export function rolesOf(sources: ConfigSources): Role[] {
  const { settings } = sources;
  return settings.hosts.flatMap((host) => {
    if (host !== settings.hosts[0])
      return roleNames(settings, host).map((name) => ({ name, host, config: computeRole(sources, host) }));
    const { apps, ...rest } = controllerRole(sources);
    if (settings.separate !== true) return [{ name: 'controller', host, config: { apps, ...rest } }];
    return roleNames(settings, host).map((name, index) => ({
      name,
      host,
      config: { apps: { [name]: apps[name] }, ...(index === 0 ? rest : {}) },
    }));
  });
}

/** Writes a process' settings, which hold passwords. Returns the file. */
export function writeRole(layout: Layout, role: Role): string {
  const file = path.join(layout.config, `${role.name}.json`);
  writeAtomically(file, `${JSON.stringify(role.config, null, 2)}\n`, 0o600);
  return file;
}

function gatewayOf(sources: ConfigSources): GatewayConfig {
  const private_: PortName[] = ['postgres', 'rabbitmqDist', 'epmd', 'novnc', 'console'];
  const ports = portsOf(sources.settings).filter(([name]) => !private_.includes(name));
  return { dir: path.join(sources.layout.run, 'gateway'), ports: ports.map(([, port]) => port) };
}

function common(sources: ConfigSources, host: string): Values {
  return { host, broker: { url: sources.brokerUrl } };
}

function database(sources: ConfigSources, service: ServiceName, poolSize = 8): Values {
  const url = databaseUrlOf(sources.settings, sources.databaseUrl, service);
  return { database: { url, schema: service, pool_size: poolSize } };
}

function api(sources: ConfigSources, host: string, service: ServiceName, port: PortName): Values {
  return {
    ...common(sources, host),
    ...database(sources, service),
    bind: sources.settings.bind,
    port: portOf(sources.settings, port),
    public_url: sources.publicUrl(port),
  };
}

function auth(sources: ConfigSources, user: ServiceName): Values {
  return {
    auth: {
      keystone_url: `${sources.internalUrl('keystone')}/v3`,
      jws_public_keys: sources.layout.keys.public,
      username: user,
      password: secretOf(sources.settings, `user-${user}`),
    },
  };
}

function keystone(sources: ConfigSources, host: string): Values {
  const { layout, settings } = sources;
  return {
    ...api(sources, host, 'keystone', 'keystone'),
    jws_private_keys: layout.keys.private,
    jws_public_keys: layout.keys.public,
    bootstrap: {
      password: secretOf(settings, 'admin'),
      public_url: `${sources.publicUrl('keystone')}/v3`,
      internal_url: `${sources.internalUrl('keystone')}/v3`,
    },
  };
}

function glance(sources: ConfigSources, host: string): Values {
  return {
    ...api(sources, host, 'glance', 'glance'),
    ...auth(sources, 'glance'),
    filesystem_store_datadir: sources.layout.glance,
  };
}

function neutron(sources: ConfigSources, host: string): Values {
  return {
    ...api(sources, host, 'neutron', 'neutron'),
    ...auth(sources, 'neutron'),
    mechanism_driver: sources.settings.net,
  };
}

function cinder(sources: ConfigSources, host: string): Values {
  const { layout, settings, underlay } = sources;
  return {
    ...api(sources, host, 'cinder', 'cinder'),
    ...auth(sources, 'cinder'),
    driver: settings.volume,
    state_path: layout.cinder,
    // Guests of further hosts reach volumes over the underlay, those of this host through a socket.
    ...(settings.volume === 'nbd' && settings.hosts.length > 1
      ? { nbd_address: underlay.address(host), nbd_port: 10_809 + settings.portOffset }
      : {}),
  };
}

function nova(sources: ConfigSources, host: string): Values {
  return { ...common(sources, host), ...database(sources, 'nova'), ...auth(sources, 'nova') };
}

function novaApi(sources: ConfigSources, host: string): Values {
  return {
    ...api(sources, host, 'nova', 'nova'),
    ...auth(sources, 'nova'),
    // There may be one host only.
    allow_resize_to_same_host: true,
    metadata_port: portOf(sources.settings, 'metadata'),
    metadata_proxy_shared_secret: secretOf(sources.settings, 'metadata'),
    novncproxy_base_url: `${sources.publicUrl('novnc')}/vnc_lite.html`,
  };
}

function novncproxy(sources: ConfigSources, host: string): Values {
  const { settings } = sources;
  return { host, ...database(sources, 'nova', 4), bind: settings.bind, port: portOf(settings, 'novnc') };
}

/** Where nova-novncproxy comes for the screens of a host's guests: over the underlay where there is one. */
function vnc({ settings, underlay, ownLibvirt }: ConfigSources, host: string): Values {
  const port = portOf(settings, 'console') + settings.hosts.indexOf(host);
  if (ownLibvirt === true)
    return { server_listen: '0.0.0.0', server_port: port, server_proxyclient_address: 'neutron-agent' };
  const address = settings.net === 'fake' ? '127.0.0.1' : underlay.address(host);
  return { server_listen: address, server_port: port, server_proxyclient_address: address };
}

/** The physical network that external networks are on. */
export const PHYSICAL_NETWORK = 'public';

/** Whether the hosts' wires are ours to make; hosts in containers bring their own. */
export function hasPhysicalNetwork(sources: Pick<ConfigSources, 'ownLibvirt'>): boolean {
  return sources.ownLibvirt !== true;
}

/** Where a host's network agent keeps its state. */
export function agentDir(layout: Layout, host: string): string {
  return path.join(layout.host(host), 'neutron');
}

/** The cloud's nftables tables. */
export function filterTable(underlay: Underlay): string {
  return `neutron_${underlay.tag}`;
}

function computeApps(sources: ConfigSources, host: string): Record<string, Values> {
  const { layout, settings, underlay } = sources;
  return {
    'neutron-agent': {
      ...common(sources, host),
      driver: settings.net,
      state_path: agentDir(layout, host),
      local_ip: underlay.address(host),
      // Every host is on it: routers with a gateway may be given to each of them.
      bridge_mappings: hasPhysicalNetwork(sources) ? { [PHYSICAL_NETWORK]: underlay.external.bridge } : {},
      // Clouds beside each other share the kernel's tables and ports.
      udp_dstport: 4789 + settings.portOffset,
      filter_table: filterTable(underlay),
      nova_metadata_url: sources.internalUrl('metadata'),
      metadata_proxy_shared_secret: secretOf(settings, 'metadata'),
    },
    'nova-compute': {
      ...common(sources, host),
      ...auth(sources, 'nova'),
      driver: settings.virt,
      state_path: path.join(layout.host(host), 'nova'),
      my_ip: underlay.address(host),
      vnc: vnc(sources, host),
      ...(settings.virt === 'libvirt' && sources.ownLibvirt !== true ? { libvirt_uri: libvirtUri(layout, host) } : {}),
      probe_kernel: path.join(layout.images, 'vmlinuz'),
      probe_initrd: path.join(layout.images, 'initrd.gz'),
    },
  };
}
