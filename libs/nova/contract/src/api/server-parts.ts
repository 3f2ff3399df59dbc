import { operation } from '@nestack/kernel/http';
import Type from 'typebox';
import { Any, Links, LooseBoolean, Metadata, Nullable, Strict, Uuid, versions } from './common';
import { OffsetPage, OnePage, OneTime, closed, closedSince275 } from './queries';

const server = '/servers/{server_id}';
const MetadataBody = Strict({ metadata: Metadata });
const MetadataResponse = Type.Object({ metadata: Type.Record(Type.String(), Type.String()) });
const ItemBody = Strict({ meta: Metadata });
const ItemResponse = Type.Object({ meta: Type.Record(Type.String(), Type.String()) });

export const listServerMetadata = operation({
  id: 'listServerMetadata',
  summary: 'List metadata',
  method: 'GET',
  path: `${server}/metadata`,
  status: 200,
  response: MetadataResponse,
  policy: 'os_compute_api:server-metadata:index',
});
export const createServerMetadata = operation({
  id: 'createServerMetadata',
  summary: 'Create or update metadata',
  method: 'POST',
  path: `${server}/metadata`,
  status: 200,
  body: MetadataBody,
  response: MetadataResponse,
  policy: 'os_compute_api:server-metadata:create',
});
export const replaceServerMetadata = operation({
  id: 'replaceServerMetadata',
  summary: 'Replace metadata',
  method: 'PUT',
  path: `${server}/metadata`,
  status: 200,
  body: MetadataBody,
  response: MetadataResponse,
  policy: 'os_compute_api:server-metadata:update_all',
});
export const showServerMetadataItem = operation({
  id: 'showServerMetadataItem',
  summary: 'Show a metadata item',
  method: 'GET',
  path: `${server}/metadata/{key}`,
  status: 200,
  response: ItemResponse,
  policy: 'os_compute_api:server-metadata:show',
});
export const updateServerMetadataItem = operation({
  id: 'updateServerMetadataItem',
  summary: 'Set a metadata item',
  method: 'PUT',
  path: `${server}/metadata/{key}`,
  status: 200,
  body: ItemBody,
  response: ItemResponse,
  policy: 'os_compute_api:server-metadata:update',
});
export const deleteServerMetadataItem = operation({
  id: 'deleteServerMetadataItem',
  summary: 'Delete a metadata item',
  method: 'DELETE',
  path: `${server}/metadata/{key}`,
  status: 204,
  policy: 'os_compute_api:server-metadata:delete',
});

const Addresses = Type.Record(Type.String(), Type.Array(Type.Object({ addr: Type.String(), version: Type.Integer() })));
export const listServerIps = operation({
  id: 'listServerIps',
  summary: 'List addresses',
  method: 'GET',
  path: `${server}/ips`,
  status: 200,
  response: Type.Object({ addresses: Addresses }),
  policy: 'os_compute_api:ips:index',
});
export const showServerIps = operation({
  id: 'showServerIps',
  summary: 'List addresses of a network',
  method: 'GET',
  path: `${server}/ips/{network_label}`,
  status: 200,
  response: Addresses,
  policy: 'os_compute_api:ips:show',
});

const Tag = Type.String({ minLength: 1, maxLength: 60, pattern: '^[^,/]*$' });
const Tags = Type.Object({ tags: Type.Array(Type.String()) });
export const listServerTags = operation({
  id: 'listServerTags',
  summary: 'List tags',
  method: 'GET',
  path: `${server}/tags`,
  status: 200,
  minVersion: '2.26',
  response: Tags,
  policy: 'os_compute_api:os-server-tags:index',
});
export const replaceServerTags = operation({
  id: 'replaceServerTags',
  summary: 'Replace tags',
  method: 'PUT',
  path: `${server}/tags`,
  status: 200,
  minVersion: '2.26',
  body: Strict({ tags: Type.Array(Tag, { maxItems: 50 }) }),
  response: Tags,
  policy: 'os_compute_api:os-server-tags:update_all',
});
export const deleteServerTags = operation({
  id: 'deleteServerTags',
  summary: 'Delete all tags',
  method: 'DELETE',
  path: `${server}/tags`,
  status: 204,
  minVersion: '2.26',
  policy: 'os_compute_api:os-server-tags:delete_all',
});
export const checkServerTag = operation({
  id: 'checkServerTag',
  summary: 'Check a tag',
  method: 'GET',
  path: `${server}/tags/{tag}`,
  status: 204,
  minVersion: '2.26',
  policy: 'os_compute_api:os-server-tags:show',
});
export const addServerTag = operation({
  id: 'addServerTag',
  summary: 'Add a tag',
  method: 'PUT',
  path: `${server}/tags/{tag}`,
  status: [201, 204],
  minVersion: '2.26',
  policy: 'os_compute_api:os-server-tags:update',
});
export const deleteServerTag = operation({
  id: 'deleteServerTag',
  summary: 'Delete a tag',
  method: 'DELETE',
  path: `${server}/tags/{tag}`,
  status: 204,
  minVersion: '2.26',
  policy: 'os_compute_api:os-server-tags:delete',
});

