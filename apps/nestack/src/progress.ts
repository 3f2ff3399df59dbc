/** Shows what is done, with times; several things may be under way at once. */
export class Progress {
  readonly #began = performance.now();

  constructor(private readonly write: (text: string) => void = (text) => void process.stdout.write(text)) {}

  /** Runs one step; shows its title at once and its outcome with the time it took at the end. */
  async step<T>(title: string, fn: (say: (detail: string) => void) => Promise<T>): Promise<T> {
    const began = performance.now();
    let detail = '';
    this.#line('·', title);
    try {
      const result = await fn((text) => (detail = text));
      this.#line('✓', `${title}${detail === '' ? '' : `: ${detail}`} (${seconds(performance.now() - began)})`);
      return result;
    } catch (error) {
      this.#line('✗', `${title} (${seconds(performance.now() - began)})`);
      throw error;
    }
  }

  note(text: string): void {
    this.#line(' ', text);
  }

  /** Time since this began, in words. */
  elapsed(): string {
    return seconds(performance.now() - this.#began);
  }

  #line(mark: string, text: string): void {
    const at = ((performance.now() - this.#began) / 1000).toFixed(1).padStart(6);
    this.write(`${at}  ${mark} ${text}\n`);
  }
}

/** `1.2 s`; whole seconds from 10 on. */
export function seconds(milliseconds: number): string {
  const value = milliseconds / 1000;
  return `${value >= 10 ? Math.round(value) : value.toFixed(1)} s`;
}
