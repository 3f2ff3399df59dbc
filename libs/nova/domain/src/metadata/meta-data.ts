import type { InstanceSpec } from '@nestack/nova/contract';
import { localDevices, localSizes } from '../servers/local-disks';

/** Metadata versions in order. upstream: nova/api/metadata/base.py */
export const OPENSTACK_VERSIONS = [
  '2012-08-10',
  '2013-04-04',
  '2013-10-17',
  '2015-10-15',
  '2016-06-30',
  '2016-10-06',
  '2017-02-22',
  '2018-08-27',
  '2020-10-14',
  'latest',
] as const;
export const EC2_VERSIONS = [
  '1.0',
  '2007-01-19',
  '2007-03-01',
  '2007-08-29',
  '2007-10-10',
  '2007-12-15',
  '2008-02-01',
  '2008-09-01',
  '2009-04-04',
  'latest',
] as const;

/** `meta_data.json`: what the guest may know of itself. */
export function metaData(spec: InstanceSpec): Record<string, unknown> {
  return {
    uuid: spec.uuid,
    ...(Object.keys(spec.metadata).length === 0 ? {} : { meta: spec.metadata }),
    ...(spec.key_name === null || spec.key_data === null
      ? {}
      : {
          public_keys: { [spec.key_name]: spec.key_data },
          keys: [{ name: spec.key_name, type: 'ssh', data: spec.key_data }],
        }),
    hostname: spec.hostname,
    name: spec.name,
    launch_index: spec.launch_index,
    availability_zone: spec.availability_zone,
    project_id: spec.project_id,
    devices: taggedDevices(spec),
    dedicated_cpus: [],
    ...(spec.personality.length === 0
      ? {}
      : {
          files: spec.personality.map((file, at) => ({
            path: file.path,
            content_path: `/content/${String(at).padStart(4, '0')}`,
          })),
        }),
  };
}

/**
 * Devices that have a tag, by which the guest tells them apart: network cards by their address, disks by their serial number.
 * Where on a bus they are is left open. upstream: nova/api/metadata/base.py (_get_device_metadata)
 */
function taggedDevices({ nics, volumes }: InstanceSpec): Record<string, unknown>[] {
  const place = { bus: 'none', address: 'none' };
  return [
    ...nics.flatMap(({ tag, mac_address: mac }) => (tag === null ? [] : [{ type: 'nic', mac, ...place, tags: [tag] }])),
    ...volumes.flatMap(({ tag = null, volume_id: serial, device: path }) =>
      tag === null ? [] : [{ type: 'disk', serial, ...(path === null ? {} : { path }), ...place, tags: [tag] }],
    ),
  ];
}

/** `network_data.json`: links, networks and DNS servers. upstream: nova/virt/netutils.py */
export function networkData(spec: InstanceSpec): Record<string, unknown> {
  const links = spec.nics.map((nic) => ({
    id: nic.devname,
    vif_id: nic.port_id,
    type: nic.vif_type === 'ovs' ? 'ovs' : 'bridge',
    mtu: nic.mtu,
    ethernet_mac_address: nic.mac_address,
  }));
  const networks = spec.nics.flatMap((nic) =>
    nic.fixed_ips.flatMap((ip) => {
      const subnet = nic.subnets.find((one) => one.id === ip.subnet_id);
      if (subnet === undefined) return [];
      const version = subnet.ip_version === 6 ? 'ipv6' : 'ipv4';
      const base = { id: '', link: nic.devname, network_id: nic.network_id };
      if (subnet.enable_dhcp && version === 'ipv4') return [{ ...base, type: 'ipv4_dhcp' }];
      return [
        {
          ...base,
          type: version,
          ip_address: ip.ip_address,
          netmask: version === 'ipv4' ? netmask(subnet.cidr) : subnet.cidr.split('/')[1],
          routes: [
            ...(subnet.gateway_ip === null
              ? []
              : [
                  {
                    network: version === 'ipv4' ? '0.0.0.0' : '::',
                    netmask: version === 'ipv4' ? '0.0.0.0' : '::',
                    gateway: subnet.gateway_ip,
                  },
                ]),
            ...subnet.host_routes.map((route) => ({
              network: route.destination.split('/')[0],
              netmask: version === 'ipv4' ? netmask(route.destination) : route.destination.split('/')[1],
              gateway: route.nexthop,
            })),
          ],
        },
      ];
    }),
  );
  const numbered = networks.map((network, at) => ({ ...network, id: `network${at}` }));
  const servers = [...new Set(spec.nics.flatMap((nic) => nic.subnets.flatMap((subnet) => subnet.dns_nameservers)))];
  return { links, networks: numbered, services: servers.map((address) => ({ type: 'dns', address })) };
}

function netmask(cidr: string): string {
  const bits = Number(cidr.split('/')[1] ?? '32');
  const mask = bits === 0 ? 0 : (0xffffffff << (32 - bits)) >>> 0;
  return [24, 16, 8, 0].map((shift) => (mask >>> shift) & 255).join('.');
}

/** EC2's tree of metadata: leaves are text, branches are listed by name. */
export type Ec2Tree = { readonly [key: string]: string | Ec2Tree };

