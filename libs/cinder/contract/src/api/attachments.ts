import { operation } from '@nestack/kernel/http';
import Type from 'typebox';
import { NullableRef } from './common';
import { AttachmentsResponse, RemainingAttachmentsResponse, attachmentsDetailResponse } from './views';

const minVersion = '3.27';
const Connector = Type.Record(Type.String(), Type.Unknown());
const Nullable = { type: ['string', 'null'] } as const;

/** An attachment with its connection; `connection_info` is flat, see `connectionInfoOf`. */
export const AttachmentView = Type.Object({
  id: Type.String(),
  status: Type.String(),
  instance: Type.Unsafe<string | null>(Nullable),
  volume_id: Type.String(),
  attached_at: Type.Unsafe<string | null>(Nullable),
  detached_at: Type.Unsafe<string | null>(Nullable),
  attach_mode: Type.Unsafe<string | null>(Nullable),
  connection_info: Type.Record(Type.String(), Type.Unknown()),
});

export const listAttachments = operation({
  id: 'listAttachments',
  summary: 'Lists attachments',
  method: 'GET',
  path: '/attachments',
  minVersion,
  response: AttachmentsResponse,
  status: 200,
});
export const listAttachmentsDetail = operation({
  id: 'listAttachmentsDetail',
  summary: 'Lists attachments with details',
  method: 'GET',
  path: '/attachments/detail',
  minVersion,
  response: attachmentsDetailResponse(AttachmentView),
  status: 200,
});
export const createAttachment = operation({
  id: 'createAttachment',
  summary: 'Reserves a volume for a server, and connects it when a connector is given',
  method: 'POST',
  path: '/attachments',
  minVersion,
  body: Type.Object({
    attachment: Type.Object({
      volume_uuid: Type.String(),
      instance_uuid: Type.Optional(NullableRef),
      connector: Type.Optional(Type.Union([Connector, Type.Null()])),
      mode: Type.Optional(NullableRef),
    }),
  }),
  response: Type.Object({ attachment: AttachmentView }),
  status: 200,
  policy: 'volume:attachment_create',
});
export const showAttachment = operation({
  id: 'showAttachment',
  summary: 'Shows an attachment',
  method: 'GET',
  path: '/attachments/{attachment_id}',
  minVersion,
  response: Type.Object({ attachment: AttachmentView }),
  status: 200,
});
export const updateAttachment = operation({
  id: 'updateAttachment',
  summary: 'Connects an attachment to a host',
  method: 'PUT',
  path: '/attachments/{attachment_id}',
  minVersion,
  body: Type.Object({
    attachment: Type.Object({ connector: Connector, mode: Type.Optional(NullableRef) }),
  }),
  response: Type.Object({ attachment: AttachmentView }),
  status: 200,
});
export const deleteAttachment = operation({
  id: 'deleteAttachment',
  summary: 'Ends an attachment',
  method: 'DELETE',
  path: '/attachments/{attachment_id}',
  minVersion,
  response: RemainingAttachmentsResponse,
  status: 200,
});
export const completeAttachment = operation({
  id: 'completeAttachment',
  summary: 'Says that the server has the volume',
  method: 'POST',
  path: '/attachments/{attachment_id}/action',
  action: 'os-complete',
  minVersion: '3.44',
  body: Type.Object({ 'os-complete': Type.Union([Type.Null(), Type.Object({}), Type.String()]) }),
  status: 204,
});

export const attachmentOperations = [
  listAttachments,
  listAttachmentsDetail,
  createAttachment,
  showAttachment,
  updateAttachment,
  deleteAttachment,
  completeAttachment,
];
