import { DomainError } from '@nestack/kernel/errors';

/** The answer of a call, or null when what was asked for does not exist (or is hidden). */
export async function orNull<T>(call: Promise<T>): Promise<T | null> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof DomainError && error.kind === 'notFound') return null;
    throw error;
  }
}
