import { createHash } from 'node:crypto';
import { isoMicros, isoSeconds } from '@nestack/kernel/clock';
import type { ApiRequest, ApiVersion } from '@nestack/kernel/http';
import { serverStatus, type Nic } from '@nestack/nova/contract';
import { guestName, type Instance, type InstanceListItem, type InstanceName } from '@nestack/nova/domain';
import { flavorEmbedded } from '../flavors/flavors.views';

export interface ServerViewOptions {
  readonly request: Pick<ApiRequest, 'baseUrl' | 'version'>;
  /** Extended server attributes (hosts, hypervisor name) are for administrators. */
  readonly admin: boolean;
  /** The extra specs of servers' flavors. */
  readonly extraSpecs: boolean;
  /** `host_status`, where it is shown; null where a server's is not. */
  readonly hostStatus?: (instance: Instance) => string | null;
}

/** Self and bookmark of a server; the bookmark has no version. */
export function serverLinks(baseUrl: string, id: string): { rel: string; href: string }[] {
  return resourceLinks(baseUrl, 'servers', id);
}

/** Self and bookmark links of a resource. */
export function resourceLinks(baseUrl: string, kind: string, id: string): { rel: string; href: string }[] {
  return [
    { rel: 'self', href: `${baseUrl}/${kind}/${id}` },
    { rel: 'bookmark', href: `${baseUrl.replace(/\/v2(\.1)?(\/|$)/, '$2')}/${kind}/${id}` },
  ];
}

/** Addresses by network label. upstream: nova/api/openstack/compute/views/addresses.py */
export function addressesOf(
  nics: readonly Nic[],
): Record<string, { version: number; addr: string; 'OS-EXT-IPS:type': string; 'OS-EXT-IPS-MAC:mac_addr': string }[]> {
  const addresses: ReturnType<typeof addressesOf> = {};
  for (const nic of nics) {
    const list = (addresses[nic.network_label] ??= []);
    const entry = (addr: string, type: 'fixed' | 'floating') => ({
      version: addr.includes(':') ? 6 : 4,
      addr,
      'OS-EXT-IPS:type': type,
      'OS-EXT-IPS-MAC:mac_addr': nic.mac_address,
    });
    for (const { ip_address: addr } of nic.fixed_ips) {
      list.push(entry(addr, 'fixed'));
      for (const floating of nic.floating_ips ?? [])
        if (floating.fixed_ip_address === addr) list.push(entry(floating.ip_address, 'floating'));
    }
  }
  return addresses;
}

/** Ids of hosts by project and host: few, and asked for with every row of a list. */
const hostIds = new Map<string, string>();
const HOST_IDS_LIMIT = 10_000;

/** A host's name made unrecognisable per project. upstream: nova/utils.py generate_hostid */
export function hostId(instance: Pick<Instance, 'host' | 'project_id'>): string {
  if (instance.host === null) return '';
  const key = `${instance.project_id}${instance.host}`;
  let id = hostIds.get(key);
  if (id === undefined) {
    id = createHash('sha224').update(key).digest('hex');
    if (hostIds.size >= HOST_IDS_LIMIT) hostIds.clear();
    hostIds.set(key, id);
  }
  return id;
}

/** The short form of lists. */
export function serverBrief({ uuid, display_name: name }: InstanceName, request: Pick<ApiRequest, 'baseUrl'>) {
  return { id: uuid, name, links: serverLinks(request.baseUrl, uuid) };
}

