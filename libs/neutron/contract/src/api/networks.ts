import Type from 'typebox';
import { attribute } from './attribute';
import { boolean, computed, integer, listOf, nullAs, orNull, text } from './kinds';
import { dnsDomain } from './dns';
import {
  idAttribute,
  ownerAttributes,
  resource,
  resourceOperations,
  standardAttributes,
  tagsAttribute,
} from './resource';

const availabilityZoneHints = attribute(listOf(text(255)), { post: true, default: [] });

export const networkResource = resource({
  name: 'network',
  plural: 'networks',
  path: '/networks',
  title: 'Network',
  tags: true,
  filters: ['is_default'],
  attributes: {
    id: idAttribute,
    name: attribute(text(255), { post: true, put: true, default: '', filter: true, sort: true }),
    ...ownerAttributes,
    ...standardAttributes,
    tags: tagsAttribute,
    status: attribute(computed(Type.String()), { filter: true, sort: true }),
    subnets: attribute(computed(Type.Array(Type.String()))),
    admin_state_up: attribute(boolean, { post: true, put: true, default: true, filter: true, sort: true }),
    shared: attribute(boolean, { post: true, put: true, default: false, filter: true }),
    'router:external': attribute(boolean, { post: true, put: true, default: false, filter: true }),
    is_default: attribute(boolean, { post: true, put: true, default: false, filter: true }),
    mtu: attribute(nullAs(integer({ min: 0 }), 0), { post: true, put: true, default: 0, filter: true, sort: true }),
    port_security_enabled: attribute(boolean, { post: true, put: true, default: true }),
    availability_zone_hints: availabilityZoneHints,
    availability_zones: attribute(computed(Type.Array(Type.String()))),
    dns_domain: attribute(nullAs(dnsDomain, ''), { post: true, put: true, default: '' }),
    ipv4_address_scope: attribute(computed(Type.Union([Type.String(), Type.Null()]))),
    ipv6_address_scope: attribute(computed(Type.Union([Type.String(), Type.Null()]))),
    'provider:network_type': attribute(orNull(text(32)), { post: true, put: true, default: 'unset', filter: true }),
    'provider:physical_network': attribute(orNull(text(64)), { post: true, put: true, default: 'unset', filter: true }),
    'provider:segmentation_id': attribute(orNull(integer({ min: 0 })), {
      post: true,
      put: true,
      default: 'unset',
      filter: true,
    }),
  },
});

export const {
  list: listNetworks,
  show: showNetwork,
  create: createNetwork,
  update: updateNetwork,
  remove: deleteNetwork,
} = resourceOperations(networkResource, { bulk: true });
