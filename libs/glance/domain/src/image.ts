import type { ImageStatus, MemberStatus, Visibility } from '@nestack/glance/contract';

/** An image as glance keeps it. Sizes are bytes; `min_ram` MiB, `min_disk` GiB. */
export interface Image {
  readonly id: string;
  readonly name: string | null;
  readonly status: ImageStatus;
  readonly visibility: Visibility;
  readonly protected: boolean;
  readonly os_hidden: boolean;
  readonly owner: string | null;
  readonly checksum: string | null;
  readonly os_hash_algo: string | null;
  readonly os_hash_value: string | null;
  readonly size: number | null;
  readonly virtual_size: number | null;
  readonly container_format: string | null;
  readonly disk_format: string | null;
  readonly min_ram: number;
  readonly min_disk: number;
  readonly properties: Readonly<Record<string, string>>;
  readonly tags: readonly string[];
  /** What was staged for an import, once all of it is there. */
  readonly staged: StoredData | null;
  readonly created_at: Date;
  readonly updated_at: Date;
}

/** What is known of data after it was written. */
export interface StoredData {
  readonly size: number;
  readonly md5: string;
  readonly sha512: string;
  readonly virtual_size: number | null;
}

export interface Member {
  readonly image_id: string;
  readonly member_id: string;
  readonly status: MemberStatus;
  readonly created_at: Date;
  readonly updated_at: Date;
}

export type TaskStatus = 'pending' | 'processing' | 'success' | 'failure';

/** An import's record, shown by the tasks API and taken up again after a crash. */
export interface ImportTask {
  readonly id: string;
  readonly image_id: string;
  readonly owner: string;
  readonly user_id: string;
  readonly request_id: string;
  readonly status: TaskStatus;
  readonly message: string;
  readonly input: { readonly method: 'glance-direct' | 'web-download'; readonly uri: string | null };
  readonly created_at: Date;
  readonly updated_at: Date;
}

/** Who looks: decides which images exist for him. */
export interface Viewer {
  readonly projectId: string | null;
  /** Sees every image: administrators and services. */
  readonly all: boolean;
}
