import type { Rest } from '../bootstrap/rest';
import type { Result } from './measure';

/** What scenarios work with. */
export interface Bench {
  readonly rest: Rest;
  readonly keystone: string;
  readonly stateDir: string;
  /** All processes of the cloud now, and that of the services. */
  readonly pids: () => readonly number[];
  readonly servicePids: () => readonly number[];
  readonly scaled: (runs: number) => number;
  /** Stops and starts the cloud; resolves when `up` has ended. */
  readonly restart: () => Promise<void>;
  readonly cli: string;
}

export type Scenario = (bench: Bench) => Promise<Result>;

/** The verdict on a median that has a limit in milliseconds. */
export function below(value: number, limit: number): Pick<Result, 'limit' | 'kept'> {
  return { limit: `median < ${limit} ms`, kept: value < limit };
}
