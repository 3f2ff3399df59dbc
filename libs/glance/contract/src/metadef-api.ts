import { operation, type Operation } from '@nestack/kernel/http';
import Type from 'typebox';
import {
  MetadefAssociationBody,
  MetadefAssociationView,
  MetadefNamedProperty,
  MetadefNamespaceBody,
  MetadefNamespaceView,
  MetadefObjectBody,
  MetadefObjectView,
  MetadefPropertyBody,
  MetadefResourceTypeView,
  MetadefTagBody,
  MetadefTagList,
  MetadefTagsBody,
  MetadefTagView,
} from './metadef';

const NAMESPACES = '/metadefs/namespaces';
const NAMESPACE = `${NAMESPACES}/{namespace_name}`;

export const listNamespaces = operation({
  id: 'listNamespaces',
  summary: 'Lists namespaces of metadata definitions',
  method: 'GET',
  path: NAMESPACES,
  response: Type.Object({
    namespaces: Type.Array(MetadefNamespaceView),
    first: Type.String(),
    next: Type.Optional(Type.String()),
    schema: Type.String(),
  }),
  status: 200,
  policy: 'get_metadef_namespaces',
});
export const createNamespace = operation({
  id: 'createNamespace',
  summary: 'Creates a namespace of metadata definitions, with what it holds',
  method: 'POST',
  path: NAMESPACES,
  body: MetadefNamespaceBody,
  response: MetadefNamespaceView,
  status: 201,
});
export const showNamespace = operation({
  id: 'showNamespace',
  summary: 'Shows a namespace with all that it holds',
  method: 'GET',
  path: NAMESPACE,
  response: MetadefNamespaceView,
  status: 200,
});
export const updateNamespace = operation({
  id: 'updateNamespace',
  summary: 'Changes a namespace',
  method: 'PUT',
  path: NAMESPACE,
  body: MetadefNamespaceBody,
  response: MetadefNamespaceView,
  status: 200,
});
export const deleteNamespace = operation({
  id: 'deleteNamespace',
  summary: 'Deletes a namespace with all that it holds',
  method: 'DELETE',
  path: NAMESPACE,
  status: 204,
});

export const listMetadefObjects = operation({
  id: 'listMetadefObjects',
  summary: 'Lists the objects of a namespace',
  method: 'GET',
  path: `${NAMESPACE}/objects`,
  response: Type.Object({ objects: Type.Array(MetadefObjectView), schema: Type.String() }),
  status: 200,
});
export const createMetadefObject = operation({
  id: 'createMetadefObject',
  summary: 'Creates an object in a namespace',
  method: 'POST',
  path: `${NAMESPACE}/objects`,
  body: MetadefObjectBody,
  response: MetadefObjectView,
  status: 201,
});
export const deleteMetadefObjects = operation({
  id: 'deleteMetadefObjects',
  summary: 'Deletes all objects of a namespace',
  method: 'DELETE',
  path: `${NAMESPACE}/objects`,
  status: 204,
});
export const showMetadefObject = operation({
  id: 'showMetadefObject',
  summary: 'Shows an object of a namespace',
  method: 'GET',
  path: `${NAMESPACE}/objects/{object_name}`,
  response: MetadefObjectView,
  status: 200,
});
export const updateMetadefObject = operation({
  id: 'updateMetadefObject',
  summary: 'Changes an object of a namespace',
  method: 'PUT',
  path: `${NAMESPACE}/objects/{object_name}`,
  body: MetadefObjectBody,
  response: MetadefObjectView,
  status: 200,
});
export const deleteMetadefObject = operation({
  id: 'deleteMetadefObject',
  summary: 'Deletes an object of a namespace',
  method: 'DELETE',
  path: `${NAMESPACE}/objects/{object_name}`,
  status: 204,
});

export const listMetadefProperties = operation({
  id: 'listMetadefProperties',
  summary: 'Lists the properties of a namespace',
  method: 'GET',
  path: `${NAMESPACE}/properties`,
  response: Type.Object({ properties: Type.Record(Type.String(), MetadefPropertyBody) }),
  status: 200,
});
export const createMetadefProperty = operation({
  id: 'createMetadefProperty',
  summary: 'Creates a property in a namespace',
  method: 'POST',
  path: `${NAMESPACE}/properties`,
  body: MetadefNamedProperty,
  response: MetadefPropertyBody,
  status: 201,
});
export const deleteMetadefProperties = operation({
  id: 'deleteMetadefProperties',
  summary: 'Deletes all properties of a namespace',
  method: 'DELETE',
  path: `${NAMESPACE}/properties`,
  status: 204,
});
export const showMetadefProperty = operation({
  id: 'showMetadefProperty',
  summary: 'Shows a property of a namespace',
  method: 'GET',
  path: `${NAMESPACE}/properties/{property_name}`,
  response: MetadefPropertyBody,
  status: 200,
});
export const updateMetadefProperty = operation({
  id: 'updateMetadefProperty',
  summary: 'Changes a property of a namespace',
  method: 'PUT',
  path: `${NAMESPACE}/properties/{property_name}`,
  body: MetadefNamedProperty,
  response: MetadefPropertyBody,
  status: 200,
});
export const deleteMetadefProperty = operation({
  id: 'deleteMetadefProperty',
  summary: 'Deletes a property of a namespace',
  method: 'DELETE',
  path: `${NAMESPACE}/properties/{property_name}`,
  status: 204,
});