/** A server with all that the microversion and the caller's role show. upstream: nova/api/openstack/compute/views/servers.py */
export function serverView(item: InstanceListItem, options: ServerViewOptions): Record<string, unknown> {
  const { instance } = item;
  const { version, baseUrl } = options.request;
  const status = serverStatus(instance.vm_state, instance.task_state);
  const v = (text: string): boolean => version.atLeast(text);
  return {
    id: instance.uuid,
    name: instance.display_name,
    status,
    tenant_id: instance.project_id,
    user_id: instance.user_id,
    metadata: instance.metadata,
    hostId: hostId(instance),
    image:
      instance.image === null
        ? ''
        : {
            id: instance.image.id,
            links: resourceLinks(baseUrl, 'images', instance.image.id).slice(1),
            ...(v('2.98') ? { properties: instance.image.properties } : {}),
          },
    flavor: flavorOf(instance, options),
    created: isoSeconds(instance.created_at),
    updated: isoSeconds(instance.updated_at),
    addresses: status === 'DELETED' ? {} : addressesOf(instance.nics),
    accessIPv4: instance.access_ip_v4 ?? '',
    accessIPv6: shortIpv6(instance.access_ip_v6),
    links: serverLinks(baseUrl, instance.uuid),
    ...(status === 'ERROR' || status === 'DELETED' ? faultOf(instance, options.admin) : {}),
    ...(['ACTIVE', 'BUILD', 'REBUILD', 'RESIZE', 'REVERT_RESIZE', 'VERIFY_RESIZE', 'MIGRATING'].includes(status)
      ? { progress: instance.progress }
      : {}),
    'OS-DCF:diskConfig': instance.disk_config,
    'OS-EXT-AZ:availability_zone': instance.availability_zone ?? '',
    config_drive: instance.config_drive ? 'True' : '',
    key_name: instance.key_name,
    'OS-SRV-USG:launched_at': instance.launched_at === null ? null : isoMicros(instance.launched_at),
    'OS-SRV-USG:terminated_at': instance.terminated_at === null ? null : isoMicros(instance.terminated_at),
    ...(status === 'DELETED' ? {} : securityGroups(instance)),
    'OS-EXT-STS:task_state': instance.task_state,
    'OS-EXT-STS:vm_state': instance.vm_state,
    'OS-EXT-STS:power_state': instance.power_state,
    'os-extended-volumes:volumes_attached': item.volumes.map((volume) => (v('2.3') ? volume : { id: volume.id })),
    ...(options.admin ? extendedAttributes(instance, version) : {}),
    ...(v('2.90') ? { 'OS-EXT-SRV-ATTR:hostname': instance.hostname } : {}),
    ...(v('2.9') ? { locked: instance.locked_by !== null } : {}),
    ...hostStatusOf(instance, options),
    ...(v('2.19') ? { description: instance.display_description } : {}),
    ...(v('2.26') ? { tags: instance.tags } : {}),
    ...(v('2.63') ? { trusted_image_certificates: instance.request.trusted_image_certificates ?? null } : {}),
    ...(v('2.71') && item.server_groups !== undefined ? { server_groups: item.server_groups } : {}),
    ...(v('2.73') ? { locked_reason: instance.locked_reason } : {}),
    ...(v('2.96') ? { pinned_availability_zone: instance.request.availability_zone } : {}),
  };
}

/** Attributes that answers to changes of a server lack before 2.75. upstream: nova/api/openstack/compute/servers.py, update and rebuild */
const NOT_OF_CHANGES =
  /^(OS-EXT-|OS-SRV-USG:|os-extended-volumes:|config_drive$|security_groups$|key_name$|host_status$)/;

/** A server in the answer to a request that changes it. */
export function changedServerView(item: InstanceListItem, options: ServerViewOptions): Record<string, unknown> {
  const view = serverView(item, options);
  if (options.request.version.atLeast('2.75')) return view;
  const addresses = view['addresses'] as ReturnType<typeof addressesOf>;
  const plain = Object.entries(addresses).map(([network, all]) => [
    network,
    all.map(({ addr, version }) => ({ addr, version })),
  ]);
  const kept = Object.entries(view).filter(([key]) => !NOT_OF_CHANGES.test(key));
  return { ...Object.fromEntries(kept), addresses: Object.fromEntries(plain) };
}

function hostStatusOf(instance: Instance, { hostStatus }: ServerViewOptions) {
  const status = hostStatus?.(instance) ?? null;
  return status === null ? {} : { host_status: status };
}

function flavorOf(instance: Instance, { request: { version, baseUrl }, extraSpecs }: ServerViewOptions) {
  if (version.atLeast('2.47')) return flavorEmbedded(instance.flavor, extraSpecs);
  return { id: instance.flavor.id, links: resourceLinks(baseUrl, 'flavors', instance.flavor.id).slice(1) };
}

function faultOf(instance: Instance, admin: boolean) {
  const { fault } = instance;
  if (fault === null) return {};
  const created = isoSeconds(new Date(fault.created));
  return {
    fault: {
      code: fault.code,
      created,
      message: fault.message,
      ...(fault.details !== null && (admin || fault.code !== 500) ? { details: fault.details } : {}),
    },
  };
}

/** Groups as nova shows them: by name, and no word of them without ports or groups. */
function securityGroups(instance: Instance) {
  if (instance.nics.length === 0 || instance.request.security_group_names.length === 0) return {};
  return { security_groups: instance.request.security_group_names.map((name) => ({ name })) };
}

function extendedAttributes(instance: Instance, version: ApiVersion) {
  return {
    'OS-EXT-SRV-ATTR:host': instance.host,
    'OS-EXT-SRV-ATTR:instance_name': guestName(instance.uuid),
    'OS-EXT-SRV-ATTR:hypervisor_hostname': instance.node,
    ...(version.atLeast('2.3')
      ? {
          'OS-EXT-SRV-ATTR:reservation_id': instance.reservation_id,
          'OS-EXT-SRV-ATTR:launch_index': instance.launch_index,
          'OS-EXT-SRV-ATTR:hostname': instance.hostname,
          'OS-EXT-SRV-ATTR:kernel_id': '',
          'OS-EXT-SRV-ATTR:ramdisk_id': '',
          'OS-EXT-SRV-ATTR:root_device_name': instance.root_device_name,
          'OS-EXT-SRV-ATTR:user_data': instance.user_data,
        }
      : {}),
  };
}

/** An IPv6 address in its shortest form, as upstream shows it, however it was written; empty without one. */
function shortIpv6(address: string | null): string {
  return address === null || address === '' ? '' : new URL(`http://[${address}]/`).hostname.slice(1, -1);
}
