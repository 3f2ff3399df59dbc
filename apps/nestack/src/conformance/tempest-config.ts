import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Rest } from '../bootstrap/rest';
import { REGION } from '../bootstrap/identity';
import { IMAGE_NAME } from '../bootstrap/resources';

/** Sections of tempest.conf. */
export type TempestConfig = Readonly<Record<string, Readonly<Record<string, string>>>>;

export interface TempestCloud {
  readonly rest: Rest;
  readonly authUrl: string;
  readonly adminPassword: string;
  /** Whether there are guests to log in to. */
  readonly guests: 'real' | 'simulated';
  /** Where Tempest keeps logs and locks. */
  readonly workspace: string;
}

interface Image {
  readonly id: string;
  readonly name: string;
  readonly disk_format: string;
}

/** What Tempest must know of a cloud; asked from the cloud, so that it tests what is there and not what we think is. */
export async function tempestConfig(cloud: TempestCloud): Promise<TempestConfig> {
  const { rest, workspace } = cloud;
  const [image, compute, network] = [rest.endpoint('image'), rest.endpoint('compute'), rest.endpoint('network')];
  const images = await twoImages(rest, `${image}/v2/images`);
  const flavors = await smallFlavors(rest, compute);
  const hosts = await upHosts(rest, compute);
  const { networks } = await rest.get<{ networks: { id: string; name: string }[] }>(
    `${network}/v2.0/networks?router:external=true`,
  );
  const { extensions } = await rest.get<{ extensions: { alias: string }[] }>(`${network}/v2.0/extensions`);
  const { version } = await rest.get<{ version: { version: string } }>(`${compute}/`);
  const volume = new URL(rest.endpoint('block-storage'));
  const { services } = await rest.get<{ services: { binary: string; host: string }[] }>(`${volume.href}/os-services`);
  // `host@backend`; tests make types for the first two.
  const backends = services.flatMap(({ binary, host }) =>
    binary === 'cinder-volume' ? (host.split('@')[1] ?? []) : [],
  );
  const root = await rest.call('GET', `${volume.origin}/`, { accept: [300] });
  const volumeVersion =
    (JSON.parse(root.text) as { versions: { version: string }[] }).versions.at(-1)?.version ?? '3.0';
  const [external] = networks;
  return {
    DEFAULT: { log_dir: `${workspace}/log`, log_file: 'tempest.log', debug: 'false' },
    oslo_concurrency: { lock_path: `${workspace}/lock` },
    auth: {
      use_dynamic_credentials: 'true',
      create_isolated_networks: 'true',
      admin_username: 'admin',
      admin_password: cloud.adminPassword,
      admin_project_name: 'admin',
      admin_domain_name: 'Default',
      default_credentials_domain_name: 'Default',
    },
    identity: {
      uri_v3: cloud.authUrl,
      auth_version: 'v3',
      region: REGION,
      v3_endpoint_type: 'public',
      catalog_type: 'identity',
      default_domain_id: 'default',
    },
    'identity-feature-enabled': {
      api_v3: 'true',
      application_credentials: 'true',
      access_rules: 'true',
      trust: 'true',
    },
    image: { catalog_type: 'image', region: REGION, endpoint_type: 'public' },
    'image-feature-enabled': { import_image: 'true', os_glance_reserved: 'true' },
    compute: {
      image_ref: images[0].id,
      image_ref_alt: images[1].id,
      flavor_ref: flavors[0],
      flavor_ref_alt: flavors[1],
      fixed_network_name: 'private',
      region: REGION,
      min_microversion: '2.1',
      max_microversion: version.version,
      min_compute_nodes: String(hosts),
      build_timeout: BUILD_TIMEOUT,
      build_interval: '1',
    },
    'compute-feature-enabled': {
      resize: 'true',
      cold_migration: 'true',
      live_migration: 'false',
      vnc_console: 'true',
      spice_console: 'false',
      console_output: 'true',
      rescue: 'true',
      suspend: 'true',
      pause: 'true',
      snapshot: 'true',
      shelve: 'true',
      shelve_migrate: 'true',
      allow_port_security_disabled: 'true',
      swap_volume: 'true',
      stable_rescue: 'true',
      volume_multiattach: 'true',
      attach_encrypted_volume: 'false',
      personality: 'true',
      hostname_fqdn_sanitization: 'true',
      scheduler_enabled_filters: SCHEDULER_FILTERS,
      // The server metadata tests stand behind it, and nestack has what they test.
      xenapi_apis: 'true',
    },
    validation: validation(cloud.guests),
    ...(cloud.guests === 'real' ? { scenario: await scenario(cloud, `${image}/v2/images`, images[0]) } : {}),
    network: {
      catalog_type: 'network',
      region: REGION,
      project_network_cidr: '10.100.0.0/16',
      project_network_mask_bits: '28',
      ...(external === undefined ? {} : { public_network_id: external.id, floating_network_name: external.name }),
    },
    'network-feature-enabled': {
      ipv6: 'true',
      ipv6_subnet_attributes: 'true',
      port_security: 'true',
      api_extensions: extensions
        .map(({ alias }) => alias)
        .sort()
        .join(','),
    },
    volume: {
      catalog_type: 'volumev3',
      backup_driver: 'posix',
      ...(backends.length > 1 ? { backend_names: backends.join(',') } : {}),
      region: REGION,
      min_microversion: '3.0',
      max_microversion: volumeVersion,
      build_timeout: BUILD_TIMEOUT,
      build_interval: '1',
    },
    'volume-feature-enabled': {
      backup: String(services.some(({ binary }) => binary === 'cinder-backup')),
      snapshot: 'true',
      clone: 'true',
      extend_attached_volume: 'true',
      manage_snapshot: 'true',
      manage_volume: 'true',
      multi_backend: String(backends.length > 1),
    },
    service_available: {
      cinder: 'true',
      neutron: 'true',
      glance: 'true',
      nova: 'true',
      swift: 'false',
      horizon: 'false',
    },
  };
}

