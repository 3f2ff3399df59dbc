import { operation } from '@nestack/kernel/http';
import Type from 'typebox';
import { parseCidr, parseIp } from '../ip';
import { attribute, type ViewOf } from './attribute';
import { dnsDomain, dnsName } from './dns';
import {
  boolean,
  checkKeys,
  cidr,
  computed,
  integer,
  invalid,
  ip,
  isRecord,
  listOf,
  mac,
  nullAs,
  oneOf,
  orNull,
  quoted,
  text,
  uuid,
  type Kind,
} from './kinds';
import { idAttribute, ownerAttributes, resource, resourceOperations, standardAttributes } from './resource';

/** An address that a port asks for: by subnet, by address, or both. */
export interface FixedIpRequest {
  readonly subnet_id?: string;
  readonly ip_address?: string;
}
export interface AddressPair {
  readonly ip_address: string;
  /** Absent: the port's own. */
  readonly mac_address?: string;
}
export interface DhcpOption {
  readonly opt_name: string;
  /** Null removes it (in updates). */
  readonly opt_value: string | null;
  readonly ip_version: 4 | 6;
}

const FixedIpView = Type.Object({ subnet_id: Type.String(), ip_address: Type.String() });

const fixedIp: Kind<FixedIpRequest, typeof FixedIpView> = {
  schema: FixedIpView,
  parse: (value, name) => {
    if (!isRecord(value)) return invalid(name, `Invalid data format for fixed IP: '${quoted(value)}'`);
    const { subnet_id: subnetId, ip_address: address } = value;
    return {
      ...(subnetId === undefined ? {} : { subnet_id: uuid.parse(subnetId, name) }),
      ...(address === undefined ? {} : { ip_address: ip.parse(address, name) }),
    };
  },
};

/** What `fixed_ips` of a port or of a gateway may be. */
export const fixedIps: Kind<FixedIpRequest[], ReturnType<typeof Type.Array<typeof FixedIpView>>> = {
  schema: Type.Array(FixedIpView),
  parse: (value, name) => {
    if (!Array.isArray(value)) return invalid(name, `Invalid data format for fixed IP: '${quoted(value)}'`);
    const entries = value.map((entry: unknown) => fixedIp.parse(entry, name));
    const addresses = entries.flatMap((entry) => (entry.ip_address === undefined ? [] : [entry.ip_address]));
    const twice = addresses.find((address, index) => addresses.indexOf(address) !== index);
    if (twice !== undefined) return invalid(name, `Duplicate IP address '${twice}'`);
    return entries;
  },
};

const PairView = Type.Object({ ip_address: Type.String(), mac_address: Type.String() });

const pair: Kind<AddressPair, typeof PairView> = {
  schema: PairView,
  parse: (value, name) => {
    const entry = checkKeys(value, name, { required: ['ip_address'], optional: ['mac_address'] });
    const address = entry['ip_address'];
    if (parseIp(address) === null && parseCidr(address) === null)
      return invalid(name, `'${quoted(address)}' is neither a valid IP address, nor is it a valid IP subnet`);
    return {
      ip_address: parseIp(address) === null ? cidr.parse(address, name) : ip.parse(address, name),
      ...(entry['mac_address'] === undefined ? {} : { mac_address: mac.parse(entry['mac_address'], name) }),
    };
  },
};

const OptionView = Type.Object({
  opt_name: Type.String(),
  opt_value: Type.Union([Type.String(), Type.Null()]),
  ip_version: Type.Union([Type.Literal(4), Type.Literal(6)]),
});
/** Options that may be empty. */
const BLANK_OPTIONS = ['router', 'classless-static-route'];

const dhcpOption: Kind<DhcpOption, typeof OptionView> = {
  schema: OptionView,
  parse: (value, name) => {
    const entry = checkKeys(value, name, { required: ['opt_name', 'opt_value'], optional: ['ip_version'] });
    const refuse = (): never => invalid(name, `No valid key specs matched for: ${JSON.stringify(value)}`);
    const optName = text(64).parse(entry['opt_name'], name);
    const optValue = entry['opt_value'] === null ? null : text(255).parse(entry['opt_value'], name);
    // A line break would end the line of a DHCP server's settings.
    if (optName.trim() === '' || /[\r\n]/.test(optName) || (optValue !== null && /[\r\n]/.test(optValue)))
      return refuse();
    if (optValue?.trim() === '' && !BLANK_OPTIONS.includes(optName)) return refuse();
    const version = entry['ip_version'] === undefined ? 4 : integer().parse(entry['ip_version'], name);
    if (version !== 4 && version !== 6) return refuse();
    return { opt_name: optName, opt_value: optValue, ip_version: version };
  },
};

const JsonObject = Type.Record(Type.String(), Type.Unknown());
const profile: Kind<Readonly<Record<string, unknown>>, typeof JsonObject> = {
  schema: JsonObject,
  parse: (value, name) => {
    if (value === null) return {};
    if (!isRecord(value)) return invalid(name, `'${quoted(value)}' is not a dictionary`);
    return value;
  },
};

export const VNIC_TYPES = [
  'normal',
  'direct',
  'macvtap',
  'baremetal',
  'direct-physical',
  'virtio-forwarder',
  'smart-nic',
  'vdpa',
  'accelerator-direct',
  'accelerator-direct-physical',
  'remote-managed',
] as const;

