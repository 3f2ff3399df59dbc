import type { Operation } from './operation';

/** Under this key a handler method carries the operation it serves. */
const HANDLES: unique symbol = Symbol.for('nestack.http.handles');

interface Marked {
  [HANDLES]?: Operation;
}

/** Marks a provider's method as the handler of an operation; see `HandlerConvention` for its signature. */
export function Handles(operation: Operation): MethodDecorator {
  return (_target, _key, descriptor) => {
    (descriptor.value as Marked)[HANDLES] = operation;
  };
}

/** The operation that a method handles, or null. */
export function handledOperation(method: unknown): Operation | null {
  return typeof method === 'function' ? ((method as Marked)[HANDLES] ?? null) : null;
}
