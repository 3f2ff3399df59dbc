import type { RequestContext } from '@nestack/kernel/context';
import { NovaError, type BlockDeviceFields, type CreateServerFields, isTrue } from '@nestack/nova/contract';
import type { BootRequest, Flavor, ImageSnapshot, NetworkRequest } from '../instance';
import type { ImagePort, NetworkPort, NetworkSummary } from '../ports';
import { callerOf } from './gate';

const GIB = 1024 ** 3;

/** Checks the image of a boot and freezes it. upstream: nova/compute/api.py _validate_flavor_image_nostatus */
export async function resolveImage(
  ctx: RequestContext,
  images: ImagePort,
  imageId: string,
  flavor: Pick<Flavor, 'memory_mb' | 'root_gb'>,
  localRoot: boolean,
): Promise<ImageSnapshot> {
  const found = await images.get(ctx, imageId, 'user');
  if (found === null) throw NovaError.ImageNotFound({ image_id: imageId });
  if (found.status !== 'active') throw NovaError.ImageNotActive({ image_id: imageId });
  if (flavor.memory_mb < found.min_ram) throw NovaError.FlavorMemoryTooSmall();
  if (localRoot && flavor.root_gb !== 0) {
    const flavorBytes = flavor.root_gb * GIB;
    if (found.image.size > flavorBytes || (found.virtual_size ?? 0) > flavorBytes) {
      throw NovaError.FlavorDiskTooSmall({
        flavor_size: flavorBytes,
        image_size: Math.max(found.image.size, found.virtual_size ?? 0),
      });
    }
    if (found.image.min_disk * GIB > flavorBytes) {
      throw NovaError.FlavorDiskSmallerThanMinDisk({
        flavor_size: flavorBytes,
        image_min_disk: found.image.min_disk * GIB,
      });
    }
  }
  return found.image;
}

/** What the networks of a request mean, checked against neutron. upstream: nova/network/neutron.py validate_networks */
export async function resolveNetworks(
  ctx: RequestContext,
  networks: NetworkPort,
  { networks: wanted, name }: Pick<CreateServerFields, 'networks' | 'name'>,
  count: number,
): Promise<BootRequest['networks']> {
  if (wanted === 'none') return 'none';
  if (wanted === undefined || wanted === 'auto' || wanted.length === 0) {
    const available = await networks.available(ctx);
    const [first] = available;
    if (first === undefined) {
      if (wanted !== 'auto') return [];
      // The network itself is made when the server is built. upstream: nova/network/neutron.py _can_auto_allocate_network
      if (!(await networks.canAutoAllocate(ctx)))
        throw NovaError.UnableToAutoAllocateNetwork({ project_id: ctx.actor?.projectId ?? '' });
      return 'auto';
    }
    if (available.length > 1) throw NovaError.NetworkAmbiguous();
    assertMayAttach(ctx, first);
    return [{ network_id: first.id, port_id: null, fixed_ip: null, tag: null, ...securityOf(first) }];
  }
  return Promise.all(wanted.map((one) => resolveNetwork(ctx, networks, one, { count, name })));
}

type WantedNetwork = Exclude<CreateServerFields['networks'], 'none' | 'auto' | undefined>[number];

async function resolveNetwork(
  ctx: RequestContext,
  networks: NetworkPort,
  one: WantedNetwork,
  { count, name }: { readonly count: number; readonly name: string },
): Promise<NetworkRequest> {
  const tag = one.tag ?? null;
  if (one.port !== undefined && one.port !== null) {
    if (count > 1)
      throw NovaError.BadRequest({ reason: 'Launching multiple instances with a specific port is not supported.' });
    const port = await networks.port(ctx, one.port, 'user');
    if (port === null) throw NovaError.PortNotFound({ port_id: one.port });
    // Who owns a network sees others' ports on it. Upstream says this during the build.
    if (port.project_id !== ctx.actor?.projectId) throw NovaError.PortNotUsable({ port_id: one.port, instance: name });
    if (port.device_id !== '') throw NovaError.PortInUse({ port_id: one.port });
    if (port.fixed_ips.length === 0)
      throw NovaError.BadRequest({ reason: `Port ${one.port} requires a FixedIP in order to be used.` });
    assertMayAttach(ctx, await networks.network(ctx, port.network_id));
    return { network_id: port.network_id, port_id: port.id, fixed_ip: null, tag };
  }
  if (one.uuid === undefined || one.uuid === null)
    throw NovaError.BadRequest({ reason: "Bad network format: missing 'uuid'" });
  const network = await networks.network(ctx, one.uuid);
  if (network === null) throw NovaError.NetworkNotFound({ network_id: one.uuid });
  if (network.subnets.length === 0) throw NovaError.NetworkRequiresSubnet({ network_uuid: one.uuid });
  assertMayAttach(ctx, network);
  if (one.fixed_ip !== undefined && one.fixed_ip !== null && count > 1) {
    throw NovaError.BadRequest({ reason: 'Invalid fixed IP address: max_count must be 1 if fixed_ip is specified.' });
  }
  return { network_id: network.id, port_id: null, fixed_ip: one.fixed_ip ?? null, tag, ...securityOf(network) };
}

/**
 * Throws ExternalNetworkAttachForbidden for an external network that is not shared: servers reach the outside by routers, and only
 * administrators put them there. Upstream finds out during a build, which then fails. upstream: nova/policies/servers.py
 * (network:attach_external_network), nova/network/neutron.py (_check_external_network_attach)
 */
