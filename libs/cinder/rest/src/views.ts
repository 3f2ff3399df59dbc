import { isoMicros } from '@nestack/kernel/clock';
import type { ApiRequest } from '@nestack/kernel/http';
import {
  isPrivileged,
  type Attachment,
  type Metadata,
  type Service,
  type Snapshot,
  type Volume,
  type VolumeType,
} from '@nestack/cinder/domain';

type Request = Pick<ApiRequest, 'baseUrl' | 'version' | 'ctx'>;

/** A time of ours: microseconds, no zone. */
export function timeOf(date: Date | null): string | null {
  return date === null ? null : isoMicros(date);
}

/** `self` below the path that the client uses, `bookmark` without the version. */
export function linksOf(request: Request, collection: string, id: string): { rel: string; href: string }[] {
  return [
    { rel: 'self', href: `${request.baseUrl}/${collection}/${id}` },
    { rel: 'bookmark', href: `${request.baseUrl.replace(/\/v3(?=\/|$)/, '')}/${collection}/${id}` },
  ];
}

export function volumeSummaryView(volume: Volume, request: Request): Record<string, unknown> {
  return { id: volume.id, name: volume.name, links: linksOf(request, 'volumes', volume.id) };
}

/** A volume as it is read: what extensions add comes with it. upstream: cinder/api/contrib/volume_*_attribute.py */
export function volumeView(volume: Volume, request: Request): Record<string, unknown> {
  return {
    ...changedVolumeView(volume, request),
    'os-vol-tenant-attr:tenant_id': volume.project_id,
    ...(volume.image_metadata === null || Object.keys(volume.image_metadata).length === 0
      ? {}
      : { volume_image_metadata: volume.image_metadata }),
    ...(isPrivileged(request.ctx)
      ? {
          'os-vol-host-attr:host': volume.host,
          'os-vol-mig-status-attr:migstat': volume.migration_status,
          'os-vol-mig-status-attr:name_id': null,
        }
      : {}),
  };
}

/** A volume as the answers to its creation and change show it. upstream: cinder/api/v3/views/volumes.py */
export function changedVolumeView(volume: Volume, request: Request): Record<string, unknown> {
  const { version } = request;
  const admin = isPrivileged(request.ctx);
  return {
    id: volume.id,
    status: volume.status,
    size: volume.size,
    availability_zone: volume.availability_zone,
    created_at: timeOf(volume.created_at),
    updated_at: timeOf(volume.updated_at),
    name: volume.name,
    description: volume.description,
    volume_type: volume.volume_type,
    snapshot_id: volume.snapshot_id,
    source_volid: volume.source_volid,
    metadata: {
      ...volume.metadata,
      ...(volume.readonly === null ? {} : { readonly: volume.readonly ? 'True' : 'False' }),
    },
    links: linksOf(request, 'volumes', volume.id),
    user_id: volume.user_id,
    bootable: String(volume.bootable),
    encrypted: false,
    replication_status: null,
    consistencygroup_id: null,
    multiattach: volume.multiattach,
    attachments: volume.attachments
      .filter((one) => one.attach_status === 'attached')
      .map((one) => ({
        id: volume.id,
        attachment_id: one.id,
        volume_id: volume.id,
        server_id: one.instance_uuid,
        host_name: admin ? one.attached_host : null,
        device: one.mountpoint ?? '',
        attached_at: timeOf(one.attach_time),
      })),
    ...(admin ? { migration_status: volume.migration_status } : {}),
    ...(version.atLeast('3.13') ? { group_id: volume.group_id } : {}),
    ...(version.atLeast('3.21') && admin ? { provider_id: null } : {}),
    ...(version.atLeast('3.48') ? { service_uuid: null, shared_targets: false } : {}),
    ...(version.atLeast('3.61') && admin ? { cluster_name: null } : {}),
    ...(version.atLeast('3.63') ? { volume_type_id: volume.volume_type_id } : {}),
    ...(version.atLeast('3.65') ? { consumes_quota: true } : {}),
  };
}

export function snapshotView(snapshot: Snapshot, request: Request, detail: boolean): Record<string, unknown> {
  const { version } = request;
  return {
    id: snapshot.id,
    name: snapshot.name,
    description: snapshot.description,
    volume_id: snapshot.volume_id,
    status: snapshot.status,
    size: snapshot.volume_size,
    created_at: timeOf(snapshot.created_at),
    updated_at: timeOf(snapshot.updated_at),
    metadata: snapshot.metadata,
    ...(version.atLeast('3.41') ? { user_id: snapshot.user_id } : {}),
    ...(version.atLeast('3.65') ? { consumes_quota: true } : {}),
    ...(detail
      ? {
          'os-extended-snapshot-attributes:progress':
            snapshot.progress ?? (snapshot.status === 'available' ? '100%' : '0%'),
          'os-extended-snapshot-attributes:project_id': snapshot.project_id,
          ...(version.atLeast('3.14') ? { group_snapshot_id: snapshot.group_snapshot_id } : {}),
        }
      : {}),
  };
}

export function attachmentSummaryView(attachment: Attachment): Record<string, unknown> {
  return {
    id: attachment.id,
    status: attachment.attach_status,
    instance: attachment.instance_uuid,
    volume_id: attachment.volume_id,
  };
}

/** An attachment with its connection. upstream: cinder/api/v3/views/attachments.py */
export function attachmentView(attachment: Attachment) {
  return {
    id: attachment.id,
    status: attachment.attach_status as string,
    instance: attachment.instance_uuid,
    volume_id: attachment.volume_id,
    attached_at: timeOf(attachment.attach_time) ?? '',
    detached_at: '',
    attach_mode: attachment.attach_mode as string | null,
    connection_info: { ...attachment.connection_info },
  };
}

/** Extra specs that everybody may see. upstream: cinder/api/contrib/types_extra_specs.py */
const OPEN_SPECS = new Set(['multiattach', 'RESKEY:availability_zones', 'replication_enabled']);

export function visibleSpecs(specs: Metadata, admin: boolean): Metadata {
  return admin ? specs : Object.fromEntries(Object.entries(specs).filter(([key]) => OPEN_SPECS.has(key)));
}

export function typeView(type: VolumeType, admin: boolean): Record<string, unknown> {
  return {
    ...changedTypeView(type, admin),
    'os-volume-type-access:is_public': type.is_public,
    ...(admin ? { qos_specs_id: type.qos_specs_id } : {}),
  };
}

/** A type as the answer to its change shows it. upstream: cinder/api/v3/views/types.py */
export function changedTypeView(type: VolumeType, admin: boolean): Record<string, unknown> {
  return {
    id: type.id,
    name: type.name,
    is_public: type.is_public,
    description: type.description,
    extra_specs: visibleSpecs(type.extra_specs, admin),
  };
}

/** A service. upstream: cinder/api/contrib/services.py */
export function serviceView(service: Service, request: Request): Record<string, unknown> {
  const { version } = request;
  return {
    binary: service.binary,
    host: service.host,
    zone: service.availability_zone,
    status: service.disabled ? 'disabled' : 'enabled',
    state: service.up ? 'up' : 'down',
    updated_at: timeOf(service.updated_at),
    disabled_reason: service.disabled_reason,
    ...(version.atLeast('3.7') ? { cluster: null } : {}),
    ...(service.binary === 'cinder-volume'
      ? {
          replication_status: 'disabled',
          active_backend_id: null,
          frozen: service.frozen,
          ...(version.atLeast('3.49') ? { backend_state: service.up ? 'up' : 'down' } : {}),
        }
      : {}),
  };
}
