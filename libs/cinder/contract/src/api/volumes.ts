import { operation } from '@nestack/kernel/http';
import Type from 'typebox';
import { BooleanLike, IntegerLike, Metadata, NullableMetadata, NullableRef, NullableText } from './common';
import {
  ChangedVolumeResponse,
  EncryptionKeyResponse,
  MetadataItemResponse,
  MetadataResponse,
  VolumeResponse,
  VolumesDetailResponse,
  VolumesResponse,
  VolumesSummaryResponse,
} from './views';

export { truthy } from './common';

export const listVolumes = operation({
  id: 'listVolumes',
  summary: 'Lists volumes',
  method: 'GET',
  path: '/volumes',
  response: VolumesResponse,
  status: 200,
  policy: 'volume:get_all',
});
export const listVolumesDetail = operation({
  id: 'listVolumesDetail',
  summary: 'Lists volumes with details',
  method: 'GET',
  path: '/volumes/detail',
  response: VolumesDetailResponse,
  status: 200,
  policy: 'volume:get_all',
});
export const volumesSummary = operation({
  id: 'volumesSummary',
  summary: 'Counts volumes and their size',
  method: 'GET',
  path: '/volumes/summary',
  minVersion: '3.12',
  response: VolumesSummaryResponse,
  status: 200,
  policy: 'volume:get_all',
});
export const createVolume = operation({
  id: 'createVolume',
  summary: 'Creates a volume',
  method: 'POST',
  path: '/volumes',
  body: Type.Object({
    volume: Type.Object(
      {
        name: Type.Optional(NullableText),
        display_name: Type.Optional(NullableText),
        description: Type.Optional(NullableText),
        display_description: Type.Optional(NullableText),
        size: Type.Optional(Type.Union([IntegerLike, Type.Null()])),
        availability_zone: Type.Optional(NullableText),
        volume_type: Type.Optional(NullableText),
        metadata: Type.Optional(NullableMetadata),
        imageRef: Type.Optional(NullableRef),
        image_id: Type.Optional(NullableRef),
        snapshot_id: Type.Optional(NullableRef),
        source_volid: Type.Optional(NullableRef),
        multiattach: Type.Optional(Type.Union([BooleanLike, Type.Null()])),
        backup_id: Type.Optional(NullableRef),
        group_id: Type.Optional(NullableRef),
        consistencygroup_id: Type.Optional(NullableRef),
      },
      { additionalProperties: true },
    ),
    'OS-SCH-HNT:scheduler_hints': Type.Optional(Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.Null()])),
  }),
  response: ChangedVolumeResponse,
  status: 202,
  policy: 'volume:create',
});
export const showVolume = operation({
  id: 'showVolume',
  summary: 'Shows a volume',
  method: 'GET',
  path: '/volumes/{volume_id}',
  response: VolumeResponse,
  status: 200,
});
export const updateVolume = operation({
  id: 'updateVolume',
  summary: 'Updates a volume',
  method: 'PUT',
  path: '/volumes/{volume_id}',
  body: Type.Object({
    volume: Type.Object(
      {
        name: Type.Optional(NullableText),
        display_name: Type.Optional(NullableText),
        description: Type.Optional(NullableText),
        display_description: Type.Optional(NullableText),
        metadata: Type.Optional(NullableMetadata),
      },
      { additionalProperties: false },
    ),
  }),
  response: ChangedVolumeResponse,
  status: 200,
});
export const deleteVolume = operation({
  id: 'deleteVolume',
  summary: 'Deletes a volume',
  method: 'DELETE',
  path: '/volumes/{volume_id}',
  status: 202,
});
export const showVolumeEncryption = operation({
  id: 'showVolumeEncryption',
  summary: 'Shows the encryption of a volume: there is none',
  method: 'GET',
  path: '/volumes/{volume_id}/encryption',
  response: EncryptionKeyResponse,
  status: 200,
});
const MetadataBody = Type.Object({ metadata: Metadata }, { additionalProperties: false });
export const showVolumeMetadata = operation({
  id: 'showVolumeMetadata',
  summary: 'Shows the metadata of a volume',
  method: 'GET',
  path: '/volumes/{volume_id}/metadata',
  response: MetadataResponse,
  status: 200,
});
export const addVolumeMetadata = operation({
  id: 'addVolumeMetadata',
  summary: 'Adds metadata to a volume',
  method: 'POST',
  path: '/volumes/{volume_id}/metadata',
  body: MetadataBody,
  response: MetadataResponse,
  status: 200,
});
export const replaceVolumeMetadata = operation({
  id: 'replaceVolumeMetadata',
  summary: 'Replaces the metadata of a volume',
  method: 'PUT',
  path: '/volumes/{volume_id}/metadata',
  body: MetadataBody,
  response: MetadataResponse,
  status: 200,
});
export const showVolumeMetadataItem = operation({
  id: 'showVolumeMetadataItem',
  summary: 'Shows one metadata item',
  method: 'GET',
  path: '/volumes/{volume_id}/metadata/{key}',
  response: MetadataItemResponse,
  status: 200,
});
export const setVolumeMetadataItem = operation({
  id: 'setVolumeMetadataItem',
  summary: 'Sets one metadata item',
  method: 'PUT',
  path: '/volumes/{volume_id}/metadata/{key}',
  body: Type.Object({ meta: Metadata }, { additionalProperties: false }),
  response: MetadataItemResponse,
  status: 200,
});
export const deleteVolumeMetadataItem = operation({
  id: 'deleteVolumeMetadataItem',
  summary: 'Deletes one metadata item',
  method: 'DELETE',
  path: '/volumes/{volume_id}/metadata/{key}',
  status: 200,
});

export const volumeOperations = [
  listVolumes,
  listVolumesDetail,
  volumesSummary,
  createVolume,
  showVolume,
  updateVolume,
  deleteVolume,
  showVolumeEncryption,
  showVolumeMetadata,
  addVolumeMetadata,
  replaceVolumeMetadata,
  showVolumeMetadataItem,
  setVolumeMetadataItem,
  deleteVolumeMetadataItem,
];
