import { operation } from '@nestack/kernel/http';
import Type from 'typebox';
import { Any } from './common';

/** Proxies to glance, with which clients of old wait for the image that createImage made. They end with 2.35. */
export const showImageProxy = operation({
  id: 'showImageProxy',
  summary: 'Show an image',
  method: 'GET',
  path: '/images/{image_id}',
  status: 200,
  maxVersion: '2.35',
  response: Type.Object({ image: Type.Record(Type.String(), Any) }),
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

export const imageProxyOperations = [showImageProxy, deleteImageProxy];
