/**
 * What stages print that run beside each other, as if they ran one after the other: the first that has not ended prints at once,
 * what the others say is kept until it is their turn.
 */
export class InTurn {
  #turns = [];

  /** A place behind all others, with a heading: `write` what belongs there, and `end` it. */
  open(heading) {
    const turn = { kept: [], ended: false };
    this.#turns.push(turn);
    const write = (data) => {
      turn.kept.push(data);
      this.#print();
    };
    write(`\n== ${heading} ==\n`);
    const end = () => {
      turn.ended = true;
      this.#print();
    };
    return { write, line: (text) => write(`${text}\n`), end };
  }

  #print() {
    while (this.#turns.length > 0) {
      const [first] = this.#turns;
      for (const data of first.kept.splice(0)) process.stdout.write(data);
      if (!first.ended) return;
      this.#turns.shift();
    }
  }
}