/** The `meta-data` branch, with what a version knows. upstream: nova/api/metadata/base.py (get_ec2_metadata) */
export function ec2MetaData(spec: InstanceSpec, version: string): Ec2Tree {
  const addresses = spec.nics.flatMap((nic) => nic.fixed_ips.map((ip) => ip.ip_address));
  const floating = spec.nics.flatMap((nic) => (nic.floating_ips ?? []).map((ip) => ip.ip_address));
  const at = EC2_VERSIONS.indexOf(version as (typeof EC2_VERSIONS)[number]);
  const since = (first: (typeof EC2_VERSIONS)[number], tree: Ec2Tree): Ec2Tree =>
    at >= EC2_VERSIONS.indexOf(first) ? tree : {};
  return {
    'ami-id': spec.image === null ? 'None' : `ami-${spec.image.id.slice(0, 8)}`,
    'ami-launch-index': String(spec.launch_index),
    // Upstream's very word: there is no manifest.
    'ami-manifest-path': 'FIXME',
    ...since('2007-12-15', { 'block-device-mapping': blockDeviceMapping(spec) }),
    hostname: spec.hostname,
    ...since('2008-09-01', { 'instance-action': 'none' }),
    'instance-id': `i-${spec.uuid.slice(0, 8)}`,
    ...since('2007-08-29', { 'instance-type': spec.flavor.name }),
    ...since('2007-01-19', { 'local-hostname': spec.hostname }),
    'local-ipv4': addresses.find((address) => !address.includes(':')) ?? '',
    ...since('2008-02-01', { placement: { 'availability-zone': spec.availability_zone ?? '' } }),
    ...since('2007-01-19', { 'public-hostname': spec.hostname, 'public-ipv4': floating[0] ?? '' }),
    ...(spec.key_name === null || spec.key_data === null
      ? {}
      : { 'public-keys': { '0': { 'openssh-key': spec.key_data } } }),
    'reservation-id': spec.reservation_id,
    'security-groups': (spec.security_groups ?? []).join('\n'),
  };
}

/** Root, local disks and volumes by Amazon's names. upstream: nova/block_device.py (instance_block_mapping) */
function blockDeviceMapping({ volumes, flavor, ephemerals }: InstanceSpec): Ec2Tree {
  const root = volumes.find((volume) => volume.boot_index === 0)?.device ?? '/dev/vda';
  const devices = volumes.flatMap(({ device }) => (device === null ? [] : [device])).sort();
  const local = localDevices({ ...localSizes(flavor), ...(ephemerals === undefined ? {} : { ephemerals }) }, devices);
  return {
    ami: root.replace('/dev/', ''),
    ...Object.fromEntries(local.ephemerals.map((device, index) => [`ephemeral${String(index)}`, device])),
    ...(local.swap === null ? {} : { swap: local.swap }),
    ...Object.fromEntries(devices.map((device, index) => [`ebs${String(index)}`, device])),
    root,
  };
}

/**
 * What a GET of a path below `/` answers: text, or null when there is nothing. `/openstack/<version>/…` and EC2's
 * `/<version>/meta-data/…`, `user-data`. upstream: nova/api/metadata/handler.py, base.py
 */
export function metadataAt(
  spec: InstanceSpec,
  path: string,
): { readonly body: string | Buffer; readonly type: string } | null {
  const parts = path.split('/').filter((part) => part !== '');
  const text = (body: string | Buffer) => ({ body, type: 'text/plain; charset=UTF-8' });
  const json = (body: unknown) => ({ body: JSON.stringify(body), type: 'application/json' });
  const userData = (): Buffer | null => (spec.user_data === null ? null : Buffer.from(spec.user_data, 'base64'));
  if (parts.length === 0) return text([...EC2_VERSIONS, ''].join('\n').trimEnd());
  if (parts[0] === 'openstack') {
    const [, version, file, ...rest] = parts;
    if (version === undefined) return text(OPENSTACK_VERSIONS.join('\n'));
    if (version === 'content') {
      const found = spec.personality[Number(file)];
      return found === undefined ? null : text(Buffer.from(found.contents, 'base64'));
    }
    if (!(OPENSTACK_VERSIONS as readonly string[]).includes(version)) return null;
    if (file === undefined) {
      return text(
        [
          'meta_data.json',
          ...(spec.user_data === null ? [] : ['user_data']),
          'password',
          'vendor_data.json',
          'network_data.json',
          'vendor_data2.json',
        ].join('\n'),
      );
    }
    if (rest.length > 0) return null;
    switch (file) {
      case 'meta_data.json':
        return json(metaData(spec));
      case 'network_data.json':
        return json(networkData(spec));
      case 'vendor_data.json':
      case 'vendor_data2.json':
        return json({});
      case 'password':
        return text('');
      case 'user_data': {
        const data = userData();
        return data === null ? null : text(data);
      }
      default:
        return null;
    }
  }
  const [version, branch, ...rest] = parts;
  if (!(EC2_VERSIONS as readonly string[]).includes(version ?? '')) return null;
  if (branch === undefined) return text(['meta-data/', ...(spec.user_data === null ? [] : ['user-data'])].join('\n'));
  if (branch === 'user-data') {
    const data = userData();
    return data === null || rest.length > 0 ? null : text(data);
  }
  if (branch !== 'meta-data') return null;
  return walk(ec2MetaData(spec, version ?? ''), rest, spec.key_name ?? '', text);
}

/** The leaf or listing below a path. */
function walk(
  tree: Ec2Tree,
  path: readonly string[],
  keyName: string,
  text: (body: string) => { body: string | Buffer; type: string },
): { body: string | Buffer; type: string } | null {
  let at: string | Ec2Tree = tree;
  let parent = '';
  for (const part of path) {
    if (typeof at === 'string' || !Object.hasOwn(at, part)) return null;
    at = at[part] as string | Ec2Tree;
    parent = part;
  }
  if (typeof at === 'string') return text(at);
  // The key is listed with its name.
  if (parent === 'public-keys') return text(`0=${keyName}`);
  return text(
    Object.entries(at)
      .map(([key, value]) => (typeof value === 'string' ? key : `${key}/`))
      .join('\n'),
  );
}
