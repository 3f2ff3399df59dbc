/** The highest epoch seen for each run: what a slower, older worker still sends is refused. Bounded. */
export class Epochs {
  private readonly highest = new Map<string, number>();

  constructor(private readonly capacity = 20_000) {}

  /** Whether a command of this epoch may be worked on; notes it when so. */
  admit(key: string, epoch: number): boolean {
    const known = this.highest.get(key);
    if (known !== undefined && epoch < known) return false;
    this.highest.delete(key);
    this.highest.set(key, epoch);
    if (this.highest.size > this.capacity) {
      const [oldest] = this.highest.keys();
      if (oldest !== undefined) this.highest.delete(oldest);
    }
    return true;
  }
}
