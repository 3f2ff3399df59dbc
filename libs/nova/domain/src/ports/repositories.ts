import type { Tx } from '@nestack/kernel/context';
import type { MATCHED_ATTRIBUTES, VmState } from '@nestack/nova/contract';
import type {
  Aggregate,
  BlockDevice,
  BlockDevicePatch,
  ComputeNode,
  ComputeService,
  Flavor,
  Instance,
  InstancePatch,
  KeyPair,
} from '../instance';

/** Matched as PostgreSQL's `~` reads regular expressions, on the text that nova stores. */
export type MatchedAttribute = (typeof MATCHED_ATTRIBUTES)[number];

/** Filters of a server list; a project of null means all projects. */
export interface InstanceQuery {
  readonly project_id: string | null;
  readonly user_id?: string;
  readonly matches?: Readonly<Partial<Record<MatchedAttribute, string>>>;
  readonly vm_states?: readonly VmState[];
  /** Words of task_state that the status filter implies (REBOOT). */
  readonly task_states?: readonly string[];
  readonly host?: string;
  readonly uuid?: string;
  readonly flavor_id?: string;
  readonly image_id?: string;
  readonly changes_since?: Date;
  readonly changes_before?: Date;
  readonly deleted?: boolean;
  readonly locked?: boolean;
  /** Regular expressions on a fixed address; one of them is enough. */
  readonly ip?: string;
  readonly ip6?: string;
  readonly tags?: readonly string[];
  readonly tags_any?: readonly string[];
  readonly not_tags?: readonly string[];
  readonly not_tags_any?: readonly string[];
  /** Whether the rows shall have their user data, which is long. */
  readonly with_user_data?: boolean;
  readonly limit: number;
  readonly marker?: string;
  readonly sort: readonly { readonly key: string; readonly dir: 'asc' | 'desc' }[];
}

/** A row of a brief list. */
export type InstanceName = Pick<Instance, 'uuid' | 'display_name'>;

/** A row of a list with what its view needs, in the same statement. */
export interface InstanceListItem {
  readonly instance: Instance;
  readonly volumes: readonly { readonly id: string; readonly delete_on_termination: boolean }[];
  /** The groups that it is in; only of a single server. */
  readonly server_groups?: readonly string[];
}

export interface Usage {
  readonly instances: number;
  readonly cores: number;
  readonly ram: number;
}

export interface InstanceRepository {
  insert(tx: Tx, instance: Instance): Promise<void>;
  /** Null when there is none (deleted ones are found only with `deleted`). */
  find(
    tx: Tx,
    uuid: string,
    options?: { readonly deleted?: boolean; readonly lock?: boolean },
  ): Promise<Instance | null>;
  findItem(tx: Tx, uuid: string, options?: { readonly deleted?: boolean }): Promise<InstanceListItem | null>;
  /** Without key data, and without user data unless it is wanted. */
  list(tx: Tx, query: InstanceQuery): Promise<readonly InstanceListItem[]>;
  listNames(tx: Tx, query: InstanceQuery): Promise<readonly InstanceName[]>;
  /** Changes and touches `updated_at`; answers the new row, null when there is none. */
  update(tx: Tx, uuid: string, patch: InstancePatch): Promise<Instance | null>;
  /**
   * Sets the states if they are among the expected, else answers null and changes nothing: the one gate of every action.
   */
  transition(
    tx: Tx,
    uuid: string,
    expected: { readonly vm_states?: readonly VmState[]; readonly task_states?: readonly (string | null)[] },
    patch: InstancePatch,
  ): Promise<Instance | null>;
  byHost(tx: Tx, host: string): Promise<readonly Instance[]>;
  /** Servers that were shelved before a time and are kept on their hosts, without a task; the longest kept first. */
  keptSince(tx: Tx, before: Date, limit: number): Promise<readonly string[]>;
  /** The instances of a host, and those of the given ones, deleted or elsewhere, that exist at all. */
  ofHost(tx: Tx, host: string, uuids: readonly string[]): Promise<readonly Instance[]>;
  /** Locks the project's quota row, then counts what its undeleted instances use. */
  lockUsage(tx: Tx, projectId: string): Promise<Usage>;
  /** What undeleted instances of a project use, or those of one of its users. */
  usage(tx: Tx, projectId: string, userId?: string | null): Promise<Usage>;
  /** Undeleted instances by host, in one statement. */
  onHosts(tx: Tx): Promise<ReadonlyMap<string, readonly Instance[]>>;
}

