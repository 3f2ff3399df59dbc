import { NovaError } from '@nestack/nova/contract';

/** How many moves are remembered that were given up: far more than can have commands on their way. */
const REMEMBERED = 1000;

/**
 * What a host does for moves of guests, so that it can be stopped. Once a move is given up no command of it is carried out
 * any more, be it one that came first but has waited.
 */
export class MovesUnderWay {
  private readonly working = new Map<string, Set<AbortController>>();
  private readonly givenUp = new Set<string>();

  /** Works for a move; the signal says when that is in vain. Throws MoveGivenUp. */
  async during<T>(move: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    this.assertOpen(move);
    const controller = new AbortController();
    const others = this.working.get(move) ?? new Set();
    this.working.set(move, others.add(controller));
    try {
      return await work(controller.signal);
    } finally {
      others.delete(controller);
      if (others.size === 0) this.working.delete(move);
    }
  }

  assertOpen(move: string): void {
    if (this.givenUp.has(move)) throw NovaError.MoveGivenUp({ migration_uuid: move });
  }

  giveUp(move: string): void {
    this.givenUp.add(move);
    const [oldest] = this.givenUp;
    if (this.givenUp.size > REMEMBERED && oldest !== undefined) this.givenUp.delete(oldest);
    for (const controller of this.working.get(move) ?? [])
      controller.abort(NovaError.MoveGivenUp({ migration_uuid: move }));
  }
}

/** The answer, unless the signal comes first. */
export function orAborted<T>(answer: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      reject(signal.reason as Error);
    };
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    answer.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', abort);
    });
  });
}
