import { operation } from '@nestack/kernel/http';
import Type from 'typebox';
import { Any, Links, Metadata, Strict } from './common';

/** Glance's images in nova's older words; they end with 2.35, their metadata with 2.38. upstream: compute/{images,image_metadata}.py */
const Image = Type.Record(Type.String(), Any);
const page = { images_links: Type.Optional(Links) };

export const listImageProxies = operation({
  id: 'listImageProxies',
  summary: 'List images',
  method: 'GET',
  path: '/images',
  status: 200,
  maxVersion: '2.35',
  response: Type.Object({ images: Type.Array(Image), ...page }),
  errors: ['BadRequest'],
});
export const listImageProxiesDetail = operation({
  id: 'listImageProxiesDetail',
  summary: 'List images with details',
  method: 'GET',
  path: '/images/detail',
  status: 200,
  maxVersion: '2.35',
  response: Type.Object({ images: Type.Array(Image), ...page }),
  errors: ['BadRequest'],
});
export const showImageProxy = operation({
  id: 'showImageProxy',
  summary: 'Show an image',
  method: 'GET',
  path: '/images/{image_id}',
  status: 200,
  maxVersion: '2.35',
  response: Type.Object({ image: Image }),
  errors: ['ImageNotFoundApi'],
});
export const deleteImageProxy = operation({
  id: 'deleteImageProxy',
  summary: 'Delete an image',
  method: 'DELETE',
  path: '/images/{image_id}',
  status: 204,
  maxVersion: '2.35',
  errors: ['ImageNotFoundApi'],
});

const metadata = '/images/{image_id}/metadata';
const item = `${metadata}/{key}`;
const maxVersion = '2.38';
const MetadataBody = Strict({ metadata: Metadata });
const MetadataResponse = Type.Object({ metadata: Type.Record(Type.String(), Any) });
const ItemResponse = Type.Object({ meta: Type.Record(Type.String(), Any) });
const errors = ['ImageNotFoundApi', 'MetadataLimitExceeded'];

export const listImageMetadata = operation({
  id: 'listImageMetadata',
  summary: 'List metadata of an image',
  method: 'GET',
  path: metadata,
  status: 200,
  maxVersion,
  response: MetadataResponse,
  errors,
});
export const createImageMetadata = operation({
  id: 'createImageMetadata',
  summary: 'Create or update metadata of an image',
  method: 'POST',
  path: metadata,
  status: 200,
  maxVersion,
  body: MetadataBody,
  response: MetadataResponse,
  errors,
});
export const replaceImageMetadata = operation({
  id: 'replaceImageMetadata',
  summary: 'Replace metadata of an image',
  method: 'PUT',
  path: metadata,
  status: 200,
  maxVersion,
  body: MetadataBody,
  response: MetadataResponse,
  errors,
});
export const showImageMetadataItem = operation({
  id: 'showImageMetadataItem',
  summary: 'Show a metadata item of an image',
  method: 'GET',
  path: item,
  status: 200,
  maxVersion,
  response: ItemResponse,
  errors,
});
export const updateImageMetadataItem = operation({
  id: 'updateImageMetadataItem',
  summary: 'Set a metadata item of an image',
  method: 'PUT',
  path: item,
  status: 200,
  maxVersion,
  body: Strict({ meta: Metadata }),
  response: ItemResponse,
  errors,
});
export const deleteImageMetadataItem = operation({
  id: 'deleteImageMetadataItem',
  summary: 'Delete a metadata item of an image',
  method: 'DELETE',
  path: item,
  status: 204,
  maxVersion,
  errors,
});

export const imageProxyOperations = [
  listImageProxies,
  listImageProxiesDetail,
  showImageProxy,
  deleteImageProxy,
  listImageMetadata,
  createImageMetadata,
  replaceImageMetadata,
  showImageMetadataItem,
  updateImageMetadataItem,
  deleteImageMetadataItem,
];
