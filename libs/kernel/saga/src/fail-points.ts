/** Where a test may have this process killed, or a run's worker cut off. */
export type FailPoint =
  | 'before-do'
  | 'after-do'
  | 'before-journal'
  | 'after-journal'
  | 'before-failed'
  | 'after-failed'
  | 'before-undo'
  | 'after-undo'
  | 'before-end'
  | 'after-end';

/** Whether the worker of a run dies at a place: `server.create/spawn:after-do`. */
export type Cut = (place: string) => boolean;

/**
 * What a run passes one after the other with nothing in between that outlasts its worker: nothing at all, or writes of a transaction that
 * is still open and takes them all back.
 */
const ALIKE: readonly (readonly [FailPoint, FailPoint])[] = [
  ['after-do', 'before-journal'],
  ['before-journal', 'before-do'],
  ['before-do', 'before-journal'],
  ['before-journal', 'before-journal'],
  ['before-journal', 'before-end'],
  ['after-journal', 'after-journal'],
  ['after-journal', 'before-do'],
  ['after-journal', 'before-undo'],
  ['after-failed', 'before-undo'],
];

/** Of the places that a run has passed, in their order, one for each state of the world in which its worker can die: the last of those alike. */
export function telling(places: readonly string[]): readonly string[] {
  const pointOf = (place: string | undefined): string => place?.slice(place.lastIndexOf(':') + 1) ?? '';
  const alike = (place: string, next: string | undefined): boolean =>
    ALIKE.some(([one, other]) => one === pointOf(place) && other === pointOf(next));
  return [...new Set(places.filter((place, index) => !alike(place, places[index + 1])))];
}

/** The worker of this run is dead: nothing is written any more, not even its lease given back. */
export class WorkerCut extends Error {
  constructor(place: string) {
    super(`cut at ${place}`);
    this.name = 'WorkerCut';
  }
}

let cut: Cut | null = null;

/** Lets workers of this process die one by one, as tests of every step need it; null ends that. */
export function cutWorkers(at: Cut | null): void {
  cut = at;
}

/** Kills the process, as a power cut would, when `NESTACK_FAILPOINT` names this place: `server.create/spawn:after-do`. */
export function failPoint(kind: string, node: string, point: FailPoint): void {
  const place = `${kind}/${node}:${point}`;
  if (cut?.(place) === true) throw new WorkerCut(place);
  if (process.env['NESTACK_FAILPOINT'] === place) process.kill(process.pid, 'SIGKILL');
}