export function assertMayAttach(ctx: RequestContext, network: NetworkSummary | null): void {
  if (network?.external === true && !network.shared && !callerOf(ctx).isAdmin)
    throw NovaError.ExternalNetworkAttachForbidden({ network_uuid: network.id });
}

function securityOf(network: NetworkSummary): Pick<NetworkRequest, 'port_security_enabled'> {
  return network.port_security_enabled ? {} : { port_security_enabled: false };
}

/** The security groups named in a request, each once. */
export async function resolveSecurityGroups(
  ctx: RequestContext,
  networks: NetworkPort,
  wanted: CreateServerFields['security_groups'],
): Promise<{ readonly ids: readonly string[]; readonly names: readonly string[] }> {
  const asked = [...new Set((wanted ?? []).flatMap(({ name }) => name ?? []))];
  const found = await Promise.all(
    asked.map(async (name) => {
      const group = await networks.securityGroup(ctx, ctx.actor?.projectId ?? '', name);
      // The project's default group comes into being with its first port.
      if (group === null && name !== 'default') throw NovaError.SecurityGroupNotFound({ security_group_id: name });
      return group;
    }),
  );
  const names = found.map((group) => group?.name ?? 'default');
  return {
    ids: [...new Set(found.flatMap((group) => group?.id ?? []))],
    names: names.length === 0 ? ['default'] : [...new Set(names)],
  };
}

/** `zone[:host[:node]]`. Host and node are for those who may force them. */
export function parseZone(zone: string | null | undefined): {
  readonly zone: string | null;
  readonly host: string | null;
} {
  if (zone === null || zone === undefined) return { zone: null, host: null };
  const [name, host] = zone.split(':');
  return {
    zone: name === undefined || name === '' ? null : name,
    host: host === undefined || host === '' ? null : host,
  };
}

/** Throws unless it is base64, as user data must come. */
export function assertBase64(data: string): void {
  const compact = data.replace(/\s/g, '');
  if (compact.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(compact)) throw NovaError.InvalidUserData();
}

/** A hostname made of a display name. upstream: nova/utils.py sanitize_hostname */
export function hostnameOf(name: string, fallback: string): string {
  const clean = name
    .normalize('NFKD')
    .replace(/[^\x20-\x7e]/g, '')
    .replace(/[ _]/g, '-')
    .replace(/[^A-Za-z0-9.-]/g, '')
    .toLowerCase()
    .replace(/^[.-]+|[.-]+$/g, '')
    .replace(/\./g, '-')
    .slice(0, 63)
    .replace(/-+$/, '');
  return clean === '' ? `server-${fallback}`.slice(0, 63) : clean;
}

/** The rest of what is kept of the request. */
export function bootRequest(
  fields: CreateServerFields,
  resolved: Omit<BootRequest, 'scheduler_hints' | 'personality'>,
  hints: Readonly<Record<string, unknown>>,
): BootRequest {
  return {
    ...resolved,
    scheduler_hints: hints,
    personality: (fields.personality ?? []).map((file) => ({ ...file })),
    ...(fields.trusted_image_certificates === undefined || fields.trusted_image_certificates === null
      ? {}
      : { trusted_image_certificates: [...fields.trusted_image_certificates] }),
  };
}

/** The volumes that an image of a volume-backed server names in place of data; null for other images. */
export function mappingOf(image: ImageSnapshot): readonly BlockDeviceFields[] | null {
  const { bdm_v2: form, block_device_mapping: text } = image.properties;
  if (!isTrue(form ?? false) || typeof text !== 'string') return null;
  let named: unknown;
  try {
    named = JSON.parse(text);
  } catch {
    throw NovaError.InvalidBDM();
  }
  if (!Array.isArray(named)) throw NovaError.InvalidBDM();
  const devices = named as readonly (BlockDeviceFields & { readonly snapshot_id?: string | null })[];
  if (!devices.some((one) => one.boot_index === 0)) return null;
  return devices.map((one) => ({
    source_type: 'snapshot',
    destination_type: 'volume',
    uuid: one.snapshot_id ?? null,
    volume_size: one.volume_size ?? null,
    volume_type: one.volume_type ?? null,
    device_name: one.device_name ?? null,
    boot_index: one.boot_index ?? null,
    delete_on_termination: one.delete_on_termination ?? false,
  }));
}

/** Whether a mapping is another than that of the image to the root disk, which clients send along. */
export function isNoRootImage(one: BlockDeviceFields): boolean {
  return !(one.source_type === 'image' && Number(one.boot_index) === 0);
}

/**
 * Names of the groups of a server's ports: those of the user's own ports stay theirs, those that nova makes get the named ones if their
 * network has port security.
 */
export async function shownGroups(
  ctx: RequestContext,
  networks: NetworkPort,
  requests: BootRequest['networks'],
  named: readonly string[],
): Promise<readonly string[]> {
  if (typeof requests === 'string' || requests.length === 0) return named;
  const own = requests.flatMap(({ port_id: id }) => id ?? []);
  const given = requests.some((one) => one.port_id === null && one.port_security_enabled !== false) ? named : [];
  if (own.length === 0) return given;
  const ports = await Promise.all(own.map((id) => networks.port(ctx, id, 'user')));
  const ids = [...new Set(ports.flatMap((port) => port?.security_groups ?? []))];
  const names = await networks.groupNames(ctx, ids);
  return [...new Set([...given, ...names])];
}
