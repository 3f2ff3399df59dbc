import Type from 'typebox';
import { NeutronError } from '../errors';
import { parseCidr, parseIp, formatIp } from '../ip';
import { attribute } from './attribute';
import { boolean, computed, oneOf, orNull, quoted, text, uuid, type Kind } from './kinds';
import {
  idAttribute,
  ownerAttributes,
  resource,
  resourceOperations,
  standardAttributes,
  tagsAttribute,
} from './resource';

/** Protocols by name, with their numbers. upstream: neutron_lib/constants.py IP_PROTOCOL_MAP */
export const PROTOCOL_NUMBERS: Readonly<Record<string, number>> = {
  ah: 51,
  dccp: 33,
  egp: 8,
  esp: 50,
  gre: 47,
  hopopt: 0,
  icmp: 1,
  igmp: 2,
  ip: 0,
  ipip: 4,
  'ipv6-encap': 41,
  'ipv6-frag': 44,
  'ipv6-icmp': 58,
  icmpv6: 58,
  'ipv6-nonxt': 59,
  'ipv6-opts': 60,
  'ipv6-route': 43,
  ospf: 89,
  pgm: 113,
  rsvp: 46,
  sctp: 132,
  tcp: 6,
  udp: 17,
  udplite: 136,
  vrrp: 112,
};

const SUPPORTED = `(None, 'any', ${Object.keys(PROTOCOL_NUMBERS)
  .map((name) => `'${name}'`)
  .join(', ')})`;

const Text = Type.String();

/** A protocol's name or number as text, read back as written; null is any. */
const protocol: Kind<string | null, typeof Text> = {
  schema: Text,
  parse: (value) => {
    if (value === null || value === 'any' || value === '' || value === '-1' || value === -1) return null;
    const word = String(value as string | number).trim();
    if ((typeof value === 'string' || typeof value === 'number') && /^\d{1,3}$/.test(word) && Number(word) <= 255)
      return word;
    const name = typeof value === 'string' ? value.toLowerCase() : '';
    if (Object.hasOwn(PROTOCOL_NUMBERS, name)) return name;
    throw NeutronError.SecurityGroupRuleInvalidProtocol({ protocol: quoted(value), values: SUPPORTED });
  },
};

const ethertype: Kind<'IPv4' | 'IPv6', typeof Text> = {
  schema: Text,
  parse: (value) => {
    const word = typeof value === 'string' ? value.toLowerCase() : '';
    if (word === 'ipv4') return 'IPv4';
    if (word === 'ipv6') return 'IPv6';
    throw NeutronError.SecurityGroupRuleInvalidEtherType({ ethertype: quoted(value), values: "['IPv4', 'IPv6']" });
  },
};

const Port = Type.Union([Type.Integer(), Type.Null()]);
const portNumber: Kind<number | null, typeof Port> = {
  schema: Port,
  parse: (value) => {
    if (value === null) return null;
    const number =
      typeof value === 'number' || (typeof value === 'string' && /^\s*\d{1,5}\s*$/.test(value)) ? Number(value) : -1;
    if (!Number.isInteger(number) || number < 0 || number > 65535)
      throw NeutronError.SecurityGroupInvalidPortValue({ port: quoted(value) });
    return number;
  },
};

/** A prefix; a bare address is the prefix of itself. Kept as written, host bits included, since clients compare. */
const remotePrefix: Kind<string | null, typeof Text> = {
  schema: Text,
  parse: (value) => {
    if (value === null || value === '') return null;
    const address = parseIp(value);
    if (address !== null) return `${formatIp(address.version, address.value)}/${address.version === 4 ? '32' : '128'}`;
    const network = parseCidr(value);
    if (network === null) throw NeutronError.InvalidCIDR({ input: quoted(value) });
    return `${formatIp(network.version, network.ip)}/${String(network.prefix)}`;
  },
};

const groupName: Kind<string, typeof Text> = {
  schema: Text,
  parse: (value, name) => {
    const word = text(255).parse(value, name);
    if (word.toLowerCase() === 'default') throw NeutronError.SecurityGroupDefaultAlreadyExists();
    return word;
  },
};

const NullableText = Type.Union([Type.String(), Type.Null()]);

export const securityGroupRuleResource = resource({
  name: 'security_group_rule',
  plural: 'security_group_rules',
  path: '/security-group-rules',
  title: 'SecurityGroupRule',
  attributes: {
    id: idAttribute,
    ...ownerAttributes,
    ...standardAttributes,
    security_group_id: attribute(uuid, { post: true, filter: true, sort: true }),
    direction: attribute(oneOf('ingress', 'egress'), { post: true, filter: true, sort: true }),
    ethertype: attribute(ethertype, { post: true, default: 'IPv4', filter: true, sort: true }),
    protocol: attribute({ ...protocol, schema: NullableText }, { post: true, default: null, filter: true, sort: true }),
    port_range_min: attribute(portNumber, { post: true, default: null, filter: true, sort: true }),
    port_range_max: attribute(portNumber, { post: true, default: null, filter: true, sort: true }),
    remote_ip_prefix: attribute(
      { ...remotePrefix, schema: NullableText },
      { post: true, default: null, filter: true, sort: true },
    ),
    remote_group_id: attribute(orNull(text(36)), { post: true, default: null, filter: true, sort: true }),
    normalized_cidr: attribute(computed(NullableText)),
    belongs_to_default_sg: attribute(computed(Type.Boolean()), { filter: true }),
  },
});

export const {
  list: listSecurityGroupRules,
  show: showSecurityGroupRule,
  create: createSecurityGroupRule,
  remove: deleteSecurityGroupRule,
} = resourceOperations(securityGroupRuleResource, { bulk: true });

export const securityGroupResource = resource({
  name: 'security_group',
  plural: 'security_groups',
  path: '/security-groups',
  title: 'SecurityGroup',
  tags: true,
  attributes: {
    id: idAttribute,
    name: attribute(groupName, { post: true, put: true, default: '', filter: true, sort: true }),
    ...ownerAttributes,
    ...standardAttributes,
    tags: tagsAttribute,
    stateful: attribute(boolean, { post: true, put: true, default: true, filter: true, sort: true }),
    shared: attribute(computed(Type.Boolean()), { filter: true }),
    is_default: attribute(computed(Type.Boolean()), { filter: true, hidden: true }),
    security_group_rules: attribute(computed(Type.Array(Type.Record(Type.String(), Type.Unknown())))),
  },
});

export const {
  list: listSecurityGroups,
  show: showSecurityGroup,
  create: createSecurityGroup,
  update: updateSecurityGroup,
  remove: deleteSecurityGroup,
} = resourceOperations(securityGroupResource, { bulk: true });
