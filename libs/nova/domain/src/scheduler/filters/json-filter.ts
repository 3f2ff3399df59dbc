import { attributeOf, attributesOf } from '../host-state';
import type { HostFilter } from './host-filter';

/** Queries nested deeper than this are nobody's question. */
const DEEPEST = 32;

type Attributes = Readonly<Record<string, unknown>>;
type Operator = (args: readonly unknown[]) => boolean;

/** Whether the first argument compares so with all others; numbers with numbers, texts with texts. */
const compared =
  (compare: (a: string | number, b: string | number) => boolean): Operator =>
  ([first, ...others]) =>
    others.length > 0 && others.every((other) => comparable(first, other) && compare(first as never, other as never));

const comparable = (a: unknown, b: unknown): boolean =>
  typeof a === typeof b && (typeof a === 'number' || typeof a === 'string');

const OPERATORS: Readonly<Record<string, Operator>> = {
  '=': ([first, ...others]) => others.length > 0 && others.every((other) => other === first),
  '<': compared((a, b) => a < b),
  '>': compared((a, b) => a > b),
  '<=': compared((a, b) => a <= b),
  '>=': compared((a, b) => a >= b),
  in: ([first, ...others]) => others.includes(first),
  not: (args) => args.some((arg) => arg !== true),
  or: (args) => args.some((arg) => arg === true),
  and: (args) => args.every((arg) => arg === true),
};

/**
 * The hint `query` in JSON: `["and", [">=", "$free_ram_mb", 1024], ["=", "$hypervisor_type", "QEMU"]]`. What starts with `$`
 * is an attribute of the host, named as upstream's. A query that makes no sense lets no host pass.
 */
export const jsonFilter: HostFilter = {
  name: 'JsonFilter',
  passes: (host, { spec }) => {
    const hint = spec.scheduler_hints['query'];
    if (hint === undefined || hint === null || hint === '') return true;
    const query = typeof hint === 'string' ? parsed(hint) : hint;
    return evaluate(query, attributesOf(host), 0);
  },
};

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}

function evaluate(query: unknown, attributes: Attributes, depth: number): boolean {
  if (!Array.isArray(query) || depth > DEEPEST) return false;
  if (query.length === 0) return true;
  const [name, ...args] = query as readonly unknown[];
  const operator = typeof name === 'string' && Object.hasOwn(OPERATORS, name) ? OPERATORS[name] : undefined;
  const values = args.map((arg) =>
    Array.isArray(arg) ? evaluate(arg, attributes, depth + 1) : valueOf(arg, attributes),
  );
  return operator?.(values.filter((value) => value !== undefined && value !== null)) ?? false;
}

function valueOf(arg: unknown, attributes: Attributes): unknown {
  if (typeof arg !== 'string' || !arg.startsWith('$')) return arg === '' ? undefined : arg;
  return attributeOf(attributes, arg.slice(1).split('.'));
}
