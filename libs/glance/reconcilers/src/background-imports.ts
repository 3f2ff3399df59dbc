import type { Logger } from '@nestack/kernel/log';

/** Imports that this process does, beside requests. What a stopping process cannot end, another one takes up. */
export class BackgroundImports {
  readonly #running = new Set<Promise<void>>();
  #run: ((imageId: string, token: string) => Promise<void>) | null = null;

  constructor(private readonly log: Logger) {}

  /** Says how an import is done; given late because the use case and this know each other. */
  bind(run: (imageId: string, token: string) => Promise<void>): void {
    this.#run = run;
  }

  /** Begins an import; its failures are the task's, what remains is logged. */
  readonly start = (imageId: string, token: string): void => {
    if (this.#run === null) throw new Error('imports are not bound');
    const work = this.#run(imageId, token)
      .catch((error: unknown) => this.log.error(null, 'import_failed', { image_id: imageId, error }))
      .finally(() => this.#running.delete(work));
    this.#running.add(work);
  };

  /** Waits for those under way. */
  async drain(): Promise<void> {
    await Promise.all(this.#running);
  }
}
