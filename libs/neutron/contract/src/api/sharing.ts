import { documentedAs, operation } from '@nestack/kernel/http';
import Type from 'typebox';
import { NeutronError } from '../errors';
import { attribute } from './attribute';
import { quoted, text, uuid, type Kind } from './kinds';
import { idAttribute, ownerAttributes, resource, resourceOperations } from './resource';

/** What can be shared by policy, and how. */
export const RBAC_ACTIONS = {
  network: ['access_as_shared', 'access_as_external'],
  security_group: ['access_as_shared'],
  subnetpool: ['access_as_shared'],
  address_scope: ['access_as_shared'],
} as const;
export type RbacObjectType = keyof typeof RBAC_ACTIONS;

const Text = Type.String();
const objectType: Kind<RbacObjectType, typeof Text> = {
  schema: Text,
  parse: (value) => {
    if (typeof value !== 'string' || !Object.hasOwn(RBAC_ACTIONS, value))
      throw NeutronError.InvalidInput({ error_message: `'${quoted(value)}' is not a valid RBAC object type` });
    return value as RbacObjectType;
  },
};

export const rbacPolicyResource = resource({
  name: 'rbac_policy',
  plural: 'rbac_policies',
  path: '/rbac-policies',
  title: 'RbacPolicy',
  attributes: {
    id: idAttribute,
    ...ownerAttributes,
    object_type: attribute(objectType, { post: true, filter: true, sort: true }),
    object_id: attribute(uuid, { post: true, filter: true, sort: true }),
    action: attribute(text(255), { post: true, filter: true, sort: true }),
    target_tenant: attribute(text(255), { post: true, put: true, filter: true, sort: true }),
  },
});

export const {
  list: listRbacPolicies,
  show: showRbacPolicy,
  create: createRbacPolicy,
  update: updateRbacPolicy,
  remove: deleteRbacPolicy,
} = resourceOperations(rbacPolicyResource, { bulk: true });

/** Collections whose members carry tags, by their path; each has the same operations. */
export const TAGGED = [
  'networks',
  'subnets',
  'ports',
  'subnetpools',
  'routers',
  'floatingips',
  'security-groups',
] as const;
export type TaggedCollection = (typeof TAGGED)[number];

const PARENT: Readonly<Record<TaggedCollection, string>> = {
  networks: 'network_id',
  subnets: 'subnet_id',
  ports: 'port_id',
  subnetpools: 'subnetpool_id',
  routers: 'router_id',
  floatingips: 'floatingip_id',
  'security-groups': 'security_group_id',
};

const Tags = Type.Object({ tags: Type.Array(Type.String()) });
const TagsBody = documentedAs(
  Type.Object({ tags: Type.Unknown() }, { additionalProperties: true }),
  // Empty ones too. upstream: neutron/extensions/tagging.py, validate_tags
  Type.Object({ tags: Type.Array(Type.String({ maxLength: 255 })) }, { additionalProperties: true }),
);

function tagOperations(collection: TaggedCollection) {
  const path = `/${collection}/{${PARENT[collection]}}/tags`;
  const title = collection.replaceAll(/(^|-)(\w)/g, (_, __, letter: string) => letter.toUpperCase());
  return {
    list: operation({
      id: `list${title}Tags`,
      summary: `Lists the tags of one of the ${collection}`,
      method: 'GET',
      path,
      response: Tags,
      status: 200,
    }),
    replace: operation({
      id: `replace${title}Tags`,
      summary: `Replaces the tags of one of the ${collection}`,
      method: 'PUT',
      path,
      body: TagsBody,
      response: Tags,
      status: 200,
    }),
    add: operation({
      id: `add${title}Tags`,
      summary: `Adds tags to one of the ${collection}`,
      method: 'POST',
      path,
      body: TagsBody,
      response: Tags,
      status: 201,
    }),
    clear: operation({
      id: `clear${title}Tags`,
      summary: `Removes all tags of one of the ${collection}`,
      method: 'DELETE',
      path,
      status: 204,
    }),
    check: operation({
      id: `check${title}Tag`,
      summary: `Checks for a tag of one of the ${collection}`,
      method: 'GET',
      path: `${path}/{tag}`,
      status: 204,
    }),
    put: operation({
      id: `put${title}Tag`,
      summary: `Tags one of the ${collection}`,
      method: 'PUT',
      path: `${path}/{tag}`,
      status: 201,
    }),
    remove: operation({
      id: `remove${title}Tag`,
      summary: `Removes a tag of one of the ${collection}`,
      method: 'DELETE',
      path: `${path}/{tag}`,
      status: 204,
    }),
  };
}

export const tagOperationsOf = Object.fromEntries(TAGGED.map((one) => [one, tagOperations(one)])) as Record<
  TaggedCollection,
  ReturnType<typeof tagOperations>
>;

/** The path parameter that names a collection's member. */
export function tagParent(collection: TaggedCollection): string {
  return PARENT[collection];
}
