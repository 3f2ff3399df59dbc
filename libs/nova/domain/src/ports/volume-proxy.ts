import type { RequestContext } from '@nestack/kernel/context';

type Item = Readonly<Record<string, unknown>>;

/** Cinder behind nova's older volume API, with the caller's own rights; items are cinder's own. Refusals are cinder's. */
export interface VolumeProxyPort {
  /** All of the caller's project with details, newest first. */
  volumes(ctx: RequestContext): Promise<readonly Item[]>;
  volume(ctx: RequestContext, id: string): Promise<Item | null>;
  create(ctx: RequestContext, volume: NewVolume): Promise<Item>;
  /** False when there is none. */
  remove(ctx: RequestContext, id: string): Promise<boolean>;
  snapshots(ctx: RequestContext): Promise<readonly Item[]>;
  snapshot(ctx: RequestContext, id: string): Promise<Item | null>;
  /** Null when there is no such volume. */
  createSnapshot(ctx: RequestContext, snapshot: NewSnapshot): Promise<Item | null>;
  removeSnapshot(ctx: RequestContext, id: string): Promise<boolean>;
}

export interface NewVolume {
  /** GiB */
  readonly size: number;
  readonly name?: string;
  readonly description?: string;
  readonly volume_type?: string;
  readonly snapshot_id?: string;
  readonly availability_zone?: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

export interface NewSnapshot {
  readonly volume_id: string;
  readonly force: boolean;
  readonly name?: string;
  readonly description?: string;
}

export const VOLUME_PROXY_PORT = Symbol('VolumeProxyPort');
