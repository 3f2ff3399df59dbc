/**
 * Answers of messages that are being worked on or were lately: a message that comes twice (redelivered, published again)
 * is executed once and answered the same. Bounded in number and age.
 */
export class RecentResults<T> {
  private readonly entries = new Map<string, { readonly result: Promise<T>; readonly at: number }>();

  constructor(
    private readonly capacity: number,
    private readonly maxAgeMs: number,
  ) {}

  /** Whether this message is known. */
  has(id: string): boolean {
    const known = this.entries.get(id);
    return known !== undefined && Date.now() - known.at < this.maxAgeMs;
  }

  /** Runs `work` unless its answer is known; only answers that `keep` approves are remembered. */
  once(id: string, work: () => Promise<T>, keep: (result: T) => boolean): Promise<T> {
    if (id === '') return work();
    const known = this.entries.get(id);
    if (known !== undefined && Date.now() - known.at < this.maxAgeMs) return known.result;
    const result = work();
    this.entries.delete(id);
    this.entries.set(id, { result, at: Date.now() });
    if (this.entries.size > this.capacity) {
      const [oldest] = this.entries.keys();
      if (oldest !== undefined) this.entries.delete(oldest);
    }
    result.then(
      (value) => {
        if (!keep(value)) this.entries.delete(id);
      },
      () => this.entries.delete(id),
    );
    return result;
  }
}
