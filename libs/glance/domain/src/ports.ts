import type { Readable } from 'node:stream';
import type { RequestContext, Tx } from '@nestack/kernel/context';
import type { ImageStatus, MemberStatus, Visibility } from '@nestack/glance/contract';
import type { Image, ImportTask, Member, StoredData, TaskStatus, Viewer } from './image';

export interface SortKey {
  readonly key: string;
  readonly direction: 'asc' | 'desc';
}

/** One comparison of a list's filter. */
export interface Comparison {
  readonly field: string;
  readonly op: 'eq' | 'neq' | 'gt' | 'gte' | 'lt' | 'lte' | 'in';
  readonly values: readonly string[];
}

export interface ImageQuery {
  readonly comparisons: readonly Comparison[];
  readonly properties: Readonly<Record<string, string>>;
  readonly tags: readonly string[];
  readonly visibility: Visibility | 'all' | null;
  readonly member_status: MemberStatus | 'all';
  readonly os_hidden: boolean;
  readonly sort: readonly SortKey[];
  readonly marker: string | null;
  readonly limit: number;
}

/** Images in the database. Deleted ones are never found, but their ids stay taken. */
export interface ImageRepository {
  /** Throws `ImageIdTaken`. */
  insert(tx: Tx, image: Image): Promise<void>;
  /** The image when the viewer may see it. `lock` holds the row until the transaction ends. */
  find(tx: Tx, id: string, viewer: Viewer, options?: { readonly lock?: boolean }): Promise<Image | null>;
  list(tx: Tx, viewer: Viewer, query: ImageQuery): Promise<readonly Image[]>;
  /** Writes all that can change but the transfer and the data. */
  update(tx: Tx, image: Image): Promise<void>;
  remove(tx: Tx, id: string): Promise<void>;
  /** Bytes that an owner's images take; holds a lock on the owner, so that two uploads cannot both fit. */
  usage(tx: Tx, owner: string): Promise<number>;
  /** Marks that a process transfers data into the image: until the lease ends, nobody else touches it. */
  beginTransfer(tx: Tx, id: string, status: ImageStatus, token: string, leaseSeconds: number): Promise<void>;
  /** Prolongs the lease; false when it is not ours any more. */
  extendTransfer(tx: Tx, id: string, token: string, leaseSeconds: number): Promise<boolean>;
  /** Whether the transfer is still ours; locks the row. */
  ownsTransfer(tx: Tx, id: string, token: string): Promise<boolean>;
  /** Ends the transfer: status, and the data's facts when there is any. */
  endTransfer(
    tx: Tx,
    id: string,
    status: ImageStatus,
    data: StoredData | null,
    staged: StoredData | null,
  ): Promise<void>;
  /** Images whose transfer's lease has ended: their process is gone. Locks them, leaves out what others hold. */
  abandoned(tx: Tx): Promise<readonly Image[]>;
  /** Which of these ids belong to an image that still exists. */
  existing(tx: Tx, ids: readonly string[]): Promise<ReadonlySet<string>>;
}

export interface MemberRepository {
  /** Throws `MemberExists`. */
  insert(tx: Tx, member: Member): Promise<void>;
  list(tx: Tx, imageId: string): Promise<readonly Member[]>;
  find(tx: Tx, imageId: string, memberId: string): Promise<Member | null>;
  update(tx: Tx, imageId: string, memberId: string, status: MemberStatus, at: Date): Promise<void>;
  remove(tx: Tx, imageId: string, memberId: string): Promise<boolean>;
}

export interface TaskRepository {
  insert(tx: Tx, task: ImportTask): Promise<void>;
  find(tx: Tx, id: string): Promise<ImportTask | null>;
  /** The newest first; of one image, of one owner, or all. */
  list(tx: Tx, of: { readonly imageId?: string; readonly owner?: string }): Promise<readonly ImportTask[]>;
  /** The import that runs for an image. */
  running(tx: Tx, imageId: string): Promise<ImportTask | null>;
  update(tx: Tx, id: string, status: TaskStatus, message: string, at: Date): Promise<void>;
}

/** What was written, with the bytes from which a format is told. */
export interface Written {
  readonly size: number;
  readonly md5: string;
  readonly sha512: string;
  readonly head: Buffer;
  readonly tail: Buffer;
}

/** Where images' data lies. */
export interface ImageStore {
  /** Writes a stream durably under a temporary name, never whole in memory. Throws `TooLarge`, `StoreFull`, `UploadBroken`. */
  write(temporary: string, source: Readable, limit: number): Promise<Written>;
  /** Gives temporary data its place as the image's. Doing it again is harmless. */
  promote(temporary: string, imageId: string): Promise<void>;
  discard(temporary: string): Promise<void>;
  /** Bytes of the image's data, or null without any. */
  size(imageId: string): Promise<number | null>;
  read(imageId: string, range?: { readonly start: number; readonly end: number }): Promise<Readable>;
  remove(imageId: string): Promise<void>;
  /** Names of data and of temporary data that have not changed for a while. */
  inventory(
    unchangedForMs: number,
  ): Promise<{ readonly images: readonly string[]; readonly temporary: readonly string[] }>;
}

/** Fetches data from the web for an import. Throws `InvalidInput` when the source refuses. */
export interface WebSource {
  /** Throws `ImportUriNotAllowed`. */
  check(uri: string): void;
  fetch(uri: string): Promise<Readable>;
}

/** Policy as use cases ask it; the kernel's enforcer has this form. */
export interface ImagePolicy {
  allows(ctx: RequestContext, rule: string, target?: Readonly<Record<string, unknown>>): boolean;
}

export interface GlanceLimits {
  /** Largest image, bytes. */
  readonly image_size_cap: number;
  /** Bytes that one project's images may take, 0 for any. */
  readonly user_storage_quota: number;
  readonly image_property_quota: number;
  readonly image_tag_quota: number;
  readonly image_member_quota: number;
  /** Whether data must be what `disk_format` says. */
  readonly require_image_format_match: boolean;
}
