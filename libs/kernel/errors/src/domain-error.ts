/**
 * What kind of failure this is, closed on purpose: the HTTP status, the retry rule and the log level follow
 * from the kind alone, so that no code elsewhere has to guess from a message.
 */
export type ErrorKind =
  | 'badRequest'
  | 'unauthenticated'
  | 'forbidden'
  | 'overQuota'
  | 'notFound'
  | 'methodNotAllowed'
  | 'notAcceptable'
  | 'conflict'
  | 'gone'
  | 'preconditionFailed'
  | 'tooLarge'
  | 'unsupportedMediaType'
  | 'unsupported'
  | 'unavailable'
  | 'bug';

/** The arguments of an error's message template; plain data, it crosses RPC. */
export type ErrorArgs = Readonly<Record<string, unknown>>;

/** The form in which an error crosses RPC and is kept in journals: no class names, no stack. */
export interface WireError {
  readonly kind: ErrorKind;
  readonly code: string;
  readonly args: ErrorArgs;
  readonly message: string;
}

export interface DomainErrorOptions {
  readonly kind: ErrorKind;
  /** Upstream's name of the error, e.g. `InstanceNotFound`. */
  readonly code: string;
  /** Public text: it reaches the client. */
  readonly message: string;
  readonly args?: ErrorArgs;
  /** Internal context: goes to the log, never to a client. */
  readonly detail?: string;
  /** An HTTP status that differs from the kind's own (e.g. cinder's 413 for a quota). */
  readonly status?: number;
  readonly cause?: unknown;
}

/** The one error type of all layers below REST. */
export class DomainError extends Error {
  readonly kind: ErrorKind;
  readonly code: string;
  readonly args: ErrorArgs;
  readonly detail: string | undefined;
  readonly status: number | undefined;

  constructor(options: DomainErrorOptions) {
    super(options.message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = options.code;
    this.kind = options.kind;
    this.code = options.code;
    this.args = options.args ?? {};
    this.detail = options.detail;
    this.status = options.status;
  }

  /** This error as data, for RPC replies and journals. */
  toWire(): WireError {
    return { kind: this.kind, code: this.code, args: this.args, message: this.message };
  }

  /** An error that came over RPC or out of a journal, as an error again. */
  static fromWire(wire: WireError): DomainError {
    return new DomainError({ kind: wire.kind, code: wire.code, message: wire.message, args: wire.args });
  }
}

/** Whether the same call may succeed later without anybody changing it. Adding a kind breaks the build here. */
export function retryable(kind: ErrorKind): boolean {
  switch (kind) {
    case 'unavailable':
      return true;
    case 'badRequest':
    case 'unauthenticated':
    case 'forbidden':
    case 'overQuota':
    case 'notFound':
    case 'methodNotAllowed':
    case 'notAcceptable':
    case 'conflict':
    case 'gone':
    case 'preconditionFailed':
    case 'tooLarge':
    case 'unsupportedMediaType':
    case 'unsupported':
    case 'bug':
      return false;
    default:
      return never(kind);
  }
}

/** The HTTP status of a kind; services may differ per error through `status`. */
export function statusOf(error: DomainError): number {
  return error.status ?? STATUS[error.kind];
}

/** The HTTP status that a kind has where a service says nothing else. */
export function kindStatus(kind: ErrorKind): number {
  return STATUS[kind];
}

const STATUS: Readonly<Record<ErrorKind, number>> = {
  badRequest: 400,
  unauthenticated: 401,
  forbidden: 403,
  overQuota: 403,
  notFound: 404,
  methodNotAllowed: 405,
  notAcceptable: 406,
  conflict: 409,
  gone: 410,
  preconditionFailed: 412,
  tooLarge: 413,
  unsupportedMediaType: 415,
  unsupported: 501,
  unavailable: 503,
  bug: 500,
};

/** Any thrown thing as a DomainError; what is not one already is a bug and keeps its text internal. */
export function asDomainError(error: unknown): DomainError {
  if (error instanceof DomainError) return error;
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return new DomainError({
    kind: 'bug',
    code: 'UnexpectedError',
    message: 'The server has either erred or is incapable of performing the requested operation.',
    detail,
    cause: error,
  });
}

function never(value: never): never {
  throw new Error(`unhandled error kind ${String(value)}`);
}
