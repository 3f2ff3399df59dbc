import type { RequestContext, Tx, TransactionRunner } from '@nestack/kernel/context';
import type { ConnectionInfo, GroupSnapshotStatus, SnapshotStatus, VolumeStatus } from '@nestack/cinder/contract';
import type {
  Attachment,
  Backup,
  Capabilities,
  Group,
  GroupSnapshot,
  GroupType,
  HostUse,
  Message,
  Metadata,
  QosSpec,
  Service,
  Snapshot,
  Transfer,
  TypeEncryption,
  Volume,
  VolumeType,
} from './model';

/** Whose resources a query may see; null means everybody's. */
export type Scope = string | null;

export interface ListQuery {
  readonly limit: number;
  readonly offset: number;
  readonly marker: string | null;
  readonly sort: readonly { readonly key: string; readonly direction: 'asc' | 'desc' }[];
  /** Column filters, equality. */
  readonly filters: Readonly<Record<string, string | boolean>>;
  /** `name~`: substrings. */
  readonly like: Readonly<Record<string, string>>;
  readonly metadata: Metadata | null;
  readonly imageMetadata: Metadata | null;
  /** `created_at=gt:…` */
  readonly times: readonly {
    readonly key: string;
    readonly op: 'eq' | 'neq' | 'gt' | 'gte' | 'lt' | 'lte';
    readonly value: Date;
  }[];
}

export interface TypeQuery {
  readonly scope: Scope;
  /** Null for public and private ones alike. */
  readonly is_public: boolean | null;
  /** With public ones come the private ones that this project has access to. */
  readonly accessible_to: string | null;
  readonly extra_specs: Metadata | null;
  readonly limit: number;
  readonly offset: number;
  readonly marker: string | null;
  readonly sort: ListQuery['sort'];
}

export type NewVolume = Omit<Volume, 'attachments' | 'volume_type' | 'created_at' | 'updated_at'>;

export interface VolumeRepository {
  /** Answers when it was made. */
  insert(tx: Tx, volume: NewVolume): Promise<Date>;
  find(tx: Tx, id: string, scope: Scope, options?: { readonly lock?: boolean }): Promise<Volume | null>;
  list(tx: Tx, scope: Scope, query: ListQuery): Promise<readonly Volume[]>;
  count(tx: Tx, scope: Scope, query: ListQuery): Promise<number>;
  summary(
    tx: Tx,
    scope: Scope,
    query: ListQuery,
  ): Promise<{ count: number; size: number; metadata: Record<string, string[]> }>;
  update(tx: Tx, id: string, changes: Partial<Omit<NewVolume, 'id'>>): Promise<void>;
  remove(tx: Tx, id: string): Promise<void>;
  /** Volumes of a host (`host@backend`) that must be exported now. */
  exported(tx: Tx, backend: string): Promise<readonly Volume[]>;
  /** GiB promised on each pool. */
  provisioned(tx: Tx): Promise<ReadonlyMap<string, number>>;
  /** Adds to what is promised on a pool (`host@backend#pool`) and answers the sum; holds its row until the transaction ends. */
  provision(tx: Tx, host: string, delta: number): Promise<number>;
  setStatus(tx: Tx, id: string, status: VolumeStatus): Promise<void>;
  /** Changes a volume that is in one of these states; false when it is in another, or gone. */
  transition(
    tx: Tx,
    id: string,
    from: readonly VolumeStatus[],
    changes: Partial<Omit<NewVolume, 'id'>>,
  ): Promise<boolean>;
  /** Gives a volume its pool, and the pool the promise; nothing when it has one. */
  place(tx: Tx, id: string, host: string): Promise<void>;
  /** What each project has on a host (`host`, `host@backend`). */
  useOfHost(tx: Tx, host: string): Promise<readonly HostUse[]>;
  /** Which of the names are ids of volumes, or of snapshots. */
  known(tx: Tx, kind: Resource, names: readonly string[]): Promise<ReadonlySet<string>>;
  ofGroup(tx: Tx, groupId: string, options?: { readonly lock?: boolean }): Promise<readonly Volume[]>;
}

