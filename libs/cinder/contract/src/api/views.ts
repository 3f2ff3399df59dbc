import Type, { type TProperties, type TSchema } from 'typebox';

/**
 * What answers look like. A field that came with a microversion stands in the row of that version; fields that only
 * administrators see are optional. upstream: cinder/api/v3/views, cinder/api/contrib
 */

const Text = Type.String();
const Id = Type.String();
const MaybeText = Type.Union([Type.String(), Type.Null()]);
const Count = Type.Integer();
const Texts = Type.Record(Type.String(), Type.String());
const Null = Type.Null();
const Optional = Type.Optional;

const Links = Type.Array(Type.Object({ rel: Text, href: Text }));

/** A page of a list: the rows, the link to the next page, and the number of all since 3.45 where it is asked for. */
function page<const Name extends string>(name: Name, row: TSchema): TSchema {
  return Type.Object({
    [name]: Type.Array(row),
    [`${name}_links`]: Optional(Links),
    count: Optional(Count),
  });
}

export interface Row {
  readonly since: string;
  readonly schema: TSchema;
}

/** A row per version that brought fields; each has those of the rows before. */
function grown(steps: readonly (readonly [since: string, fields: TProperties])[]): readonly Row[] {
  let fields: TProperties = {};
  return steps.map(([since, more]) => {
    fields = { ...fields, ...more };
    return { since, schema: Type.Object(fields) };
  });
}

const within = (rows: readonly Row[], wrap: (row: TSchema) => TSchema): readonly Row[] =>
  rows.map(({ since, schema }) => ({ since, schema: wrap(schema) }));

const VolumeFields = {
  id: Id,
  status: Text,
  size: Count,
  availability_zone: MaybeText,
  created_at: Text,
  updated_at: MaybeText,
  name: MaybeText,
  description: MaybeText,
  volume_type: MaybeText,
  snapshot_id: MaybeText,
  source_volid: MaybeText,
  metadata: Texts,
  links: Links,
  user_id: Text,
  bootable: Type.Enum(['true', 'false']),
  encrypted: Type.Boolean(),
  replication_status: MaybeText,
  consistencygroup_id: MaybeText,
  multiattach: Type.Boolean(),
  attachments: Type.Array(
    Type.Object({
      id: Id,
      attachment_id: Id,
      volume_id: Id,
      server_id: MaybeText,
      host_name: MaybeText,
      device: MaybeText,
      attached_at: MaybeText,
    }),
  ),
  migration_status: Optional(MaybeText),
};
const VOLUME_VERSIONS: readonly (readonly [string, TProperties])[] = [
  ['3.13', { group_id: MaybeText }],
  ['3.21', { provider_id: Optional(MaybeText) }],
  ['3.48', { service_uuid: MaybeText, shared_targets: Type.Union([Type.Boolean(), Null]) }],
  ['3.61', { cluster_name: Optional(MaybeText) }],
  ['3.63', { volume_type_id: MaybeText }],
  ['3.64', { encryption_key_id: Optional(MaybeText) }],
  ['3.65', { consumes_quota: Type.Boolean() }],
];
const ReadVolumeFields = {
  ...VolumeFields,
  'os-vol-tenant-attr:tenant_id': Text,
  volume_image_metadata: Optional(Texts),
  'os-vol-host-attr:host': Optional(MaybeText),
  'os-vol-mig-status-attr:migstat': Optional(MaybeText),
  'os-vol-mig-status-attr:name_id': Optional(MaybeText),
};
const changedVolumes = grown([['3.0', VolumeFields], ...VOLUME_VERSIONS]);
const volumes = grown([['3.0', ReadVolumeFields], ...VOLUME_VERSIONS]);

export const ChangedVolumeResponse = within(changedVolumes, (volume) => Type.Object({ volume }));
export const VolumeResponse = within(volumes, (volume) => Type.Object({ volume }));
export const VolumesDetailResponse = within(volumes, (volume) => page('volumes', volume));
export const VolumesResponse = page('volumes', Type.Object({ id: Id, name: MaybeText, links: Links }));
export const VolumesSummaryResponse = within(
  grown([
    ['3.12', { total_count: Count, total_size: Count }],
    ['3.36', { metadata: Type.Record(Type.String(), Type.Array(Type.String())) }],
  ]),
  (summary) => Type.Object({ 'volume-summary': summary }),
);

