import { KeystoneError } from '@nestack/keystone/contract';
import type { Extra } from './model';

/** Options given as null are taken away. */
export function merged(before: Extra, given: Extra): Extra {
  return Object.fromEntries(Object.entries({ ...before, ...given }).filter(([, value]) => value !== null));
}

/**
 * An immutable resource changes only in a request that makes it mutable first. Throws `Immutable`.
 * upstream: keystone/common/resource_options
 */
export function checkMutable(
  type: string,
  before: { readonly id: string; readonly options: Extra },
  fields: { readonly options?: Extra | undefined },
): void {
  if (before.options['immutable'] !== true || fields.options?.['immutable'] === false) return;
  if (fields.options !== undefined && fields.options['immutable'] === null) return;
  throw KeystoneError.Immutable({ verb: 'update', type, id: before.id });
}
