import type {
  AttachStatus,
  BackupStatus,
  GroupSnapshotStatus,
  GroupStatus,
  SnapshotStatus,
  VolumeStatus,
} from '@nestack/cinder/contract';

export type Metadata = Readonly<Record<string, string>>;

export interface Volume {
  readonly id: string;
  readonly project_id: string;
  readonly user_id: string;
  readonly name: string | null;
  readonly description: string | null;
  /** GiB */
  readonly size: number;
  readonly status: VolumeStatus;
  readonly availability_zone: string;
  /** `host@backend#pool` once it is scheduled. */
  readonly host: string | null;
  readonly bootable: boolean;
  readonly multiattach: boolean;
  /** Null until it is set or unset: only then is it shown. */
  readonly readonly: boolean | null;
  readonly volume_type_id: string;
  readonly volume_type: string;
  readonly snapshot_id: string | null;
  readonly source_volid: string | null;
  readonly group_id: string | null;
  /** The image it is made from, and the caller's view of that image's format. */
  readonly image_id: string | null;
  readonly metadata: Metadata;
  readonly image_metadata: Metadata | null;
  /** Exported through os-initialize_connection, without an attachment record. */
  readonly connected: boolean;
  /** How its last way to another backend goes, or went. */
  readonly migration_status: string | null;
  readonly created_at: Date;
  readonly updated_at: Date | null;
  readonly attachments: readonly Attachment[];
}

export interface Attachment {
  readonly id: string;
  readonly volume_id: string;
  readonly project_id: string;
  readonly instance_uuid: string | null;
  readonly attach_status: AttachStatus;
  readonly attach_mode: string;
  readonly attached_host: string | null;
  readonly mountpoint: string | null;
  readonly connector: Readonly<Record<string, unknown>> | null;
  /** As on the wire: flat. */
  readonly connection_info: Readonly<Record<string, unknown>> | null;
  readonly attach_time: Date | null;
  readonly created_at: Date;
}

export interface Snapshot {
  readonly id: string;
  readonly volume_id: string;
  readonly project_id: string;
  readonly user_id: string;
  readonly name: string | null;
  readonly description: string | null;
  readonly volume_size: number;
  readonly status: SnapshotStatus;
  /** The snapshot of a group that it is a part of. */
  readonly group_snapshot_id: string | null;
  /** As a server told it; null where it follows from the status. */
  readonly progress: string | null;
  readonly metadata: Metadata;
  readonly created_at: Date;
  readonly updated_at: Date | null;
}

export interface VolumeType {
  readonly id: string;
  readonly name: string;
  readonly description: string | null;
  readonly is_public: boolean;
  readonly extra_specs: Metadata;
  readonly qos_specs_id: string | null;
  readonly created_at: Date;
}

export interface QosSpec {
  readonly id: string;
  readonly name: string;
  /** Who sees to it: `front-end`, `back-end` or `both`. */
  readonly consumer: string;
  readonly specs: Metadata;
}

/** Volumes that are worked on together. */
export interface Group {
  readonly id: string;
  readonly project_id: string;
  readonly user_id: string;
  readonly name: string | null;
  readonly description: string | null;
  readonly group_type_id: string;
  readonly status: GroupStatus;
  readonly availability_zone: string;
  /** `host@backend#pool` once it is scheduled; its volumes are on the same backend. */
  readonly host: string | null;
  readonly group_snapshot_id: string | null;
  readonly source_group_id: string | null;
  /** Types that its volumes may have. */
  readonly volume_types: readonly string[];
  readonly created_at: Date;
  readonly updated_at: Date | null;
}

export interface GroupType {
  readonly id: string;
  readonly name: string;
  readonly description: string | null;
  readonly is_public: boolean;
  readonly group_specs: Readonly<Record<string, string | null>>;
  readonly created_at: Date;
}

