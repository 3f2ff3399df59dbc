import type { Instance } from '@nestack/nova/domain';

/** How many are kept: two of the longest pages that a list has. */
const MOST = 2000;

/**
 * What identifies a state of a row (alias `i`) for good: each transaction that changes it gives it another `xmin`, and
 * what a transaction changes twice is seen by others once.
 */
export const ROW_VERSION = `i.xmin::text || i.ctid::text`;

/**
 * Instances as they were last read for a list. A list asks PostgreSQL which rows it has and in which versions, and reads
 * only those that it has not seen: most rows of a cloud change rarely, and are listed often. The same version gives the
 * same object, so that what was made from it can be kept with it.
 */
export class SeenInstances {
  private readonly rows = new Map<string, { readonly version: string; readonly instance: Instance }>();

  get(uuid: string, version: string): Instance | undefined {
    const row = this.rows.get(uuid);
    return row?.version === version ? row.instance : undefined;
  }

  /** Forgets the ones that were read first when there are too many. */
  put(version: string, instance: Instance): void {
    this.rows.delete(instance.uuid);
    this.rows.set(instance.uuid, { version, instance });
    if (this.rows.size <= MOST) return;
    for (const oldest of this.rows.keys()) {
      this.rows.delete(oldest);
      if (this.rows.size <= MOST) return;
    }
  }
}
