import type { Operation } from './operation';

/** Under this key a handler method carries the operations it serves. */
const HANDLES: unique symbol = Symbol.for('nestack.http.handles');

interface Marked {
  [HANDLES]?: readonly Operation[];
}

/** Marks a provider's method as the handler of an operation, or of several alike; see `HandlerConvention` for its signature. */
export function Handles(...operations: readonly Operation[]): MethodDecorator {
  return (_target, _key, descriptor) => {
    (descriptor.value as Marked)[HANDLES] = operations;
  };
}

/** The operations that a method handles. */
export function handledOperations(method: unknown): readonly Operation[] {
  return typeof method === 'function' ? ((method as Marked)[HANDLES] ?? []) : [];
}
