import type { ImageDataParts } from './image-data';
import type { Imports } from './imports';
import type { TaskRepository } from './ports';

/** Data that nobody knows is removed once it has not changed for this long. */
const ORPHAN_AGE_MS = 60_000;

/**
 * Puts right what killed processes left: images in `saving` or `uploading` go back to `queued`, imports are taken up again,
 * temporary data and data without an image is removed. Any number of processes may sweep at once.
 */
export class Sweeper {
  constructor(
    private readonly parts: ImageDataParts & { readonly tasks: TaskRepository },
    private readonly imports: Imports,
    private readonly start: (imageId: string, token: string) => void,
  ) {}

  /** Images whose transfer's process is gone. Returns how many there were. */
  async sweepTransfers(): Promise<number> {
    const { db, images, tasks } = this.parts;
    const resumed: { id: string; token: string }[] = [];
    const count = await db.run('image.sweep', async (tx) => {
      resumed.length = 0;
      const abandoned = await images.abandoned(tx);
      for (const image of abandoned) {
        const importing = image.status === 'importing' && (await tasks.running(tx, image.id)) !== null;
        if (importing) resumed.push({ id: image.id, token: await this.imports.adopt(tx, image.id) });
        else await images.endTransfer(tx, image.id, 'queued', null, null);
      }
      return abandoned.length;
    });
    for (const { id, token } of resumed) this.start(id, token);
    return count;
  }

  /** Data without an image. Returns how many files went. */
  async sweepData(): Promise<number> {
    const { db, images, store } = this.parts;
    const found = await store.inventory(ORPHAN_AGE_MS);
    const ids = [...new Set([...found.images, ...found.temporary.map(idOf)])];
    if (ids.length === 0) return 0;
    const existing = await db.read('image.existing', (tx) => images.existing(tx, ids));
    let removed = 0;
    for (const id of found.images) {
      if (existing.has(id)) continue;
      await store.remove(id);
      removed += 1;
    }
    for (const name of found.temporary) {
      // Staged data waits for its import as long as its image lives; a transfer's own file changes while it runs.
      if (name.endsWith('.staged') && existing.has(idOf(name))) continue;
      await store.discard(name);
      removed += 1;
    }
    return removed;
  }
}

function idOf(name: string): string {
  return name.split('.')[0] ?? name;
}