export interface BlockDeviceRepository {
  insert(tx: Tx, device: Omit<BlockDevice, 'id'>): Promise<BlockDevice>;
  ofInstance(tx: Tx, instanceUuid: string): Promise<readonly BlockDevice[]>;
  /** Of several instances, in one statement. */
  ofInstances(tx: Tx, instanceUuids: readonly string[]): Promise<ReadonlyMap<string, readonly BlockDevice[]>>;
  find(tx: Tx, id: number): Promise<BlockDevice | null>;
  byVolume(tx: Tx, instanceUuid: string, volumeId: string): Promise<BlockDevice | null>;
  update(tx: Tx, id: number, patch: BlockDevicePatch): Promise<void>;
  remove(tx: Tx, id: number): Promise<void>;
  removeOfInstance(tx: Tx, instanceUuid: string): Promise<void>;
}

/** What other services told of a server through os-server-external-events; sagas wait for it. */
export interface ExternalEventRepository {
  record(
    tx: Tx,
    instanceUuid: string,
    event: { readonly name: string; readonly tag: string; readonly status: string; readonly at: Date },
  ): Promise<void>;
  /** Events of one name by tag (for ports: the port id). */
  of(tx: Tx, instanceUuid: string, name: string): Promise<ReadonlyMap<string, string>>;
  /** Forgets all of an instance, or one event. */
  forget(tx: Tx, instanceUuid: string, name?: string, tag?: string): Promise<void>;
}

/** Passwords that guests told, encrypted by them with their user's key. */
export interface ServerPasswordRepository {
  find(tx: Tx, instanceUuid: string): Promise<string | null>;
  /** False when there is one already. */
  put(tx: Tx, instanceUuid: string, password: string): Promise<boolean>;
  forget(tx: Tx, instanceUuid: string): Promise<void>;
}

export interface FlavorQuery {
  /** True and false filter; null gives both. */
  readonly is_public: boolean | null;
  /** With `is_public: true`, private flavors that this project has access to are shown too. */
  readonly project_id: string | null;
  readonly min_disk?: number;
  readonly min_ram?: number;
  readonly limit: number;
  readonly marker?: string;
  readonly sort_key: string;
  readonly sort_dir: 'asc' | 'desc';
}

export interface FlavorRepository {
  insert(tx: Tx, flavor: Flavor): Promise<void>;
  find(tx: Tx, flavorId: string): Promise<Flavor | null>;
  list(tx: Tx, query: FlavorQuery): Promise<readonly Flavor[]>;
  update(tx: Tx, flavorId: string, patch: Partial<Pick<Flavor, 'description' | 'extra_specs'>>): Promise<Flavor | null>;
  remove(tx: Tx, flavorId: string): Promise<boolean>;
  access(tx: Tx, flavorId: string): Promise<readonly string[]>;
  addAccess(tx: Tx, flavorId: string, projectId: string): Promise<boolean>;
  removeAccess(tx: Tx, flavorId: string, projectId: string): Promise<boolean>;
}

export interface KeyPairRepository {
  insert(tx: Tx, keyPair: Omit<KeyPair, 'id'>): Promise<KeyPair>;
  find(tx: Tx, userId: string, name: string): Promise<KeyPair | null>;
  list(tx: Tx, userId: string, page: { readonly limit: number; readonly marker?: string }): Promise<readonly KeyPair[]>;
  remove(tx: Tx, userId: string, name: string): Promise<boolean>;
  lockCount(tx: Tx, userId: string): Promise<number>;
}

