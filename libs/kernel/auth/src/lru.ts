/** A map of bounded size that forgets what was not used for longest. */
export class Lru<V> {
  readonly #items = new Map<string, V>();

  constructor(readonly capacity: number) {}

  get size(): number {
    return this.#items.size;
  }

  get(key: string): V | undefined {
    const value = this.#items.get(key);
    if (value === undefined) return undefined;
    this.#items.delete(key);
    this.#items.set(key, value);
    return value;
  }

  set(key: string, value: V): void {
    this.#items.delete(key);
    this.#items.set(key, value);
    if (this.#items.size > this.capacity) {
      const oldest = this.#items.keys().next();
      if (oldest.done !== true) this.#items.delete(oldest.value);
    }
  }

  delete(key: string): void {
    this.#items.delete(key);
  }

  clear(): void {
    this.#items.clear();
  }

  entries(): IterableIterator<[string, V]> {
    return this.#items.entries();
  }
}