export interface AttachmentRepository {
  insert(tx: Tx, attachment: Omit<Attachment, 'created_at'>): Promise<void>;
  find(tx: Tx, id: string, scope: Scope): Promise<Attachment | null>;
  ofVolume(tx: Tx, volumeId: string): Promise<readonly Attachment[]>;
  list(tx: Tx, scope: Scope, query: ListQuery): Promise<readonly Attachment[]>;
  update(tx: Tx, id: string, changes: Partial<Omit<Attachment, 'id' | 'volume_id' | 'created_at'>>): Promise<void>;
  remove(tx: Tx, id: string): Promise<void>;
}

export interface SnapshotRepository {
  insert(tx: Tx, snapshot: Omit<Snapshot, 'progress' | 'created_at' | 'updated_at'>): Promise<void>;
  find(tx: Tx, id: string, scope: Scope, options?: { readonly lock?: boolean }): Promise<Snapshot | null>;
  list(tx: Tx, scope: Scope, query: ListQuery): Promise<readonly Snapshot[]>;
  count(tx: Tx, scope: Scope, query: ListQuery): Promise<number>;
  ofVolume(tx: Tx, volumeId: string): Promise<readonly Snapshot[]>;
  ofGroupSnapshot(tx: Tx, groupSnapshotId: string): Promise<readonly Snapshot[]>;
  update(
    tx: Tx,
    id: string,
    changes: {
      status?: SnapshotStatus;
      progress?: string | null;
      name?: string | null;
      description?: string | null;
      metadata?: Metadata;
      project_id?: string;
      user_id?: string;
    },
  ): Promise<void>;
  remove(tx: Tx, id: string): Promise<void>;
}

export interface TypeRepository {
  /** By id or name; private types only for admins and projects that have access. */
  find(tx: Tx, idOrName: string, scope: Scope): Promise<VolumeType | null>;
  list(tx: Tx, query: TypeQuery): Promise<readonly VolumeType[]>;
  /** All names, for the quotas that each type has. */
  names(tx: Tx): Promise<readonly string[]>;
  /** False when its name is taken. */
  insert(tx: Tx, type: Omit<VolumeType, 'created_at'>): Promise<boolean>;
  /** Keeps others from changing it until the transaction ends. */
  lock(tx: Tx, id: string): Promise<void>;
  update(tx: Tx, type: VolumeType): Promise<void>;
  remove(tx: Tx, id: string): Promise<void>;
  /** Whether volumes or groups have it. */
  inUse(tx: Tx, id: string): Promise<boolean>;
  encryption(tx: Tx, id: string): Promise<TypeEncryption | null>;
  setEncryption(
    tx: Tx,
    id: string,
    encryption: Pick<TypeEncryption, 'provider' | 'control_location' | 'cipher' | 'key_size'> | null,
  ): Promise<void>;
  hasVolumes(tx: Tx, id: string): Promise<boolean>;
  /** Projects with access to a private type. */
  access(tx: Tx, id: string): Promise<readonly string[]>;
  /** False when it was there already. */
  addAccess(tx: Tx, id: string, projectId: string): Promise<boolean>;
  /** False when there was none. */
  removeAccess(tx: Tx, id: string, projectId: string): Promise<boolean>;
  /** The default types of projects that have their own: project id to type id. */
  defaults(tx: Tx): Promise<ReadonlyMap<string, string>>;
  /** A project's own default type, or null. */
  defaultOf(tx: Tx, projectId: string): Promise<VolumeType | null>;
  /** The type of a project's volumes that name none: its own default, or the general one. */
  defaultFor(tx: Tx, projectId: string): Promise<VolumeType | null>;
  setDefault(tx: Tx, projectId: string, id: string | null): Promise<void>;
  /** Types that a QoS specification is associated with. */
  ofQos(tx: Tx, qosId: string): Promise<readonly VolumeType[]>;
}