const Assignment = Type.Object({ hostname: Type.String(), ip_address: Type.String(), fqdn: Type.String() });

export const portResource = resource({
  name: 'port',
  plural: 'ports',
  path: '/ports',
  title: 'Port',
  tags: true,
  filters: ['fixed_ips', 'binding:profile', 'security_groups'],
  attributes: {
    id: idAttribute,
    name: attribute(text(255), { post: true, put: true, default: '', filter: true, sort: true }),
    ...ownerAttributes,
    ...standardAttributes,
    tags: attribute(listOf(text(255)), { post: true, default: [], filter: true }),
    network_id: attribute(uuid, { post: true, filter: true, sort: true }),
    admin_state_up: attribute(boolean, { post: true, put: true, default: true, filter: true, sort: true }),
    status: attribute(computed(Type.String()), { filter: true, sort: true }),
    mac_address: attribute(orNull(mac), { post: true, put: true, default: 'unset', filter: true, sort: true }),
    fixed_ips: attribute(fixedIps, { post: true, put: true, default: 'unset', filter: true }),
    device_id: attribute(nullAs(text(255), ''), { post: true, put: true, default: '', filter: true, sort: true }),
    device_owner: attribute(nullAs(text(255), ''), { post: true, put: true, default: '', filter: true, sort: true }),
    security_groups: attribute(listOf(uuid), { post: true, put: true, default: 'unset', filter: true }),
    port_security_enabled: attribute(boolean, { post: true, put: true, default: 'unset' }),
    allowed_address_pairs: attribute(listOf(pair), { post: true, put: true, default: 'unset' }),
    extra_dhcp_opts: attribute(listOf(dhcpOption), { post: true, put: true, default: [] }),
    dns_name: attribute(nullAs(dnsName, ''), { post: true, put: true, default: '' }),
    dns_domain: attribute(nullAs(dnsDomain, ''), { post: true, put: true, default: '' }),
    dns_assignment: attribute(computed(Type.Array(Assignment))),
    propagate_uplink_status: attribute(boolean, { post: true, default: true }),
    ip_allocation: attribute(computed(Type.String()), { filter: true, sort: true }),
    'binding:vnic_type': attribute(oneOf(...VNIC_TYPES), { post: true, put: true, default: 'normal', filter: true }),
    'binding:host_id': attribute(nullAs(text(255), ''), { post: true, put: true, default: 'unset', filter: true }),
    'binding:profile': attribute(profile, { post: true, put: true, default: 'unset' }),
    'binding:vif_type': attribute(computed(Type.String())),
    'binding:vif_details': attribute(computed(JsonObject)),
  },
});

export type PortView = ViewOf<(typeof portResource)['attributes']>;

export const {
  list: listPorts,
  show: showPort,
  create: createPort,
  update: updatePort,
  remove: deletePort,
} = resourceOperations(portResource, { bulk: true });

const Binding = Type.Object({
  host: Type.String(),
  status: Type.String(),
  vif_type: Type.String(),
  vif_details: JsonObject,
  vnic_type: Type.String(),
  profile: JsonObject,
  project_id: Type.String(),
  tenant_id: Type.String(),
});
const BindingBody = Type.Object({
  binding: Type.Object({
    host: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
    vnic_type: Type.Optional(Type.Enum([...VNIC_TYPES])),
    profile: Type.Optional(Type.Union([JsonObject, Type.Null()])),
  }),
});
const BindingAnswer = Type.Object({ binding: Type.Partial(Binding) });

/** Bindings of a port to further hosts, which live migration prepares. */
export const listPortBindings = operation({
  id: 'listPortBindings',
  summary: 'Lists the bindings of a port',
  method: 'GET',
  path: '/ports/{port_id}/bindings',
  response: Type.Object({ bindings: Type.Array(Type.Partial(Binding)) }),
  status: 200,
});
export const showPortBinding = operation({
  id: 'showPortBinding',
  summary: 'Shows the binding of a port to a host',
  method: 'GET',
  path: '/ports/{port_id}/bindings/{host}',
  response: BindingAnswer,
  status: 200,
});
export const createPortBinding = operation({
  id: 'createPortBinding',
  summary: 'Binds a port to a further host, inactive as yet',
  method: 'POST',
  path: '/ports/{port_id}/bindings',
  body: BindingBody,
  response: BindingAnswer,
  status: 201,
});
export const updatePortBinding = operation({
  id: 'updatePortBinding',
  summary: 'Updates the binding of a port to a host',
  method: 'PUT',
  path: '/ports/{port_id}/bindings/{host}',
  body: BindingBody,
  response: BindingAnswer,
  status: 200,
});
export const activatePortBinding = operation({
  id: 'activatePortBinding',
  summary: 'Makes the binding to a host the active one',
  method: 'PUT',
  path: '/ports/{port_id}/bindings/{host}/activate',
  response: BindingAnswer,
  status: 200,
});
export const deletePortBinding = operation({
  id: 'deletePortBinding',
  summary: 'Removes the binding of a port to a host',
  method: 'DELETE',
  path: '/ports/{port_id}/bindings/{host}',
  status: 204,
});