/** Snapshots of a group's volumes at one moment. */
export interface GroupSnapshot {
  readonly id: string;
  readonly group_id: string;
  readonly group_type_id: string;
  readonly project_id: string;
  readonly user_id: string;
  readonly name: string | null;
  readonly description: string | null;
  readonly status: GroupSnapshotStatus;
  readonly created_at: Date;
  readonly updated_at: Date | null;
}

/** How volumes of a type would be encrypted. */
export interface TypeEncryption {
  readonly volume_type_id: string;
  readonly encryption_id: string;
  readonly provider: string;
  readonly control_location: string;
  readonly cipher: string | null;
  /** Bits. */
  readonly key_size: number | null;
  readonly created_at: Date;
  readonly updated_at: Date | null;
}

/** A copy of a volume that is kept apart from it. */
export interface Backup {
  readonly id: string;
  readonly project_id: string;
  readonly user_id: string;
  readonly name: string | null;
  readonly description: string | null;
  /** The volume may be gone. */
  readonly volume_id: string;
  readonly snapshot_id: string | null;
  /** The backup that this one only has the differences to. */
  readonly parent_id: string | null;
  readonly status: BackupStatus;
  /** GiB of the volume. */
  readonly size: number;
  readonly object_count: number;
  readonly availability_zone: string | null;
  /** Where the driver keeps it. */
  readonly container: string | null;
  readonly service_metadata: string | null;
  /** The host of its cinder-backup, and its driver's name. */
  readonly host: string | null;
  readonly service: string | null;
  readonly fail_reason: string | null;
  /** When its data were those of the volume. */
  readonly data_timestamp: Date | null;
  readonly metadata: Metadata;
  /** Made of a copy, since the volume was in use. */
  readonly of_copy: boolean;
  readonly restore_volume_id: string | null;
  readonly is_incremental: boolean;
  readonly has_dependent_backups: boolean;
  readonly created_at: Date;
  readonly updated_at: Date | null;
}

/** A volume that is offered to another project. */
export interface Transfer {
  readonly id: string;
  readonly volume_id: string;
  readonly name: string | null;
  readonly salt: string;
  readonly key_hash: string;
  readonly source_project_id: string;
  readonly no_snapshots: boolean;
  readonly created_at: Date;
}

/** What a user is told about work that failed. */
export interface Message {
  readonly id: string;
  readonly project_id: string;
  readonly request_id: string;
  readonly resource_type: 'VOLUME' | 'VOLUME_SNAPSHOT' | 'VOLUME_BACKUP';
  readonly resource_uuid: string;
  readonly event_id: string;
  readonly message_level: string;
  readonly user_message: string;
  readonly created_at: Date;
  readonly expires_at: Date;
}

/** What projects have on a host. */
export interface HostUse {
  readonly project_id: string;
  readonly volume_count: number;
  readonly total_volume_gb: number;
  readonly snapshot_count: number;
  readonly total_snapshot_gb: number;
}

/** What a backend says of itself with each heartbeat. */
export interface Capabilities {
  readonly volume_backend_name: string;
  readonly driver_version: string;
  readonly storage_protocol: string;
  readonly vendor_name: string;
  readonly total_capacity_gb: number;
  readonly free_capacity_gb: number;
  readonly multiattach: boolean;
  /** Whether volumes in use can grow. */
  readonly online_extend_support: boolean;
  /** Whether snapshots of several volumes can be of one moment. */
  readonly consistent_group_snapshot_enabled: boolean;
}

export interface Service {
  readonly id: number;
  readonly uuid: string;
  readonly binary: string;
  readonly host: string;
  readonly availability_zone: string;
  readonly disabled: boolean;
  readonly disabled_reason: string | null;
  readonly frozen: boolean;
  readonly capabilities: Capabilities | null;
  /** Heard of within the last minute. */
  readonly up: boolean;
  readonly updated_at: Date;
}

/** The type that volumes get when none is named. upstream: cinder's DEFAULT_VOLUME_TYPE */
export const DEFAULT_TYPE = '__DEFAULT__';

/** The plain host name of `host@backend#pool`: where its queue is. */
export function queueHost(host: string): string {
  return host.split('@', 1)[0] ?? host;
}
