import { DomainError, asDomainError } from '@nestack/kernel/errors';

interface PgError {
  readonly code?: unknown;
  readonly constraint?: unknown;
  readonly message?: unknown;
  readonly driverError?: unknown;
}

function driverError(error: unknown): PgError {
  const outer = (typeof error === 'object' && error !== null ? error : {}) as PgError;
  return typeof outer.driverError === 'object' && outer.driverError !== null ? (outer.driverError as PgError) : outer;
}

/** SQLSTATE or the system's code of an error; empty when it has none. */
export function codeOf(error: unknown): string {
  const { code } = driverError(error);
  return typeof code === 'string' ? code : '';
}

/** Serialisation failures and deadlocks: the whole transaction may be run again. */
export function isRetryable(error: unknown): boolean {
  return codeOf(error) === '40001' || codeOf(error) === '40P01';
}

/** A connection's prepared statement whose table has got another form since: it is of no use on that connection any more. */
export function isStalePlan(error: unknown): boolean {
  const { message } = driverError(error);
  return codeOf(error) === '0A000' && typeof message === 'string' && message.startsWith('cached plan');
}

/** Whether a unique constraint (that one, if named) stopped the statement. */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  const inner = driverError(error);
  return inner.code === '23505' && (constraint === undefined || inner.constraint === constraint);
}

const LOST = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOENT',
  '57P01',
  '57P02',
  '57P03',
  '25P03',
  '53300',
]);

/** Whether the server is away, or went away in the middle. */
export function isConnectionFailure(error: unknown): boolean {
  const code = codeOf(error);
  if (LOST.has(code) || code.startsWith('08')) return true;
  const { message } = driverError(error);
  return (
    typeof message === 'string' &&
    /Connection terminated|timeout exceeded when trying to connect|not queryable|Client has encountered a connection error/.test(
      message,
    )
  );
}

/** Texts that PostgreSQL does not take: in text columns and parameters, and in JSON. */
const UNSTORABLE = new Set(['22021', '22P05']);

/** A number that no column takes: too large, or so large that JavaScript writes it with an exponent or as Infinity. */
function isUnstorableNumber(error: unknown): boolean {
  if (codeOf(error) === '22003') return true;
  return codeOf(error) === '22P02' && / for type (smallint|integer|bigint): "/.test(String(driverError(error).message));
}

/** Longer than its column, or than an index over it can hold. */
const TOO_LONG = new Set(['22001', '54000']);

/**
 * What a foreign key stopped. Use cases look before they write and tell it in upstream's words; here comes what has changed
 * between the look and the write, and whatever nobody looks at.
 */
function referenceConflict(error: unknown): DomainError {
  const held = String(driverError(error).message).startsWith('update or delete on table');
  return new DomainError({
    kind: 'conflict',
    code: 'Conflict',
    message: held
      ? 'Something else still refers to this resource.'
      : 'A resource that the request refers to is not there.',
    cause: error,
  });
}

/** Database errors as the layers above know them. */
export function toDomainError(error: unknown, what: string): DomainError {
  if (error instanceof DomainError) return error;
  if (isConnectionFailure(error)) {
    return new DomainError({
      kind: 'unavailable',
      code: 'DatabaseUnavailable',
      message: 'The database is temporarily unavailable.',
      detail: `${what}: ${String(driverError(error).message)}`,
      cause: error,
    });
  }
  if (UNSTORABLE.has(codeOf(error))) {
    return new DomainError({
      kind: 'badRequest',
      code: 'InvalidInput',
      message: 'Text with the character U+0000 cannot be stored.',
      cause: error,
    });
  }
  if (codeOf(error) === '23503') return referenceConflict(error);
  if (TOO_LONG.has(codeOf(error))) {
    return new DomainError({
      kind: 'badRequest',
      code: 'InvalidInput',
      message: 'The text is longer than what can be stored.',
      cause: error,
    });
  }
  if (codeOf(error) === '2201B') {
    return new DomainError({
      kind: 'badRequest',
      code: 'InvalidInput',
      message: 'The regular expression is none that the database reads.',
      cause: error,
    });
  }
  if (isUnstorableNumber(error)) {
    return new DomainError({
      kind: 'badRequest',
      code: 'InvalidInput',
      message: 'The number is out of the range that can be stored.',
      cause: error,
    });
  }
  return asDomainError(error);
}
