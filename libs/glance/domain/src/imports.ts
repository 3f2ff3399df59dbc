import type { RequestContext, Tx } from '@nestack/kernel/context';
import { newUuid } from '@nestack/kernel/ids';
import { GlanceError } from '@nestack/glance/contract';
import { EVERYTHING, mustAllow, viewerOf } from './access';
import type { Image, ImportTask } from './image';
import type { ImageDataParts } from './image-data';
import type { TaskRepository, WebSource } from './ports';
import { failureText } from './transfers';

export const IMPORT_METHODS = ['glance-direct', 'web-download'] as const;
export type ImportMethod = (typeof IMPORT_METHODS)[number];

export interface ImportParts extends ImageDataParts {
  readonly tasks: TaskRepository;
  readonly web: WebSource;
  /** Starts an accepted import in the background; a crash before is made good by the sweeper. */
  readonly start: (imageId: string, token: string) => void;
}

/** Interoperable import: the data comes from staging or from the web, after the request was answered. */
export class Imports {
  constructor(private readonly parts: ImportParts) {}

  /** Accepts an import: status `importing` and a task, in one transaction. */
  async request(ctx: RequestContext, id: string, method: string, uri: string | null): Promise<ImportTask> {
    const { db, images, policy, tasks, transfers, web, clock } = this.parts;
    if (!isMethod(method)) throw GlanceError.UnknownImportMethod({ name: method });
    if (method === 'web-download') web.check(uri ?? '');
    const token = newUuid();
    const task = await db.run('image.import', async (tx) => {
      const image = await images.find(tx, id, viewerOf(ctx, policy), { lock: true });
      if (image === null) throw GlanceError.ImageNotFound({ image_id: id });
      mustAllow(ctx, policy, 'modify_image', image);
      if (image.container_format === null) throw GlanceError.FormatNeededForImport({ name: 'container_format' });
      if (image.disk_format === null) throw GlanceError.FormatNeededForImport({ name: 'disk_format' });
      if (method === 'glance-direct' && (image.status !== 'uploading' || image.staged === null))
        throw GlanceError.NeedsStaging();
      if (method === 'web-download' && image.status !== 'queued') throw GlanceError.NeedsQueued();
      const now = clock.now();
      const made: ImportTask = {
        id: newUuid(),
        image_id: id,
        owner: image.owner ?? '',
        user_id: ctx.actor?.userId ?? '',
        request_id: ctx.requestId,
        status: 'processing',
        message: '',
        input: { method, uri: method === 'web-download' ? uri : null },
        created_at: now,
        updated_at: now,
      };
      await tasks.insert(tx, made);
      await images.beginTransfer(tx, id, 'importing', token, transfers.leaseSeconds);
      return made;
    });
    this.parts.start(id, token);
    return task;
  }

  /** Takes up an import whose process is gone: gives it a new lease; null when somebody else has it or it has ended. */
  async adopt(tx: Tx, imageId: string): Promise<string> {
    const token = newUuid();
    await this.parts.images.beginTransfer(tx, imageId, 'importing', token, this.parts.transfers.leaseSeconds);
    return token;
  }

  /** Does an import under its lease. Failures end in the task and put the image back; only a lost lease passes silently. */
  async run(imageId: string, token: string): Promise<void> {
    const { db, images, tasks, transfers } = this.parts;
    const found = await db.run('image.import.read', async (tx) => {
      if (!(await images.ownsTransfer(tx, imageId, token))) return null;
      const image = await images.find(tx, imageId, EVERYTHING);
      const task = await tasks.running(tx, imageId);
      return image === null || task === null ? null : { image, task };
    });
    if (found === null) return;
    const { image, task } = found;
    const temporary = transfers.temporary(imageId, token);
    try {
      await transfers.whileLeased(imageId, token, () => this.#bring(image, task, token, temporary));
      await this.#end(task, 'success', 'Image import has finished.');
    } catch (error) {
      await transfers.abandon(imageId, token, temporary, 'queued');
      await this.parts.store.discard(`${imageId}.staged`);
      await this.#end(task, 'failure', failureText(error));
    }
  }

  async #bring(image: Image, task: ImportTask, token: string, temporary: string): Promise<void> {
    const { store, transfers, web, limits } = this.parts;
    if (task.input.method === 'glance-direct') {
      if (image.staged === null) throw GlanceError.NeedsStaging();
      await transfers.finish(image, token, `${image.id}.staged`, image.staged);
      return;
    }
    const source = await web.fetch(task.input.uri ?? '');
    const written = await store.write(temporary, source, limits.image_size_cap).finally(() => source.destroy());
    await transfers.finish(image, token, temporary, transfers.verify(image, written));
  }

  async #end(task: ImportTask, status: 'success' | 'failure', message: string): Promise<void> {
    await this.parts.db.run('task.end', (tx) =>
      this.parts.tasks.update(tx, task.id, status, message, this.parts.clock.now()),
    );
  }
}

function isMethod(name: string): name is ImportMethod {
  return (IMPORT_METHODS as readonly string[]).includes(name);
}