const SnapshotFields = {
  id: Id,
  name: MaybeText,
  description: MaybeText,
  volume_id: Id,
  status: Text,
  size: Count,
  created_at: Text,
  updated_at: MaybeText,
  metadata: Texts,
};
const SNAPSHOT_VERSIONS: readonly (readonly [string, TProperties])[] = [
  ['3.41', { user_id: MaybeText }],
  ['3.65', { consumes_quota: Type.Boolean() }],
];
const snapshots = grown([['3.0', SnapshotFields], ...SNAPSHOT_VERSIONS]);
const readSnapshots = grown([
  [
    '3.0',
    {
      ...SnapshotFields,
      'os-extended-snapshot-attributes:progress': Text,
      'os-extended-snapshot-attributes:project_id': Text,
    },
  ],
  ['3.14', { group_snapshot_id: MaybeText }],
  ...SNAPSHOT_VERSIONS,
]);
export const ChangedSnapshotResponse = within(snapshots, (snapshot) => Type.Object({ snapshot }));
export const SnapshotResponse = within(readSnapshots, (snapshot) => Type.Object({ snapshot }));
export const SnapshotsResponse = within(snapshots, (snapshot) => page('snapshots', snapshot));
export const SnapshotsDetailResponse = within(readSnapshots, (snapshot) => page('snapshots', snapshot));

export const MetadataResponse = Type.Object({ metadata: Texts });
export const MetadataItemResponse = Type.Object({ meta: Texts });
export const EncryptionKeyResponse = Type.Object({ encryption_key_id: MaybeText }, { additionalProperties: true });
/** An unencrypted type's is empty. */
export const EncryptionResponse = Type.Object({}, { additionalProperties: true });

const AttachmentSummary = Type.Object({ id: Id, status: Text, instance: MaybeText, volume_id: Id });
export const AttachmentsResponse = page('attachments', AttachmentSummary);
export const RemainingAttachmentsResponse = Type.Object({ attachments: Type.Array(AttachmentSummary) });
export const attachmentsDetailResponse = (attachment: TSchema): TSchema => page('attachments', attachment);

const ChangedTypeFields = {
  id: Id,
  name: Text,
  is_public: Type.Boolean(),
  description: MaybeText,
  extra_specs: Optional(Texts),
};
const VolumeType = Type.Object({
  ...ChangedTypeFields,
  'os-volume-type-access:is_public': Type.Boolean(),
  qos_specs_id: Optional(MaybeText),
});
export const TypesResponse = page('volume_types', VolumeType);
export const TypeResponse = Type.Object({ volume_type: VolumeType });
export const ChangedTypeResponse = Type.Object({
  volume_type: Type.Object({
    ...ChangedTypeFields,
    'os-volume-type-access:is_public': Optional(Type.Boolean()),
    qos_specs_id: Optional(MaybeText),
  }),
});
export const ExtraSpecsResponse = Type.Object({ extra_specs: Texts });
export const ExtraSpecResponse = Texts;
export const TypeAccessResponse = Type.Object({
  volume_type_access: Type.Array(Type.Object({ volume_type_id: Id, project_id: Id })),
});
const DefaultType = Type.Object({ project_id: Id, volume_type_id: Id });
export const DefaultTypeResponse = Type.Object({ default_type: DefaultType });
export const DefaultTypesResponse = Type.Object({ default_types: Type.Array(DefaultType) });

const TransferFields = { id: Id, volume_id: Id, name: MaybeText, links: Links };
export const TransfersResponse = page('transfers', Type.Object(TransferFields));
export const AcceptedTransferResponse = Type.Object({ transfer: Type.Object(TransferFields) });
const transfers = (more: TProperties): readonly Row[] =>
  grown([
    ['3.0', { ...TransferFields, created_at: Text, ...more }],
    ['3.55', { no_snapshots: Type.Boolean() }],
    ['3.57', { source_project_id: MaybeText, destination_project_id: MaybeText, accepted: Type.Boolean() }],
  ]);
export const TransfersDetailResponse = within(transfers({}), (transfer) => page('transfers', transfer));
export const TransferResponse = within(transfers({}), (transfer) => Type.Object({ transfer }));
export const CreatedTransferResponse = within(transfers({ auth_key: Text }), (transfer) => Type.Object({ transfer }));