/** Seconds that a server or volume may take: emulated guests that boot side by side need most of it. */
const BUILD_TIMEOUT = '300';

/** Those of the scheduler's filters that tests ask for. */
const SCHEDULER_FILTERS = 'DifferentHostFilter,SameHostFilter,ServerGroupAffinityFilter,ServerGroupAntiAffinityFilter';

/** What Tempest looks at inside guests: it logs in over floating IPs. Simulated guests have no inside. */
function validation(guests: TempestCloud['guests']): Readonly<Record<string, string>> {
  if (guests === 'simulated') return { run_validation: 'false' };
  return {
    run_validation: 'true',
    connect_method: 'floating',
    image_ssh_user: 'cirros',
    image_ssh_password: 'gocubsgo',
    image_alt_ssh_user: 'cirros',
    image_alt_ssh_password: 'gocubsgo',
    ssh_timeout: '240',
    ping_timeout: '240',
  };
}

/** The image that scenarios upload for themselves: a copy of the one that is known to boot, as a file beside the configuration. */
async function scenario(cloud: TempestCloud, url: string, image: Image): Promise<Readonly<Record<string, string>>> {
  const file = path.join(cloud.workspace, 'guest-image');
  await writeFile(file, await cloud.rest.download(`${url}/${image.id}/file`));
  return { img_file: file, img_disk_format: image.disk_format, img_container_format: 'bare' };
}

/** Upstream's own names for what its tests boot: guests with as little memory as the image can do with. */
const SMALL_FLAVORS = [
  { id: '42', name: 'm1.nano', vcpus: 1, ram: 128, disk: 1 },
  { id: '84', name: 'm1.micro', vcpus: 1, ram: 192, disk: 1 },
] as const;

/** Ids of two small flavors, which are made where they are missing. */
async function smallFlavors(rest: Rest, compute: string): Promise<readonly [string, string]> {
  const { flavors } = await rest.get<{ flavors: { id: string; name: string }[] }>(`${compute}/flavors`);
  const ids: string[] = [];
  for (const flavor of SMALL_FLAVORS) {
    const found = flavors.find(({ name }) => name === flavor.name);
    if (found === undefined) await rest.post(`${compute}/flavors`, { flavor });
    ids.push(found?.id ?? flavor.id);
  }
  const [first = '', second = first] = ids;
  return [first, second];
}

/** How many compute hosts servers can be moved between. */
async function upHosts(rest: Rest, compute: string): Promise<number> {
  const { hypervisors } = await rest.get<{ hypervisors: { state: string; status: string }[] }>(
    `${compute}/os-hypervisors/detail`,
  );
  return hypervisors.filter(({ state, status }) => state === 'up' && status === 'enabled').length;
}

/** Two public images; a second one is made from the first one's bytes, and a small raw one where there is none at all. */
async function twoImages(rest: Rest, url: string): Promise<readonly [Image, Image]> {
  const { images } = await rest.get<{ images: Image[] }>(`${url}?visibility=public&status=active&sort=name:asc`);
  // The one that is known to boot, then its twin.
  const known = (image: Image): number => (image.name.startsWith(IMAGE_NAME) ? 0 : 1);
  images.sort((a, b) => known(a) - known(b));
  const first = images[0] ?? (await upload(rest, url, 'tempest', 'raw', Buffer.alloc(1024 * 1024)));
  if (images[1] !== undefined) return [first, images[1]];
  const data = await rest.download(`${url}/${first.id}/file`);
  return [first, await upload(rest, url, `${first.name}-alt`, first.disk_format, data)];
}

async function upload(rest: Rest, url: string, name: string, format: string, data: Buffer): Promise<Image> {
  const image = await rest.post<Image>(url, {
    name,
    disk_format: format,
    container_format: 'bare',
    visibility: 'public',
  });
  await rest.call('PUT', `${url}/${image.id}/file`, {
    stream: [data] as unknown as AsyncIterable<Uint8Array>,
    headers: { 'content-type': 'application/octet-stream' },
  });
  return image;
}

/** The file's text. */
export function renderConfig(config: TempestConfig): string {
  return Object.entries(config)
    .map(([section, values]) =>
      [`[${section}]`, ...Object.entries(values).map(([key, value]) => `${key} = ${value}`), ''].join('\n'),
    )
    .join('\n');
}
