import Type from 'typebox';
import { parseCidr } from '../ip';
import { attribute } from './attribute';
import {
  boolean,
  checkKeys,
  cidr,
  integer,
  invalid,
  ip,
  ipVersion,
  listOf,
  oneOf,
  orNull,
  quoted,
  text,
  uuid,
  type Kind,
} from './kinds';
import {
  idAttribute,
  ownerAttributes,
  resource,
  resourceOperations,
  standardAttributes,
  tagsAttribute,
} from './resource';

export const IPV6_MODES = ['slaac', 'dhcpv6-stateful', 'dhcpv6-stateless'] as const;
export type Ipv6Mode = (typeof IPV6_MODES)[number];

export interface AllocationPool {
  readonly start: string;
  readonly end: string;
}
export interface HostRoute {
  readonly destination: string;
  readonly nexthop: string;
}

const PoolView = Type.Object({ start: Type.String(), end: Type.String() });
const RouteView = Type.Object({ destination: Type.String(), nexthop: Type.String() });

const pool: Kind<AllocationPool, typeof PoolView> = {
  schema: PoolView,
  parse: (value, name) => {
    const entry = checkKeys(value, name, { required: ['start', 'end'] });
    return { start: ip.parse(entry['start'], name), end: ip.parse(entry['end'], name) };
  },
};

const route: Kind<HostRoute, typeof RouteView> = {
  schema: RouteView,
  parse: (value, name) => {
    const entry = checkKeys(value, name, { required: ['destination', 'nexthop'] });
    const network = parseCidr(entry['destination']);
    if (network === null || network.ip !== network.first)
      return invalid(name, `'${quoted(entry['destination'])}' is not a valid CIDR`);
    return { destination: cidr.parse(entry['destination'], name), nexthop: ip.parse(entry['nexthop'], name) };
  },
};

const nameserver: Kind<string, ReturnType<typeof Type.String>> = {
  schema: Type.String(),
  parse: (value, name) => {
    try {
      return ip.parse(value, name);
    } catch {
      return invalid(
        name,
        `'${quoted(value)}' is not a valid nameserver. '${quoted(value)}' is not a valid IP address`,
      );
    }
  },
};

/** A list of routes, each once. Routers have them too. */
export const routes = listOf(route, { unique: "Duplicate hostroute '{value}'" });

const mode = oneOf(...IPV6_MODES);

export const subnetResource = resource({
  name: 'subnet',
  plural: 'subnets',
  path: '/subnets',
  title: 'Subnet',
  tags: true,
  filters: ['shared'],
  attributes: {
    id: idAttribute,
    name: attribute(text(255), { post: true, put: true, default: '', filter: true, sort: true }),
    ...ownerAttributes,
    ...standardAttributes,
    tags: tagsAttribute,
    network_id: attribute(uuid, { post: true, filter: true, sort: true }),
    ip_version: attribute(ipVersion, { post: true, filter: true, sort: true }),
    cidr: attribute(cidr, { post: true, default: 'unset', filter: true, sort: true }),
    subnetpool_id: attribute(orNull(text(36)), { post: true, default: 'unset', filter: true, sort: true }),
    prefixlen: attribute(integer({ min: 0 }), { post: true, default: 'unset', hidden: true }),
    use_default_subnetpool: attribute(boolean, { post: true, default: 'unset', hidden: true }),
    gateway_ip: attribute(orNull(ip), { post: true, put: true, default: 'unset', filter: true, sort: true }),
    allocation_pools: attribute(listOf(pool), { post: true, put: true, default: 'unset' }),
    dns_nameservers: attribute(listOf(nameserver, { unique: "Duplicate nameserver '{value}'" }), {
      post: true,
      put: true,
      default: [],
    }),
    host_routes: attribute(routes, { post: true, put: true, default: [] }),
    enable_dhcp: attribute(boolean, { post: true, put: true, default: true, filter: true, sort: true }),
    ipv6_ra_mode: attribute(orNull(mode), { post: true, default: 'unset', filter: true, sort: true }),
    ipv6_address_mode: attribute(orNull(mode), { post: true, default: 'unset', filter: true, sort: true }),
    service_types: attribute(listOf(text(255)), { post: true, put: true, default: [] }),
    dns_publish_fixed_ip: attribute(boolean, { post: true, put: true, default: false }),
    segment_id: attribute(orNull(uuid), { post: true, default: 'unset', hidden: true }),
  },
});

export const {
  list: listSubnets,
  show: showSubnet,
  create: createSubnet,
  update: updateSubnet,
  remove: deleteSubnet,
} = resourceOperations(subnetResource, { bulk: true });