export interface ServiceRepository {
  /** Upserts by host and binary, and marks it seen now. */
  beat(tx: Tx, host: string, binary: string, topic: string, at: Date): Promise<ComputeService>;
  list(tx: Tx, filter?: { readonly host?: string; readonly binary?: string }): Promise<readonly ComputeService[]>;
  find(tx: Tx, uuid: string): Promise<ComputeService | null>;
  update(
    tx: Tx,
    uuid: string,
    patch: Partial<Pick<ComputeService, 'disabled' | 'disabled_reason' | 'forced_down'>>,
  ): Promise<ComputeService | null>;
  remove(tx: Tx, uuid: string): Promise<boolean>;
  /** Moves a host's compute service to a zone. */
  setZone(tx: Tx, host: string, zone: string): Promise<void>;
}

export interface AggregateRepository {
  list(tx: Tx): Promise<readonly Aggregate[]>;
  /** With `lock`, nobody else changes aggregates until the transaction ends. */
  find(tx: Tx, id: string, lock: boolean): Promise<Aggregate | null>;
  /** Throws AggregateNameExists. */
  insert(tx: Tx, aggregate: Omit<Aggregate, 'id' | 'updated_at'>): Promise<Aggregate>;
  /** Throws AggregateNameExists. */
  update(tx: Tx, id: number, patch: Partial<Pick<Aggregate, 'name' | 'hosts' | 'metadata'>>): Promise<Aggregate>;
  remove(tx: Tx, id: number): Promise<void>;
}

export interface ComputeNodeRepository {
  upsert(
    tx: Tx,
    node: {
      readonly uuid: string;
      readonly host: string;
      readonly facts: ComputeNode['facts'];
      readonly service_id: number;
    },
  ): Promise<ComputeNode>;
  list(tx: Tx): Promise<readonly ComputeNode[]>;
  find(tx: Tx, id: string): Promise<ComputeNode | null>;
  byHost(tx: Tx, host: string): Promise<ComputeNode | null>;
  removeOfService(tx: Tx, serviceId: number): Promise<void>;
}

/** Quota limits that were set; what is absent has its default. -1 is unlimited. */
export interface QuotaRepository {
  /** A project's limits (its own before those of the class `default`), and what was set for one of its users. */
  limits(
    tx: Tx,
    projectId: string,
    userId: string | null,
  ): Promise<{ readonly project: Readonly<Record<string, number>>; readonly user: Readonly<Record<string, number>> }>;
  /** The sums of what was set for a project's users. */
  givenToUsers(tx: Tx, projectId: string): Promise<Readonly<Record<string, number>>>;
  classLimits(tx: Tx, className: string): Promise<Readonly<Record<string, number>>>;
  set(tx: Tx, projectId: string, userId: string | null, limits: Readonly<Record<string, number>>): Promise<void>;
  setClass(tx: Tx, className: string, limits: Readonly<Record<string, number>>): Promise<void>;
  /** Forgets what was set for a project and all its users, or for one user in it. */
  clear(tx: Tx, projectId: string, userId: string | null): Promise<void>;
}

/** What a console's token leads to. */
export interface ConsoleConnection {
  readonly instance_uuid: string;
  readonly console_type: string;
  /** Address of the host's gate to its guests' screens, and the path there. */
  readonly host: string;
  readonly port: number;
  readonly internal_access_path: string;
  readonly access_url_base: string;
}

export interface NewConsoleToken extends ConsoleConnection {
  /** SHA-256 of the token, hexadecimal. */
  readonly digest: string;
  /** The instance's host; on another one the token is void. */
  readonly compute_host: string;
  readonly expires_at: Date;
}

/** Tokens count as long as they have not expired and their server runs where it did. */
export interface ConsoleTokenRepository {
  insert(tx: Tx, token: NewConsoleToken): Promise<void>;
  find(tx: Tx, digest: string, now: Date): Promise<ConsoleConnection | null>;
  /** Finds and removes it. */
  take(tx: Tx, digest: string, now: Date): Promise<ConsoleConnection | null>;
  removeExpired(tx: Tx, now: Date): Promise<void>;
}