export interface GroupTypeQuery {
  /** Null for public and private ones alike. */
  readonly is_public: boolean | null;
  readonly limit: number;
  readonly offset: number;
  readonly marker: string | null;
  readonly sort: ListQuery['sort'];
}

export interface GroupTypeRepository {
  find(tx: Tx, idOrName: string): Promise<GroupType | null>;
  list(tx: Tx, query: GroupTypeQuery): Promise<readonly GroupType[]>;
  /** False when the name is taken. */
  insert(tx: Tx, type: Omit<GroupType, 'created_at'>): Promise<boolean>;
  /** Keeps others from changing it until the transaction ends. */
  lock(tx: Tx, id: string): Promise<void>;
  update(tx: Tx, type: GroupType): Promise<void>;
  remove(tx: Tx, id: string): Promise<void>;
  inUse(tx: Tx, id: string): Promise<boolean>;
}

export interface GroupRepository {
  insert(tx: Tx, group: Omit<Group, 'created_at' | 'updated_at'>): Promise<void>;
  find(tx: Tx, id: string, scope: Scope, options?: { readonly lock?: boolean }): Promise<Group | null>;
  list(tx: Tx, scope: Scope, query: ListQuery): Promise<readonly Group[]>;
  /** Ids of the volumes of each of the groups. */
  volumes(tx: Tx, ids: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>>;
  update(tx: Tx, id: string, changes: Partial<Pick<Group, 'name' | 'description' | 'status' | 'host'>>): Promise<void>;
  remove(tx: Tx, id: string): Promise<void>;
  /** Whether a group is being made of this group or group snapshot, or a group snapshot of this group. */
  isSource(tx: Tx, id: string): Promise<boolean>;
}

export interface GroupSnapshotRepository {
  insert(tx: Tx, snapshot: Omit<GroupSnapshot, 'created_at' | 'updated_at'>): Promise<void>;
  find(tx: Tx, id: string, scope: Scope, options?: { readonly lock?: boolean }): Promise<GroupSnapshot | null>;
  list(tx: Tx, scope: Scope, query: ListQuery): Promise<readonly GroupSnapshot[]>;
  /** Whether a group has any. */
  ofGroup(tx: Tx, groupId: string): Promise<boolean>;
  update(tx: Tx, id: string, status: GroupSnapshotStatus): Promise<void>;
  remove(tx: Tx, id: string): Promise<void>;
}

export type NewBackup = Omit<Backup, 'is_incremental' | 'has_dependent_backups' | 'created_at' | 'updated_at'>;

export interface BackupRepository {
  insert(tx: Tx, backup: NewBackup): Promise<void>;
  find(tx: Tx, id: string, scope: Scope, options?: { readonly lock?: boolean }): Promise<Backup | null>;
  list(tx: Tx, scope: Scope, query: ListQuery): Promise<readonly Backup[]>;
  count(tx: Tx, scope: Scope, query: ListQuery): Promise<number>;
  /** The available backup of a volume with the newest data, or with the newest of before a time. */
  latest(tx: Tx, volumeId: string, projectId: string, before: Date | null): Promise<Backup | null>;
  update(tx: Tx, id: string, changes: Partial<Omit<NewBackup, 'id'>>): Promise<void>;
  remove(tx: Tx, id: string): Promise<void>;
}

export interface BackupPlace {
  readonly container: string;
  readonly service_metadata: string;
  readonly object_count: number;
}

/** Where backups are kept. `ensure…` and `absent…` may be repeated. */
export interface BackupDriver {
  prepare(): Promise<void>;
  /** Copies what is at a path: all of it, or what differs from the parent. */
  ensureBackup(
    ctx: RequestContext,
    what: {
      readonly backup: Backup;
      readonly parent: Backup | null;
      readonly path: string;
      /** What shall be known of the volume when it is restored. */
      readonly volumeMeta: string | null;
    },
  ): Promise<BackupPlace>;
  /** Writes a backup (the first of the chain) and what it builds on to a path; answers its volumeMeta. */
  restore(
    ctx: RequestContext,
    what: { readonly chain: readonly Backup[]; readonly path: string; readonly isNew: boolean },
  ): Promise<string | null>;
  absentBackup(ctx: RequestContext, backup: Backup): Promise<void>;
}

export interface TransferRepository {
  insert(tx: Tx, transfer: Omit<Transfer, 'created_at'>): Promise<void>;
  find(tx: Tx, id: string, scope: Scope, options?: { readonly lock?: boolean }): Promise<Transfer | null>;
  list(tx: Tx, scope: Scope, query: ListQuery): Promise<readonly Transfer[]>;
  remove(tx: Tx, id: string): Promise<void>;
}

export interface QosRepository {
  /** False when the name is taken. */
  insert(tx: Tx, qos: QosSpec): Promise<boolean>;
  find(tx: Tx, id: string): Promise<QosSpec | null>;
  list(
    tx: Tx,
    page: { readonly limit: number; readonly offset: number; readonly marker: string | null },
  ): Promise<readonly QosSpec[]>;
  update(tx: Tx, qos: QosSpec): Promise<void>;
  remove(tx: Tx, id: string): Promise<void>;
}

export interface MessageRepository {
  insert(tx: Tx, message: Omit<Message, 'id' | 'created_at' | 'expires_at'>): Promise<void>;
  find(tx: Tx, id: string, scope: Scope): Promise<Message | null>;
  list(tx: Tx, scope: Scope, query: ListQuery): Promise<readonly Message[]>;
  remove(tx: Tx, id: string): Promise<void>;
}

export interface QuotaRepository {
  /** Limits that were set for a project, and for those that it has none of, the ones set for all (`default`). */
  limits(tx: Tx, projectId: string): Promise<Readonly<Record<string, number>>>;
  setLimits(tx: Tx, projectId: string, limits: Readonly<Record<string, number>>): Promise<void>;
  clear(tx: Tx, projectId: string): Promise<void>;
  usage(tx: Tx, projectId: string): Promise<Readonly<Record<string, number>>>;
  /** Adds to the use of resources and answers the new use of each; holds their rows until the transaction ends. */
  add(tx: Tx, projectId: string, deltas: Readonly<Record<string, number>>): Promise<Readonly<Record<string, number>>>;
  /** Gives a resource another name in all projects. */
  rename(tx: Tx, from: string, to: string): Promise<void>;
}

export interface ServiceRepository {
  heartbeat(
    tx: Tx,
    service: { binary: string; host: string; availability_zone: string; capabilities: Capabilities | null },
  ): Promise<void>;
  list(
    tx: Tx,
    filters: { readonly host?: string | undefined; readonly binary?: string | undefined },
  ): Promise<readonly Service[]>;
  setDisabled(tx: Tx, host: string, binary: string, disabled: boolean, reason: string | null): Promise<Service | null>;
  /** Of the volume service on a host; false when there is none. A frozen one is disabled, with this as the reason. */
  setFrozen(tx: Tx, host: string, frozen: boolean): Promise<boolean>;
}

/** Starts long operations (sagas) in the transaction of the change that they belong to. */
export interface Operations {
  start(
    ctx: RequestContext,
    tx: Tx,
    kind: string,
    start: {
      readonly params: unknown;
      readonly resourceId: string;
      readonly mode?: 'reject' | 'queue' | 'preempt';
      readonly action?: string;
    },
  ): Promise<string>;
  signal(ctx: RequestContext, tx: Tx, resourceId: string): Promise<void>;
}

export type ImageRequestState = 'pending' | 'created' | 'refused';

/** How far requests are that make an image for an upload that they have started. */
export interface ImageRequestRepository {
  begin(tx: Tx, imageId: string): Promise<void>;
  /** Tells what became of it; false when nobody waits for it any more. */
  tell(tx: Tx, imageId: string, state: ImageRequestState): Promise<boolean>;
  state(tx: Tx, imageId: string): Promise<ImageRequestState | null>;
  end(tx: Tx, imageId: string): Promise<void>;
}

export interface Policy {
  allows(ctx: RequestContext, rule: string, target?: Readonly<Record<string, unknown>>): boolean;
  enforce(ctx: RequestContext, rule: string, target?: Readonly<Record<string, unknown>>): void;
}

export interface ImageSummary {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly disk_format: string;
  readonly container_format: string;
  /** Bytes of the file and of the disk in it. */
  readonly size: number | null;
  readonly virtual_size: number | null;
  /** GiB and MiB */
  readonly min_disk: number;
  readonly min_ram: number;
  readonly checksum: string | null;
  readonly properties: Metadata;
}

/** Glance, as cinder needs it. */
export interface ImagePort {
  /** Null when it does not exist or is hidden from the caller. */
  get(ctx: RequestContext, imageId: string, as: 'user' | 'service'): Promise<ImageSummary | null>;
  download(ctx: RequestContext, imageId: string): Promise<NodeJS.ReadableStream>;
  /** A queued image of the caller's under an id that he has chosen. */
  create(ctx: RequestContext, image: Readonly<Record<string, unknown>> & { readonly id: string }): Promise<void>;
  upload(ctx: RequestContext, imageId: string, data: NodeJS.ReadableStream): Promise<void>;
  remove(ctx: RequestContext, imageId: string): Promise<void>;
}

/** Nova, as cinder needs it. */
export interface ServerEvents {
  /** Tells a server's host that a volume of its has grown. A server that is gone needs no telling. */
  volumeExtended(ctx: RequestContext, instanceUuid: string, volumeId: string): Promise<void>;
  /** Tells a server's host that a volume that is kept for it has its new content, or could not be given it. */
  volumeReimaged(
    ctx: RequestContext,
    instanceUuid: string,
    volumeId: string,
    status: 'completed' | 'failed',
  ): Promise<void>;
}

/** cinder-volume on a volume's host. */
export interface BackendPort {
  initializeConnection(
    ctx: RequestContext,
    volume: Volume,
    connector: Readonly<Record<string, unknown>>,
  ): Promise<ConnectionInfo>;
  terminateConnection(ctx: RequestContext, volume: Volume): Promise<void>;
  /** What a backend (`host@backend`) has. */
  manageable(
    ctx: RequestContext,
    backend: string,
    kind: Resource,
  ): Promise<readonly { readonly name: string; readonly size: number; readonly cinder_id: string | null }[]>;
}

/** A volume or a snapshot on a backend. */
export type Held = { readonly volumeId: string } | { readonly snapshotId: string };

/** Where a driver finds what it works on. */
export interface VolumeRef {
  readonly id: string;
  /** GiB */
  readonly size: number;
}

export type Resource = 'volume' | 'snapshot';

/** A storage backend. `ensure…` and `absent…` observe first: repeating them changes nothing. */
export interface VolumeDriver {
  /** Makes ready; throws with what is missing on the machine. */
  prepare(): Promise<void>;
  /** Lets go of what is this process' own; exports stay, guests are using them. */
  close(): Promise<void>;
  ensureVolume(ctx: RequestContext, volume: VolumeRef): Promise<void>;
  /**
   * The same with the content of an image, as raw and as large as the volume. Throws ImageUnacceptable for what is not of its
   * format, refers to other files or is too large.
   */
  ensureFromImage(
    ctx: RequestContext,
    volume: VolumeRef,
    image: { readonly id: string; readonly disk_format: string },
    open: () => Promise<NodeJS.ReadableStream>,
  ): Promise<void>;
  /** Puts an image's content in place of a volume's that is not exported; what fails leaves the former content. */
  ensureContent(
    ctx: RequestContext,
    volume: VolumeRef,
    image: { readonly id: string; readonly disk_format: string },
    open: () => Promise<NodeJS.ReadableStream>,
  ): Promise<void>;
  ensureFromSnapshot(ctx: RequestContext, volume: VolumeRef, snapshotId: string): Promise<void>;
  ensureFromVolume(ctx: RequestContext, volume: VolumeRef, source: VolumeRef): Promise<void>;
  absentVolume(ctx: RequestContext, volumeId: string): Promise<void>;
  /** Makes the data as large as the volume, in use too: connections that are made anew then have the new size. */
  ensureSize(ctx: RequestContext, volume: VolumeRef): Promise<void>;
  ensureSnapshot(ctx: RequestContext, volumeId: string, snapshotId: string): Promise<void>;
  absentSnapshot(ctx: RequestContext, snapshotId: string): Promise<void>;
  /** Snapshots of several volumes at one moment, volumes in use included: after a crash all of them are taken anew. */
  ensureGroupSnapshot(
    ctx: RequestContext,
    parts: readonly { readonly volumeId: string; readonly snapshotId: string }[],
  ): Promise<void>;
  /**
   * Makes the volume reachable from a host (null: from all), with its present size, and says how. `names` are exports that
   * connections were handed out with: they stay.
   */
  ensureExport(
    ctx: RequestContext,
    volume: VolumeRef,
    to: { readonly host: string | null; readonly readonly: boolean; readonly names: readonly string[] },
  ): Promise<ConnectionInfo>;
  absentExport(ctx: RequestContext, volumeId: string): Promise<void>;
  /** Calls the listener when exports have ended that nobody ended: they must be made again. */
  onLoss(listener: () => void): void;
  /** Volumes that are exported now, however that came. */
  exports(): Promise<readonly string[]>;
  /** Gives a volume a snapshot's content. */
  ensureReverted(ctx: RequestContext, volume: VolumeRef, snapshotId: string): Promise<void>;
  /** Volumes or snapshots that are there by their names, GiB rounded up; whose they are is not known here. */
  inventory(kind: Resource): Promise<readonly { readonly name: string; readonly size: number }[]>;
  /** Makes what has a name there the data of a volume or snapshot of ours. */
  ensureAdopted(ctx: RequestContext, kind: Resource, id: string, name: string): Promise<void>;
  /**
   * Where a volume that is not in use, or a snapshot, can be read on this host, and the volume be written, until it is
   * released.
   */
  ensureLocalPath(ctx: RequestContext, what: Held): Promise<string>;
  /** Takes over what was written. */
  releaseLocalPath(ctx: RequestContext, what: Held): Promise<void>;
  /** A volume with the content of a local path of another backend. */
  ensureFromFile(ctx: RequestContext, volume: VolumeRef, path: string): Promise<void>;
  /** The volume's content in an image format. */
  read(ctx: RequestContext, volume: VolumeRef, format: string): Promise<NodeJS.ReadableStream>;
  capabilities(): Promise<Capabilities>;
}

/** What the use cases share. */
export interface CinderParts {
  readonly db: TransactionRunner;
  readonly volumes: VolumeRepository;
  readonly attachments: AttachmentRepository;
  readonly snapshots: SnapshotRepository;
  readonly types: TypeRepository;
  readonly backups: BackupRepository;
  readonly groupTypes: GroupTypeRepository;
  readonly groups: GroupRepository;
  readonly groupSnapshots: GroupSnapshotRepository;
  readonly transfers: TransferRepository;
  readonly qos: QosRepository;
  readonly messages: MessageRepository;
  readonly imageRequests: ImageRequestRepository;
  readonly quotas: QuotaRepository;
  readonly services: ServiceRepository;
  readonly operations: Operations;
  readonly policy: Policy;
  readonly images: ImagePort;
  readonly backend: BackendPort;
  readonly settings: CinderSettings;
}

export interface CinderSettings {
  readonly availability_zone: string;
  readonly max_over_subscription_ratio: number;
  readonly scheduler_weigher: 'CapacityWeigher' | 'AllocatedCapacityWeigher' | 'ChanceWeigher';
  readonly quota: Readonly<Record<string, number>>;
}
