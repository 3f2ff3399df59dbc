import Type from 'typebox';
import { SelfLink, allOf, crudOperations, filters, text, Extensible } from './common';

const PolicyType = Type.String({ maxLength: 255 });
/** Documents that some deployment tools keep in keystone; nothing here reads them. */
export const Policy = Extensible({
  id: Type.String(),
  type: Type.String(),
  blob: Type.String(),
  links: SelfLink,
});
export const policies = crudOperations({
  noun: 'Policy',
  plural: 'Policies',
  key: 'policy',
  collection: 'policies',
  query: filters({ type: text }),
  create: Type.Object({ type: PolicyType, blob: Type.String() }),
  update: Type.Object({ type: Type.Optional(PolicyType), blob: Type.Optional(Type.String()) }, { minProperties: 1 }),
  resource: Policy,
  policies: {
    list: 'identity:list_policies',
    get: 'identity:get_policy',
    create: 'identity:create_policy',
    update: 'identity:update_policy',
    delete: 'identity:delete_policy',
  },
});

export const policyOperations = allOf(policies);
