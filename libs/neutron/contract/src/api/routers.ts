import { operation } from '@nestack/kernel/http';
import Type from 'typebox';
import { attribute } from './attribute';
import { dnsDomain, dnsName } from './dns';
import {
  boolean,
  checkKeys,
  computed,
  ip,
  invalid,
  isRecord,
  listOf,
  nullAs,
  orNull,
  quoted,
  text,
  uuid,
  type Kind,
} from './kinds';
import { fixedIps, type FixedIpRequest } from './ports';
import {
  idAttribute,
  ownerAttributes,
  resource,
  resourceOperations,
  standardAttributes,
  tagsAttribute,
} from './resource';
import { routes } from './subnets';

export interface GatewayRequest {
  readonly network_id: string;
  readonly enable_snat?: boolean;
  readonly external_fixed_ips?: readonly FixedIpRequest[];
}

const GatewayView = Type.Union([
  Type.Object({
    network_id: Type.String(),
    enable_snat: Type.Boolean(),
    external_fixed_ips: Type.Array(Type.Object({ subnet_id: Type.String(), ip_address: Type.String() })),
  }),
  Type.Null(),
]);

const gateway: Kind<GatewayRequest | null, typeof GatewayView> = {
  schema: GatewayView,
  parse: (value, name) => {
    if (value === null || (isRecord(value) && Object.keys(value).length === 0)) return null;
    if (!isRecord(value)) return invalid(name, `'${quoted(value)}' is not a dictionary`);
    const entry = checkKeys(value, name, {
      required: ['network_id'],
      optional: ['enable_snat', 'external_fixed_ips', 'qos_policy_id'],
    });
    return {
      network_id: uuid.parse(entry['network_id'], name),
      ...(entry['enable_snat'] === undefined ? {} : { enable_snat: boolean.parse(entry['enable_snat'], name) }),
      ...(entry['external_fixed_ips'] === undefined
        ? {}
        : { external_fixed_ips: fixedIps.parse(entry['external_fixed_ips'], name) }),
    };
  },
};

export const routerResource = resource({
  name: 'router',
  plural: 'routers',
  path: '/routers',
  title: 'Router',
  tags: true,
  attributes: {
    id: idAttribute,
    name: attribute(text(255), { post: true, put: true, default: '', filter: true, sort: true }),
    ...ownerAttributes,
    ...standardAttributes,
    tags: tagsAttribute,
    admin_state_up: attribute(boolean, { post: true, put: true, default: true, filter: true, sort: true }),
    status: attribute(computed(Type.String()), { filter: true, sort: true }),
    external_gateway_info: attribute(gateway, { post: true, put: true, default: null }),
    routes: attribute(routes, { put: true, default: 'unset' }),
    availability_zone_hints: attribute(listOf(text(255)), { post: true, default: [] }),
    availability_zones: attribute(computed(Type.Array(Type.String()))),
  },
});

export const {
  list: listRouters,
  show: showRouter,
  create: createRouter,
  update: updateRouter,
  remove: deleteRouter,
} = resourceOperations(routerResource, { bulk: true });

const InterfaceBody = Type.Object(
  { subnet_id: Type.Optional(Type.String()), port_id: Type.Optional(Type.String()) },
  { additionalProperties: true },
);
const InterfaceAnswer = Type.Object({
  id: Type.String(),
  tenant_id: Type.String(),
  project_id: Type.String(),
  port_id: Type.String(),
  network_id: Type.String(),
  subnet_id: Type.String(),
  subnet_ids: Type.Array(Type.String()),
});

export const addRouterInterface = operation({
  id: 'addRouterInterface',
  summary: 'Connects a router to a subnet or port',
  method: 'PUT',
  path: '/routers/{router_id}/add_router_interface',
  body: InterfaceBody,
  response: InterfaceAnswer,
  status: 200,
});
export const removeRouterInterface = operation({
  id: 'removeRouterInterface',
  summary: 'Disconnects a router from a subnet or port',
  method: 'PUT',
  path: '/routers/{router_id}/remove_router_interface',
  body: InterfaceBody,
  response: InterfaceAnswer,
  status: 200,
});

const RoutesBody = Type.Object({
  router: Type.Object({ routes: Type.Array(Type.Record(Type.String(), Type.Unknown())) }),
});
const RoutesAnswer = Type.Object({ router: Type.Record(Type.String(), Type.Unknown()) });

/** The alias `extraroute-atomic`. */
export const addExtraRoutes = operation({
  id: 'addExtraRoutes',
  summary: 'Adds routes to a router',
  method: 'PUT',
  path: '/routers/{router_id}/add_extraroutes',
  body: RoutesBody,
  response: RoutesAnswer,
  status: 200,
});
export const removeExtraRoutes = operation({
  id: 'removeExtraRoutes',
  summary: 'Takes routes away from a router',
  method: 'PUT',
  path: '/routers/{router_id}/remove_extraroutes',
  body: RoutesBody,
  response: RoutesAnswer,
  status: 200,
});

const NullableText = Type.Union([Type.String(), Type.Null()]);

export const floatingIpResource = resource({
  name: 'floatingip',
  plural: 'floatingips',
  path: '/floatingips',
  title: 'FloatingIp',
  tags: true,
  attributes: {
    id: idAttribute,
    ...ownerAttributes,
    ...standardAttributes,
    tags: tagsAttribute,
    floating_ip_address: attribute(orNull(ip), { post: true, default: null, filter: true, sort: true }),
    subnet_id: attribute(orNull(uuid), { post: true, default: null, hidden: true }),
    floating_network_id: attribute(uuid, { post: true, filter: true, sort: true }),
    router_id: attribute(computed(NullableText), { filter: true, sort: true }),
    port_id: attribute(orNull(uuid), { post: true, put: true, default: null, filter: true }),
    fixed_ip_address: attribute(orNull(ip), { post: true, put: true, default: null, filter: true, sort: true }),
    status: attribute(computed(Type.String()), { filter: true, sort: true }),
    port_details: attribute(computed(Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.Null()]))),
    port_forwardings: attribute(computed(Type.Array(Type.Record(Type.String(), Type.Unknown())))),
    dns_name: attribute(nullAs(dnsName, ''), { post: true, default: '' }),
    dns_domain: attribute(nullAs(dnsDomain, ''), { post: true, default: '' }),
  },
});

export const {
  list: listFloatingIps,
  show: showFloatingIp,
  create: createFloatingIp,
  update: updateFloatingIp,
  remove: deleteFloatingIp,
} = resourceOperations(floatingIpResource, { bulk: true });
