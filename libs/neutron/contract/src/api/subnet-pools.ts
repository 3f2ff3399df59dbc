import { operation } from '@nestack/kernel/http';
import Type from 'typebox';
import { attribute } from './attribute';
import { boolean, cidr, computed, integer, ipVersion, listOf, nonEmptyText, orNull, text, uuid } from './kinds';
import {
  idAttribute,
  ownerAttributes,
  resource,
  resourceOperations,
  standardAttributes,
  tagsAttribute,
} from './resource';

const length = integer({ min: 0 });

export const subnetPoolResource = resource({
  name: 'subnetpool',
  plural: 'subnetpools',
  path: '/subnetpools',
  title: 'SubnetPool',
  tags: true,
  attributes: {
    id: idAttribute,
    name: attribute(nonEmptyText(255), { post: true, put: true, filter: true, sort: true }),
    ...ownerAttributes,
    ...standardAttributes,
    tags: tagsAttribute,
    prefixes: attribute(listOf(cidr), { post: true, put: true }),
    default_quota: attribute(orNull(length), { post: true, put: true, default: null, filter: true, sort: true }),
    ip_version: attribute(computed(Type.Integer()), { filter: true, sort: true }),
    default_prefixlen: attribute(length, { post: true, put: true, default: 'unset', filter: true, sort: true }),
    min_prefixlen: attribute(length, { post: true, put: true, default: 'unset', filter: true, sort: true }),
    max_prefixlen: attribute(length, { post: true, put: true, default: 'unset', filter: true, sort: true }),
    is_default: attribute(boolean, { post: true, put: true, default: false, filter: true, sort: true }),
    shared: attribute(boolean, { post: true, default: false, filter: true, sort: true }),
    address_scope_id: attribute(orNull(uuid), { post: true, put: true, default: null, filter: true, sort: true }),
  },
});

export const {
  list: listSubnetPools,
  show: showSubnetPool,
  create: createSubnetPool,
  update: updateSubnetPool,
  remove: deleteSubnetPool,
} = resourceOperations(subnetPoolResource, { bulk: true });

const PrefixesBody = Type.Object({ prefixes: Type.Array(Type.String()) });

/** The alias `subnetpool-prefix-ops`. */
export const addSubnetPoolPrefixes = operation({
  id: 'addSubnetPoolPrefixes',
  summary: 'Adds prefixes to a subnet pool',
  method: 'PUT',
  path: '/subnetpools/{subnetpool_id}/add_prefixes',
  body: PrefixesBody,
  response: PrefixesBody,
  status: 200,
});
export const removeSubnetPoolPrefixes = operation({
  id: 'removeSubnetPoolPrefixes',
  summary: 'Takes prefixes out of a subnet pool',
  method: 'PUT',
  path: '/subnetpools/{subnetpool_id}/remove_prefixes',
  body: PrefixesBody,
  response: PrefixesBody,
  status: 200,
});

export const addressScopeResource = resource({
  name: 'address_scope',
  plural: 'address_scopes',
  path: '/address-scopes',
  title: 'AddressScope',
  attributes: {
    id: idAttribute,
    name: attribute(text(255), { post: true, put: true, default: '', filter: true, sort: true }),
    ...ownerAttributes,
    shared: attribute(boolean, { post: true, put: true, default: false, filter: true, sort: true }),
    ip_version: attribute(ipVersion, { post: true, filter: true, sort: true }),
  },
});

export const {
  list: listAddressScopes,
  show: showAddressScope,
  create: createAddressScope,
  update: updateAddressScope,
  remove: deleteAddressScope,
} = resourceOperations(addressScopeResource, { bulk: true });
