import { operation } from '@nestack/kernel/http';
import Type from 'typebox';
import { CUSTOM_NAME } from '../names';

const strict = { additionalProperties: false } as const;

export const ResourceClassView = Type.Object({
  name: Type.String(),
  links: Type.Array(Type.Object({ rel: Type.String(), href: Type.String() })),
});
const NameBody = Type.Object({ name: Type.String({ pattern: CUSTOM_NAME, maxLength: 255 }) }, strict);

export const listResourceClasses = operation({
  id: 'listResourceClasses',
  summary: 'Lists resource classes',
  method: 'GET',
  path: '/resource_classes',
  minVersion: '1.2',
  response: Type.Object({ resource_classes: Type.Array(ResourceClassView) }),
  status: 200,
  policy: 'placement:resource_classes:list',
});

export const createResourceClass = operation({
  id: 'createResourceClass',
  summary: 'Creates a resource class',
  method: 'POST',
  path: '/resource_classes',
  minVersion: '1.2',
  body: NameBody,
  status: 201,
  policy: 'placement:resource_classes:create',
});

export const showResourceClass = operation({
  id: 'showResourceClass',
  summary: 'Shows a resource class',
  method: 'GET',
  path: '/resource_classes/{name}',
  minVersion: '1.2',
  response: ResourceClassView,
  status: 200,
  policy: 'placement:resource_classes:show',
});

export const renameResourceClass = operation({
  id: 'renameResourceClass',
  summary: 'Renames a resource class',
  method: 'PUT',
  path: '/resource_classes/{name}',
  minVersion: '1.2',
  maxVersion: '1.6',
  body: NameBody,
  response: ResourceClassView,
  status: 200,
  policy: 'placement:resource_classes:update',
});

export const ensureResourceClass = operation({
  id: 'ensureResourceClass',
  summary: 'Creates a resource class unless it is there',
  method: 'PUT',
  path: '/resource_classes/{name}',
  minVersion: '1.7',
  status: [204, 201],
  policy: 'placement:resource_classes:update',
});

export const deleteResourceClass = operation({
  id: 'deleteResourceClass',
  summary: 'Deletes a resource class',
  method: 'DELETE',
  path: '/resource_classes/{name}',
  minVersion: '1.2',
  status: 204,
  policy: 'placement:resource_classes:delete',
});

export const listTraits = operation({
  id: 'listTraits',
  summary: 'Lists traits',
  method: 'GET',
  path: '/traits',
  minVersion: '1.6',
  query: Type.Object({ name: Type.Optional(Type.String()), associated: Type.Optional(Type.String()) }, strict),
  response: Type.Object({ traits: Type.Array(Type.String()) }),
  status: 200,
  policy: 'placement:traits:list',
});

export const showTrait = operation({
  id: 'showTrait',
  summary: 'Says whether a trait exists',
  method: 'GET',
  path: '/traits/{name}',
  minVersion: '1.6',
  status: 204,
  policy: 'placement:traits:show',
});

export const ensureTrait = operation({
  id: 'ensureTrait',
  summary: 'Creates a trait unless it is there',
  method: 'PUT',
  path: '/traits/{name}',
  minVersion: '1.6',
  status: [204, 201],
  policy: 'placement:traits:update',
});

export const deleteTrait = operation({
  id: 'deleteTrait',
  summary: 'Deletes a trait',
  method: 'DELETE',
  path: '/traits/{name}',
  minVersion: '1.6',
  status: 204,
  policy: 'placement:traits:delete',
});