export const listInstanceActions = operation({
  id: 'listInstanceActions',
  summary: 'List actions',
  method: 'GET',
  path: `${server}/os-instance-actions`,
  status: 200,
  query: [
    closed('2.58', { ...OnePage, 'changes-since': OneTime }),
    closed('2.66', { ...OnePage, 'changes-since': OneTime, 'changes-before': OneTime }),
  ],
  response: Type.Object({ instanceActions: Type.Array(Type.Record(Type.String(), Any)), links: Type.Optional(Links) }),
  policy: 'os_compute_api:os-instance-actions:list',
});
export const showInstanceAction = operation({
  id: 'showInstanceAction',
  summary: 'Show an action',
  method: 'GET',
  path: `${server}/os-instance-actions/{request_id}`,
  status: 200,
  response: Type.Object({ instanceAction: Type.Record(Type.String(), Any) }),
  policy: 'os_compute_api:os-instance-actions:show',
});

export const showDiagnostics = operation({
  id: 'showDiagnostics',
  summary: 'Show diagnostics',
  method: 'GET',
  path: `${server}/diagnostics`,
  status: 200,
  response: Type.Record(Type.String(), Any),
  policy: 'os_compute_api:os-server-diagnostics',
  errors: ['InstanceNotFound', 'InstanceInvalidState'],
});
export const showServerTopology = operation({
  id: 'showServerTopology',
  summary: 'Show the NUMA topology of a server',
  method: 'GET',
  path: `${server}/topology`,
  status: 200,
  minVersion: '2.78',
  response: Type.Object({ nodes: Type.Array(Any), pagesize_kb: Nullable(Type.Integer()) }),
  policy: 'compute:server:topology:index',
});
export const showServerPassword = operation({
  id: 'showServerPassword',
  summary: 'Show the password that the guest told, encrypted',
  method: 'GET',
  path: `${server}/os-server-password`,
  status: 200,
  response: Type.Object({ password: Type.String() }),
  policy: 'os_compute_api:os-server-password:show',
});
export const clearServerPassword = operation({
  id: 'clearServerPassword',
  summary: 'Forget the password that the guest told',
  method: 'DELETE',
  path: `${server}/os-server-password`,
  status: 204,
  policy: 'os_compute_api:os-server-password:clear',
});
export const listServerSecurityGroups = operation({
  id: 'listServerSecurityGroups',
  summary: 'List security groups of a server',
  method: 'GET',
  path: `${server}/os-security-groups`,
  status: 200,
  response: Type.Object({ security_groups: Type.Array(Any) }),
  policy: 'os_compute_api:os-security-groups:list',
});

const AttachBase = {
  volumeId: Uuid,
  device: Type.Optional(Nullable(Type.String({ maxLength: 255, pattern: '^/dev/[a-zA-Z0-9-]+$' }))),
};
const VolumeAttachment = Type.Record(Type.String(), Any);
export const listVolumeAttachments = operation({
  id: 'listVolumeAttachments',
  summary: 'List volume attachments',
  method: 'GET',
  path: `${server}/os-volume_attachments`,
  status: 200,
  query: closedSince275(OffsetPage),
  response: Type.Object({ volumeAttachments: Type.Array(VolumeAttachment) }),
  policy: 'os_compute_api:os-volumes-attachments:index',
});
export const createVolumeAttachment = operation({
  id: 'createVolumeAttachment',
  summary: 'Attach a volume',
  method: 'POST',
  path: `${server}/os-volume_attachments`,
  status: 200,
  body: versions<
    Type.TObject<{
      volumeAttachment: Type.TObject<{
        volumeId: Type.TString;
        device: Type.TOptional<Type.TUnion<[Type.TString, Type.TNull]>>;
        tag: Type.TOptional<Type.TString>;
        delete_on_termination: Type.TOptional<Type.TUnknown>;
      }>;
    }>
  >([
    { since: '2.1', schema: Strict({ volumeAttachment: Strict(AttachBase) }) },
    { since: '2.49', schema: Strict({ volumeAttachment: Strict({ ...AttachBase, tag: Type.Optional(Tag) }) }) },
    {
      since: '2.79',
      schema: Strict({
        volumeAttachment: Strict({
          ...AttachBase,
          tag: Type.Optional(Tag),
          delete_on_termination: Type.Optional(LooseBoolean),
        }),
      }),
    },
  ]),
  response: Type.Object({ volumeAttachment: VolumeAttachment }),
  policy: 'os_compute_api:os-volumes-attachments:create',
  errors: ['InstanceNotFound', 'VolumeNotFound', 'InvalidVolume', 'DevicePathInUse', 'InstanceInvalidState'],
});
const UpdatedAttachment = {
  ...AttachBase,
  tag: Type.Optional(Tag),
  delete_on_termination: Type.Optional(LooseBoolean),
  serverId: Type.Optional(Uuid),
  id: Type.Optional(Uuid),
};
/** Another volume in place of this one, for operators; from 2.85 on also what becomes of the volume with its server. */
export const updateVolumeAttachment = operation({
  id: 'updateVolumeAttachment',
  summary: 'Update a volume attachment',
  method: 'PUT',
  path: `${server}/os-volume_attachments/{volume_id}`,
  status: 202,
  body: versions<Type.TObject<{ volumeAttachment: Type.TObject }>>([
    { since: '2.1', schema: Strict({ volumeAttachment: Strict({ volumeId: Uuid }) }) },
    { since: '2.85', schema: Strict({ volumeAttachment: Strict(UpdatedAttachment) }) },
  ]),
  policy: 'os_compute_api:os-volumes-attachments:update',
  errors: ['VolumeBdmNotFound', 'VolumeNotFound', 'InvalidVolume', 'InstanceIsLocked', 'InstanceInvalidState'],
});
export const showVolumeAttachment = operation({
  id: 'showVolumeAttachment',
  summary: 'Show a volume attachment',
  method: 'GET',
  path: `${server}/os-volume_attachments/{volume_id}`,
  status: 200,
  response: Type.Object({ volumeAttachment: VolumeAttachment }),
  policy: 'os_compute_api:os-volumes-attachments:show',
});
export const deleteVolumeAttachment = operation({
  id: 'deleteVolumeAttachment',
  summary: 'Detach a volume',
  method: 'DELETE',
  path: `${server}/os-volume_attachments/{volume_id}`,
  status: 202,
  policy: 'os_compute_api:os-volumes-attachments:delete',
  errors: ['VolumeAttachmentNotFound', 'VolumeIsDetaching', 'VolumeIsRoot'],
});