const QosSpecs = Type.Object({ id: Id, name: Text, consumer: Text, specs: Texts });
export const QosSpecsListResponse = page('qos_specs', QosSpecs);
export const QosSpecsResponse = Type.Object({ qos_specs: QosSpecs, links: Links });
export const ChangedQosSpecsResponse = Type.Object({ qos_specs: Texts });
export const QosAssociationsResponse = Type.Object({
  qos_associations: Type.Array(Type.Object({ association_type: Text, name: Text, id: Id })),
});

export const VersionResponse = Type.Object({ versions: Type.Array(Type.Record(Type.String(), Type.Unknown())) });
export const ServicesResponse = within(
  grown([
    [
      '3.0',
      {
        binary: Text,
        host: Text,
        zone: Text,
        status: Type.Enum(['enabled', 'disabled']),
        state: Type.Enum(['up', 'down']),
        updated_at: MaybeText,
        disabled_reason: MaybeText,
        replication_status: Optional(MaybeText),
        active_backend_id: Optional(MaybeText),
        frozen: Optional(Type.Boolean()),
      },
    ],
    ['3.7', { cluster: MaybeText }],
    ['3.49', { backend_state: Optional(Type.Enum(['up', 'down'])) }],
  ]),
  (service) => Type.Object({ services: Type.Array(service) }),
);
export const ServiceResponse = Type.Object({
  host: Text,
  service: Text,
  binary: Text,
  disabled: Type.Boolean(),
  status: Text,
  disabled_reason: Optional(MaybeText),
});
export const LimitsResponse = Type.Object({
  limits: Type.Object({ rate: Type.Array(Type.Unknown()), absolute: Type.Record(Type.String(), Count) }),
});
const Limit = Type.Union([
  Count,
  Type.Object({ limit: Count, in_use: Count, reserved: Count, allocated: Optional(Count) }),
]);
/** Resources come with volume types (`gigabytes_<type>`), so their names are open. */
export const QuotaSetResponse = Type.Object({
  quota_set: Type.Object({ id: Optional(Text) }, { additionalProperties: Limit }),
});
export const QuotaClassResponse = Type.Object({
  quota_class_set: Type.Object({ id: Optional(Text) }, { additionalProperties: Limit }),
});
export const AvailabilityZonesResponse = Type.Object({
  availabilityZoneInfo: Type.Array(
    Type.Object({ zoneName: Text, zoneState: Type.Object({ available: Type.Boolean() }) }),
  ),
});
export const PoolsResponse = Type.Object({
  pools: Type.Array(Type.Object({ name: Text, capabilities: Optional(Type.Record(Type.String(), Type.Unknown())) })),
});
const Extension = Type.Object({
  name: Text,
  alias: Text,
  description: Text,
  updated: Text,
  namespace: Optional(Text),
  links: Type.Array(Type.Unknown()),
});
export const ExtensionsResponse = Type.Object({ extensions: Type.Array(Extension) });
export const ExtensionResponse = Type.Object({ extension: Extension });
export const ResourceFiltersResponse = Type.Object({
  resource_filters: Type.Array(Type.Object({ resource: Text, filters: Type.Array(Text) })),
});
export const HostsResponse = Type.Object({
  hosts: Type.Array(
    Type.Object({
      'service-status': Text,
      service: Text,
      zone: Text,
      'service-state': Text,
      host_name: Text,
      'last-update': MaybeText,
    }),
  ),
});
export const HostResponse = Type.Object({
  host: Type.Array(Type.Object({ resource: Type.Record(Type.String(), Type.Union([Type.String(), Type.Integer()])) })),
});
export const CapabilitiesResponse = Type.Object({}, { additionalProperties: true });
const Message = Type.Object({
  id: Id,
  event_id: Text,
  user_message: Text,
  message_level: Text,
  created_at: Text,
  guaranteed_until: MaybeText,
  request_id: MaybeText,
  resource_type: MaybeText,
  resource_uuid: MaybeText,
  links: Links,
});
export const MessagesResponse = page('messages', Message);
export const MessageResponse = Type.Object({ message: Message });

export const ConnectionResponse = Type.Object({ connection_info: Type.Record(Type.String(), Type.Unknown()) });
export const UploadedImageResponse = Type.Object({
  'os-volume_upload_image': Type.Object({}, { additionalProperties: true }),
});
