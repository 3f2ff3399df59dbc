import { defineApi, glanceEnvelope, operation, type Operation } from '@nestack/kernel/http';
import { GlanceError } from './errors';
import Type from 'typebox';
import { ImageView, MEMBER_STATUSES, MemberView, writableImage } from './image';
import { metadefOperations } from './metadef-api';
import { versionsDocument } from './versions';

const Paged = { first: Type.String(), schema: Type.String(), next: Type.Optional(Type.String()) };

const Text = Type.String();
const MaybeText = Type.Union([Text, Type.Null()]);
const TaskView = Type.Object({
  id: Text,
  type: Text,
  status: Text,
  owner: MaybeText,
  message: MaybeText,
  input: Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.Null()]),
  result: Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.Null()]),
  image_id: MaybeText,
  request_id: MaybeText,
  user_id: MaybeText,
  expires_at: MaybeText,
  created_at: Text,
  updated_at: Text,
  self: Text,
  schema: Text,
});
/** A JSON schema of the service's own. */
const SchemaView = Type.Object(
  { name: Text, properties: Type.Record(Type.String(), Type.Unknown()) },
  { additionalProperties: true },
);

export const listImages = operation({
  id: 'listImages',
  summary: 'Lists images',
  method: 'GET',
  path: '/images',
  response: Type.Object({ images: Type.Array(ImageView), ...Paged }),
  status: 200,
  policy: 'get_images',
});
export const createImage = operation({
  id: 'createImage',
  summary: 'Creates an image, as yet without data',
  method: 'POST',
  path: '/images',
  body: Type.Object(writableImage, { additionalProperties: Type.String() }),
  response: ImageView,
  status: 201,
});
export const showImage = operation({
  id: 'showImage',
  summary: 'Shows an image',
  method: 'GET',
  path: '/images/{image_id}',
  response: ImageView,
  status: 200,
});
export const updateImage = operation({
  id: 'updateImage',
  summary: 'Updates an image by a JSON patch',
  method: 'PATCH',
  path: '/images/{image_id}',
  body: Type.Unknown(),
  bodyType: 'patch',
  response: ImageView,
  status: 200,
});
export const deleteImage = operation({
  id: 'deleteImage',
  summary: 'Deletes an image',
  method: 'DELETE',
  path: '/images/{image_id}',
  status: 204,
});
export const deactivateImage = operation({
  id: 'deactivateImage',
  summary: 'Forbids downloads of an image',
  method: 'POST',
  path: '/images/{image_id}/actions/deactivate',
  status: 204,
});
export const reactivateImage = operation({
  id: 'reactivateImage',
  summary: 'Allows downloads of an image again',
  method: 'POST',
  path: '/images/{image_id}/actions/reactivate',
  status: 204,
});
export const uploadImageFile = operation({
  id: 'uploadImageFile',
  summary: 'Uploads the data of an image',
  method: 'PUT',
  path: '/images/{image_id}/file',
  bodyType: 'raw',
  status: 204,
});
export const downloadImageFile = operation({
  id: 'downloadImageFile',
  summary: 'Downloads the data of an image',
  method: 'GET',
  path: '/images/{image_id}/file',
  responseType: 'application/octet-stream',
  status: [200, 204, 206],
});
export const stageImageFile = operation({
  id: 'stageImageFile',
  summary: 'Uploads data that an import will take',
  method: 'PUT',
  path: '/images/{image_id}/stage',
  bodyType: 'raw',
  status: 204,
});
export const importImage = operation({
  id: 'importImage',
  summary: 'Imports the data of an image',
  method: 'POST',
  path: '/images/{image_id}/import',
  body: Type.Object({
    method: Type.Object({ name: Type.String(), uri: Type.Optional(Type.String()) }, { additionalProperties: true }),
    stores: Type.Optional(Type.Array(Type.String())),
    all_stores: Type.Optional(Type.Boolean()),
    all_stores_must_succeed: Type.Optional(Type.Boolean()),
  }),
  status: 202,
});
export const listImageTasks = operation({
  id: 'listImageTasks',
  summary: 'Lists the tasks of an image',
  method: 'GET',
  path: '/images/{image_id}/tasks',
  response: Type.Object({ tasks: Type.Array(TaskView) }),
  status: 200,
});
export const addTag = operation({
  id: 'addTag',
  summary: 'Tags an image',
  method: 'PUT',
  path: '/images/{image_id}/tags/{tag_value}',
  status: 204,
});
export const removeTag = operation({
  id: 'removeTag',
  summary: 'Removes a tag',
  method: 'DELETE',
  path: '/images/{image_id}/tags/{tag_value}',
  status: 204,
});
export const listMembers = operation({
  id: 'listMembers',
  summary: 'Lists with whom an image is shared',
  method: 'GET',
  path: '/images/{image_id}/members',
  response: Type.Object({ members: Type.Array(MemberView), schema: Type.String() }),
  status: 200,
});
export const showMember = operation({
  id: 'showMember',
  summary: 'Shows one with whom an image is shared',
  method: 'GET',
  path: '/images/{image_id}/members/{member_id}',
  response: MemberView,
  status: 200,
});
export const createMember = operation({
  id: 'createMember',
  summary: 'Shares an image with a project',
  method: 'POST',
  path: '/images/{image_id}/members',
  body: Type.Object({ member: Type.String({ minLength: 1, maxLength: 255 }) }),
  response: MemberView,
  status: 200,
});
export const updateMember = operation({
  id: 'updateMember',
  summary: 'Accepts or rejects a shared image',
  method: 'PUT',
  path: '/images/{image_id}/members/{member_id}',
  body: Type.Object({ status: Type.Enum([...MEMBER_STATUSES]) }),
  response: MemberView,
  status: 200,
});
export const deleteMember = operation({
  id: 'deleteMember',
  summary: 'Stops sharing an image with a project',
  method: 'DELETE',
  path: '/images/{image_id}/members/{member_id}',
  status: 204,
});
export const listTasks = operation({
  id: 'listTasks',
  summary: 'Lists tasks',
  method: 'GET',
  path: '/tasks',
  response: Type.Object({ tasks: Type.Array(TaskView), ...Paged }),
  status: 200,
  policy: 'tasks_api_access',
});
export const showTask = operation({
  id: 'showTask',
  summary: 'Shows a task',
  method: 'GET',
  path: '/tasks/{task_id}',
  response: TaskView,
  status: 200,
  policy: 'tasks_api_access',
});
export const showImportInfo = operation({
  id: 'showImportInfo',
  summary: 'Names the import methods',
  method: 'GET',
  path: '/info/import',
  response: Type.Object({
    'import-methods': Type.Object({ description: Text, type: Text, value: Type.Array(Text) }),
  }),
  status: 200,
});
export const showStores = operation({
  id: 'showStores',
  summary: 'Lists stores',
  method: 'GET',
  path: '/info/stores',
  status: 200,
  errors: ['StoresDisabled'],
});
export const showUsage = operation({
  id: 'showUsage',
  summary: 'Shows limits and usage',
  method: 'GET',
  path: '/info/usage',
  response: Type.Object({ usage: Type.Record(Type.String(), Type.Unknown()) }),
  status: 200,
});
export const showCache = operation({
  id: 'showCache',
  summary: 'Shows the cache',
  method: 'GET',
  path: '/cache',
  status: 200,
  errors: ['CacheDisabled'],
});
export const showSchema = operation({
  id: 'showSchema',
  summary: 'Shows a JSON schema',
  method: 'GET',
  path: '/schemas/{name}',
  response: SchemaView,
  status: 200,
});
export const showMetadefSchema = operation({
  id: 'showMetadefSchema',
  summary: 'Shows a JSON schema of the metadata definitions',
  method: 'GET',
  path: '/schemas/metadefs/{name}',
  response: SchemaView,
  status: 200,
});
const operations: readonly Operation[] = [
  listImages,
  createImage,
  showImage,
  updateImage,
  deleteImage,
  deactivateImage,
  reactivateImage,
  uploadImageFile,
  downloadImageFile,
  stageImageFile,
  importImage,
  listImageTasks,
  addTag,
  removeTag,
  listMembers,
  showMember,
  createMember,
  updateMember,
  deleteMember,
  listTasks,
  showTask,
  showImportInfo,
  showStores,
  showUsage,
  showCache,
  showSchema,
  showMetadefSchema,
  ...metadefOperations,
] as readonly Operation[];

/** Glance's REST API. */
export const glanceApi = defineApi({
  service: 'glance',
  type: 'image',
  title: 'Image service',
  prefixes: ['/v2'],
  envelope: glanceEnvelope,
  errors: GlanceError.declarations,
  operations,
  documents: {
    '/': ({ rootUrl }) => ({ status: 300, body: versionsDocument(rootUrl) }),
    '/versions': ({ rootUrl }) => ({ status: 200, body: versionsDocument(rootUrl) }),
    '/versions/': ({ rootUrl }) => ({ status: 200, body: versionsDocument(rootUrl) }),
    '/v2': ({ rootUrl }) => ({ status: 300, body: versionsDocument(rootUrl) }),
    '/v2/': ({ rootUrl }) => ({ status: 300, body: versionsDocument(rootUrl) }),
    '*': ({ rootUrl }) => ({ status: 300, body: versionsDocument(rootUrl) }),
  },
});