export const listMetadefTags = operation({
  id: 'listMetadefTags',
  summary: 'Lists the tags of a namespace',
  method: 'GET',
  path: `${NAMESPACE}/tags`,
  response: MetadefTagList,
  status: 200,
});
export const createMetadefTags = operation({
  id: 'createMetadefTags',
  summary: 'Gives a namespace other tags, or further ones',
  method: 'POST',
  path: `${NAMESPACE}/tags`,
  body: MetadefTagsBody,
  response: MetadefTagList,
  status: 201,
});
export const deleteMetadefTags = operation({
  id: 'deleteMetadefTags',
  summary: 'Deletes all tags of a namespace',
  method: 'DELETE',
  path: `${NAMESPACE}/tags`,
  status: 204,
});
export const showMetadefTag = operation({
  id: 'showMetadefTag',
  summary: 'Shows a tag of a namespace',
  method: 'GET',
  path: `${NAMESPACE}/tags/{tag_name}`,
  response: MetadefTagView,
  status: 200,
});
export const createMetadefTag = operation({
  id: 'createMetadefTag',
  summary: 'Creates a tag in a namespace',
  method: 'POST',
  path: `${NAMESPACE}/tags/{tag_name}`,
  response: MetadefTagView,
  status: 201,
});
export const updateMetadefTag = operation({
  id: 'updateMetadefTag',
  summary: 'Renames a tag of a namespace',
  method: 'PUT',
  path: `${NAMESPACE}/tags/{tag_name}`,
  body: MetadefTagBody,
  response: MetadefTagView,
  status: 200,
});
export const deleteMetadefTag = operation({
  id: 'deleteMetadefTag',
  summary: 'Deletes a tag of a namespace',
  method: 'DELETE',
  path: `${NAMESPACE}/tags/{tag_name}`,
  status: 204,
});

export const listResourceTypes = operation({
  id: 'listResourceTypes',
  summary: 'Lists resource types of metadata definitions',
  method: 'GET',
  path: '/metadefs/resource_types',
  response: Type.Object({ resource_types: Type.Array(MetadefResourceTypeView) }),
  status: 200,
});
export const listResourceTypeAssociations = operation({
  id: 'listResourceTypeAssociations',
  summary: 'Lists the resource types that a namespace is for',
  method: 'GET',
  path: `${NAMESPACE}/resource_types`,
  response: Type.Object({ resource_type_associations: Type.Array(MetadefAssociationView) }),
  status: 200,
});
export const createResourceTypeAssociation = operation({
  id: 'createResourceTypeAssociation',
  summary: 'Says that a namespace is for a resource type',
  method: 'POST',
  path: `${NAMESPACE}/resource_types`,
  body: MetadefAssociationBody,
  response: MetadefAssociationView,
  status: 201,
});
export const deleteResourceTypeAssociation = operation({
  id: 'deleteResourceTypeAssociation',
  summary: 'Says that a namespace is not for a resource type',
  method: 'DELETE',
  path: `${NAMESPACE}/resource_types/{resource_type_name}`,
  status: 204,
});

/** The catalogue of metadata definitions. */
export const metadefOperations = [
  listNamespaces,
  createNamespace,
  showNamespace,
  updateNamespace,
  deleteNamespace,
  listMetadefObjects,
  createMetadefObject,
  deleteMetadefObjects,
  showMetadefObject,
  updateMetadefObject,
  deleteMetadefObject,
  listMetadefProperties,
  createMetadefProperty,
  deleteMetadefProperties,
  showMetadefProperty,
  updateMetadefProperty,
  deleteMetadefProperty,
  listMetadefTags,
  createMetadefTags,
  deleteMetadefTags,
  showMetadefTag,
  createMetadefTag,
  updateMetadefTag,
  deleteMetadefTag,
  listResourceTypes,
  listResourceTypeAssociations,
  createResourceTypeAssociation,
  deleteResourceTypeAssociation,
] as readonly Operation[];