const InterfaceFields = {
  net_id: Type.Optional(Uuid),
  port_id: Type.Optional(Uuid),
  fixed_ips: Type.Optional(
    Type.Array(Strict({ ip_address: Type.String({ format: 'ip' }), subnet_id: Type.Optional(Type.String()) }), {
      minItems: 1,
      maxItems: 1,
    }),
  ),
};
const InterfaceAttachment = Type.Record(Type.String(), Any);
export const listInterfaces = operation({
  id: 'listInterfaces',
  summary: 'List interfaces',
  method: 'GET',
  path: `${server}/os-interface`,
  status: 200,
  response: Type.Object({ interfaceAttachments: Type.Array(InterfaceAttachment) }),
  policy: 'os_compute_api:os-attach-interfaces:list',
});
export const createInterface = operation({
  id: 'createInterface',
  summary: 'Attach an interface',
  method: 'POST',
  path: `${server}/os-interface`,
  status: 200,
  body: versions<
    Type.TObject<{
      interfaceAttachment: Type.TOptional<Type.TObject<typeof InterfaceFields & { tag: Type.TOptional<Type.TString> }>>;
    }>
  >([
    { since: '2.1', schema: Strict({ interfaceAttachment: Type.Optional(Strict(InterfaceFields)) }) },
    {
      since: '2.49',
      schema: Strict({
        interfaceAttachment: Type.Optional(Strict({ ...InterfaceFields, tag: Type.Optional(Tag) })),
      }),
    },
  ]),
  response: Type.Object({ interfaceAttachment: InterfaceAttachment }),
  policy: 'os_compute_api:os-attach-interfaces:create',
});
export const showInterface = operation({
  id: 'showInterface',
  summary: 'Show an interface',
  method: 'GET',
  path: `${server}/os-interface/{port_id}`,
  status: 200,
  response: Type.Object({ interfaceAttachment: InterfaceAttachment }),
  policy: 'os_compute_api:os-attach-interfaces:show',
});
export const deleteInterface = operation({
  id: 'deleteInterface',
  summary: 'Detach an interface',
  method: 'DELETE',
  path: `${server}/os-interface/{port_id}`,
  status: 202,
  policy: 'os_compute_api:os-attach-interfaces:delete',
});

export const serverPartOperations = [
  listServerMetadata,
  createServerMetadata,
  replaceServerMetadata,
  showServerMetadataItem,
  updateServerMetadataItem,
  deleteServerMetadataItem,
  listServerIps,
  showServerIps,
  listServerTags,
  replaceServerTags,
  deleteServerTags,
  checkServerTag,
  addServerTag,
  deleteServerTag,
  listInstanceActions,
  showInstanceAction,
  showDiagnostics,
  showServerTopology,
  showServerPassword,
  clearServerPassword,
  listServerSecurityGroups,
  listVolumeAttachments,
  createVolumeAttachment,
  showVolumeAttachment,
  updateVolumeAttachment,
  deleteVolumeAttachment,
  listInterfaces,
  createInterface,
  showInterface,
  deleteInterface,
];
