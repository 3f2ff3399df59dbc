import type { Clock } from '@nestack/kernel/clock';
import type { TransactionRunner } from '@nestack/kernel/context';
import { asDomainError, DomainError } from '@nestack/kernel/errors';
import { GlanceError, type ImageStatus } from '@nestack/glance/contract';
import type { Image, StoredData } from './image';
import { formatMatches, inspect } from './formats';
import type { GlanceLimits, ImageRepository, ImageStore, Written } from './ports';

/** A transfer's lease, and how often its process prolongs it. A process that dies is noticed when the lease has ended. */
const LEASE_SECONDS = 15;
const EXTEND_MS = 4000;

export interface TransferParts {
  readonly db: TransactionRunner;
  readonly images: ImageRepository;
  readonly store: ImageStore;
  readonly limits: GlanceLimits;
  readonly clock: Clock;
}

/**
 * Brings data into an image under a lease: whoever finds it ended (the process was killed) puts the image back. All that
 * a transfer does to the image happens in transactions that hold its row and check that the lease is still its own, so that a frozen
 * process that wakes late changes nothing.
 */
export class Transfers {
  constructor(private readonly parts: TransferParts) {}

  /** Lease length, for `beginTransfer` in the caller's own transaction. */
  readonly leaseSeconds = LEASE_SECONDS;

  /** Name of a transfer's temporary data. */
  temporary(imageId: string, token: string): string {
    return `${imageId}.${token}`;
  }

  /** Runs `work` while the lease is kept alive; rejects as `work` does. */
  async whileLeased<T>(imageId: string, token: string, work: () => Promise<T>): Promise<T> {
    const end = new AbortController();
    const keeping = this.#keep(imageId, token, end.signal);
    try {
      return await work();
    } finally {
      end.abort();
      await keeping;
    }
  }

  async #keep(imageId: string, token: string, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.parts.clock.sleep(EXTEND_MS, signal);
      if (signal.aborted) return;
      try {
        const ours = await this.parts.db.run('image.lease', (tx) =>
          this.parts.images.extendTransfer(tx, imageId, token, LEASE_SECONDS),
        );
        if (!ours) return;
      } catch {
        // The database may be away for a moment; whether the lease outlived that shows when the transfer ends.
        continue;
      }
    }
  }

  /** Checks what was written against what the image claims to be. Throws `FormatMismatch` or `UnsafeFormat`. */
  verify(image: Image, written: Written): StoredData {
    const found = inspect(written.head, written.tail);
    const data = {
      size: written.size,
      md5: written.md5,
      sha512: written.sha512,
      virtual_size: virtualSize(image, written, found.virtualSize),
    };
    if (
      !this.parts.limits.require_image_format_match ||
      image.disk_format === null ||
      image.container_format !== 'bare'
    )
      return data;
    if (!formatMatches(image.disk_format, found.formats))
      throw GlanceError.FormatMismatch({ declared: image.disk_format });
    if (found.unsafe !== null) throw GlanceError.UnsafeFormat({ reason: found.unsafe });
    return data;
  }

  /** Makes temporary data the image's, with its status and sums. Throws `DeletedDuringUpload` when the image is gone. */
  async finish(image: Image, token: string, temporary: string, data: StoredData): Promise<void> {
    const { db, images, store, limits } = this.parts;
    const done = await db.run('image.finish', async (tx) => {
      if (!(await images.ownsTransfer(tx, image.id, token))) return false;
      if (limits.user_storage_quota > 0 && image.owner !== null) {
        const remaining = Math.max(0, limits.user_storage_quota - (await images.usage(tx, image.owner)));
        if (data.size > remaining) throw GlanceError.StorageQuota({ size: data.size, remaining });
      }
      // Under the row's lock: no other transfer can put its data in this place meanwhile.
      await store.promote(temporary, image.id);
      await images.endTransfer(tx, image.id, 'active', data, null);
      return true;
    });
    if (!done) {
      await store.discard(temporary);
      throw GlanceError.DeletedDuringUpload({ image_id: image.id });
    }
  }

  /** After a failure: forgets the temporary data and puts the image back. */
  async abandon(imageId: string, token: string, temporary: string, status: ImageStatus): Promise<void> {
    await this.parts.store.discard(temporary);
    await this.parts.db.run('image.abandon', async (tx) => {
      if (await this.parts.images.ownsTransfer(tx, imageId, token))
        await this.parts.images.endTransfer(tx, imageId, status, null, null);
    });
  }
}

/** What to tell of a failed transfer: domain errors as they are, anything else internal. */
export function failureText(error: unknown): string {
  return error instanceof DomainError ? error.message : asDomainError(error).message;
}

/** A raw disk's inside is as large as the file. */
function virtualSize(image: Image, written: Written, found: number | null): number | null {
  if (found !== null) return found;
  return image.disk_format === 'raw' || image.disk_format === 'iso' || image.disk_format === 'gpt'
    ? written.size
    : null;
}
