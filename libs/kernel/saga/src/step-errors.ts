import { FENCED } from '@nestack/kernel/context';
import { DomainError } from '@nestack/kernel/errors';
import { WorkerCut } from './fail-points';
import { LeaseLost } from './journal';
import type { SagaStep } from './surface';

/** Which step it was that failed. */
export class StepFailed extends Error {
  constructor(
    readonly step: SagaStep<unknown>,
    override readonly cause: unknown,
  ) {
    super(`step ${step.name} failed`);
  }
}

const WAIT_TIMEOUT = 'WaitTimeout';

/** A wait in vain; trying it again is no use. */
export function waitTimedOut(step: string): DomainError {
  return new DomainError({
    kind: 'unavailable',
    code: WAIT_TIMEOUT,
    message: `Timed out waiting for ${step.replaceAll('_', ' ')}.`,
  });
}

export function isWaitTimeout(error: DomainError): boolean {
  return error.code === WAIT_TIMEOUT;
}

export function cancelled(): DomainError {
  return new DomainError({
    kind: 'conflict',
    code: 'Cancelled',
    message: 'The operation was cancelled by a later one.',
  });
}

/** Whether this worker has nothing more to say in the run. */
export function isOver(error: unknown): boolean {
  if (error instanceof StepFailed) return isOver(error.cause);
  if (error instanceof DomainError && error.code === FENCED) return true;
  const cause = error instanceof DomainError ? error.cause : error;
  return cause instanceof LeaseLost || cause instanceof WorkerCut;
}

/** Whether our own database went away: what was sent last may have been committed or not. */
export function isAway(error: unknown): boolean {
  return error instanceof DomainError && error.code === 'DatabaseUnavailable';
}

/** How long at most a run waits between tries of a step that cannot be given up. */
const LONGEST_PAUSE_MS = 20_000;

/** How long a run waits whose step failed, by its claims since the last progress. */
export function pauseAfter(claims: number): number {
  return Math.min(LONGEST_PAUSE_MS, 500 * 2 ** Math.min(claims, 6));
}
