import Type from 'typebox';
import { attribute } from './attribute';
import { integer, invalid, ip, oneOf, orNull, quoted, text, uuid, type Kind } from './kinds';
import { idAttribute, resource, resourceOperations } from './resource';

/** Protocols whose ports can be forwarded. Upstream takes ICMP as well, which has none, and fails to forward it. */
const PROTOCOLS = ['dccp', 'sctp', 'tcp', 'udp'] as const;

const HIGHEST = 65_535;
const Text = Type.String();
const port = orNull(integer({ min: 1, max: HIGHEST }));

/** `80` or `80:90`. upstream: neutron_lib/api/validators validate_port_range */
const portRange: Kind<string, typeof Text> = {
  schema: Text,
  input: Type.Union([Type.String(), Type.Integer({ minimum: 1, maximum: HIGHEST })]),
  parse: (value, name) => {
    const word = typeof value === 'number' ? String(value) : value;
    const found = typeof word === 'string' ? /^(\d{1,5})(?::(\d{1,5}))?$/.exec(word) : null;
    if (found === null)
      return invalid(name, `Port range must be two integers separated by a colon, not '${quoted(value)}'`);
    const [, first = '', last = first] = found;
    const wrong = [first, last].find((one) => Number(one) < 1 || Number(one) > HIGHEST);
    if (wrong !== undefined) return invalid(name, `Invalid port: ${wrong}`);
    if (Number(first) > Number(last))
      return invalid(name, 'First port in a port range must be lower than the second port');
    return `${String(Number(first))}:${String(Number(last))}`;
  },
};

/** The aliases `floating-ip-port-forwarding`, `…-description` and `…-port-ranges`. */
export const portForwardingResource = resource({
  name: 'port_forwarding',
  plural: 'port_forwardings',
  path: '/floatingips/{floatingip_id}/port_forwardings',
  title: 'PortForwarding',
  attributes: {
    id: idAttribute,
    project_id: attribute(text(255), { post: true, default: 'unset', hidden: true }),
    tenant_id: attribute(text(255), { post: true, default: 'unset', hidden: true, aliasOf: 'project_id' }),
    description: attribute(text(1024), { post: true, put: true, default: '', filter: true }),
    protocol: attribute(oneOf(...PROTOCOLS), { post: true, put: true, filter: true, sort: true }),
    external_port: attribute(port, { post: true, put: true, default: null, filter: true, sort: true }),
    external_port_range: attribute(orNull(portRange), {
      post: true,
      put: true,
      default: null,
      filter: true,
      sort: true,
    }),
    internal_port_id: attribute(uuid, { post: true, put: true, filter: true, sort: true }),
    internal_ip_address: attribute(ip, { post: true, put: true }),
    internal_port: attribute(port, { post: true, put: true, default: null }),
    internal_port_range: attribute(orNull(portRange), { post: true, put: true, default: null }),
  },
});

export const {
  list: listPortForwardings,
  show: showPortForwarding,
  create: createPortForwarding,
  update: updatePortForwarding,
  remove: deletePortForwarding,
} = resourceOperations(portForwardingResource, { bulk: true });
