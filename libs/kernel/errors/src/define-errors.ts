import { DomainError, type ErrorArgs, type ErrorKind } from './domain-error';

/** One error of a service's catalogue: `{name}` in the template is filled from the arguments. */
export interface ErrorDeclaration {
  readonly kind: ErrorKind;
  readonly template: string;
  /** Only where the service's status differs from the kind's. */
  readonly status?: number;
}

export type ErrorFactory = (args?: ErrorArgs, options?: { detail?: string; cause?: unknown }) => DomainError;

export type ErrorCatalogue<T extends Record<string, ErrorDeclaration>> = {
  readonly [Code in keyof T]: ErrorFactory;
} & { readonly declarations: T };

/**
 * A service's errors as data. `const E = defineErrors({ InstanceNotFound: {kind: 'notFound', template: 'Instance
 * {instance_id} could not be found.'} })`, then `throw E.InstanceNotFound({ instance_id })`.
 */
export function defineErrors<const T extends Record<string, ErrorDeclaration>>(declarations: T): ErrorCatalogue<T> {
  const catalogue: Record<string, unknown> = { declarations };
  for (const [code, declaration] of Object.entries(declarations)) {
    const factory: ErrorFactory = (args = {}, options = {}) =>
      new DomainError({
        kind: declaration.kind,
        code,
        args,
        message: fill(declaration.template, args),
        ...(declaration.status === undefined ? {} : { status: declaration.status }),
        ...options,
      });
    catalogue[code] = factory;
  }
  return catalogue as ErrorCatalogue<T>;
}

function fill(template: string, args: ErrorArgs): string {
  return template.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = args[name];
    if (value === undefined) return whole;
    return typeof value === 'string' ? value : JSON.stringify(value);
  });
}
