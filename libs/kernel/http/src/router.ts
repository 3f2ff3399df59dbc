import { conventionsOf } from './conventions';
import type { ApiDeclaration, Operation } from './operation';

interface Node {
  readonly children: Map<string, Node>;
  parameter: Node | null;
  /** Operations by method; several where a body's action or the microversion decides. */
  readonly methods: Map<string, Operation[]>;
  /** Names of the parameters on the way here; those of the first declaration with this path. */
  names: readonly string[];
}

export interface RouteMatch {
  /** What the path serves, by method. */
  readonly methods: ReadonlyMap<string, readonly Operation[]>;
  readonly params: Record<string, string>;
  /** The prefix as the client wrote it: `/v2.1/<project>`. */
  readonly prefix: string;
  /** The project named in the prefix. */
  readonly project: string | null;
}

/** Finds an API's operations by path. Own, because one path of OpenStack serves many operations (`…/action`, versions). */
export class Router {
  readonly #prefixes: readonly (readonly string[])[];
  readonly #root = node();
  readonly #strict: boolean;

  constructor(api: ApiDeclaration) {
    // The longest first: `/v2.1/{project_id}` must not swallow `/v2.1/servers`, so plain ones are tried before.
    this.#prefixes = api.prefixes
      .map((prefix) => prefix.split('/').filter((part) => part !== ''))
      .sort((a, b) => Number(a.some(isParameter)) - Number(b.some(isParameter)) || b.length - a.length);
    for (const operation of api.operations) this.#add(operation);
    this.#strict = conventionsOf(api.type).trailingSlashIsNotFound === true;
  }

  #add(operation: Operation): void {
    let at = this.#root;
    const names: string[] = [];
    for (const part of operation.path.split('/').filter((one) => one !== '')) {
      if (isParameter(part)) {
        names.push(part.slice(1, -1));
        at.parameter ??= node();
        at = at.parameter;
      } else {
        let next = at.children.get(part);
        if (next === undefined) {
          next = node();
          at.children.set(part, next);
        }
        at = next;
      }
    }
    if (at.methods.size === 0) at.names = names;
    else if (at.names.join() !== names.join())
      throw new Error(`${operation.id}: parameter names differ from those of another operation at ${operation.path}`);
    const same = at.methods.get(operation.method);
    if (same === undefined) at.methods.set(operation.method, [operation]);
    else same.push(operation);
  }

  /**
   * What serves the path (no query), or null. One trailing slash more or less does not matter (behind the prefix alone, where
   * the service is strict), nor neutron's old `.json`.
   */
  match(path: string): RouteMatch | null {
    const raw = path.split('/').slice(1);
    const slash = raw.at(-1) === '';
    if (slash) raw.pop();
    for (const prefix of this.#prefixes) {
      if (raw.length < prefix.length) continue;
      let project: string | null = null;
      let fits = true;
      for (const [index, part] of prefix.entries()) {
        const given = raw[index] ?? '';
        if (isParameter(part)) project = decode(given);
        else if (part !== given) fits = false;
      }
      if (!fits || project === '') continue;
      const rest = raw.slice(prefix.length);
      if (slash && this.#strict && rest.length > 0) continue;
      const found = this.#walk(this.#root, rest, 0) ?? this.#withoutJson(rest);
      if (found === null) continue;
      const params: Record<string, string> = {};
      found.values.forEach((value, index) => (params[found.node.names[index] ?? ''] = decode(value)));
      if (project !== null) params['project_id'] ??= project;
      return {
        methods: found.node.methods,
        params,
        project,
        prefix: `/${raw.slice(0, prefix.length).join('/')}`.replace(/\/$/, ''),
      };
    }
    return null;
  }

  /** Whether the path lies below one of the API's prefixes. */
  covers(path: string): boolean {
    const raw = path.split('/').slice(1);
    return this.#prefixes.some((prefix) => prefix.every((part, index) => isParameter(part) || part === raw[index]));
  }

  #withoutJson(parts: readonly string[]): { node: Node; values: string[] } | null {
    const last = parts.at(-1);
    if (last === undefined || !last.endsWith('.json') || last === '.json') return null;
    return this.#walk(this.#root, [...parts.slice(0, -1), last.slice(0, -5)], 0);
  }

  #walk(at: Node, parts: readonly string[], index: number): { node: Node; values: string[] } | null {
    const part = parts[index];
    if (part === undefined) return at.methods.size > 0 ? { node: at, values: [] } : null;
    const child = at.children.get(part);
    const exact = child === undefined ? null : this.#walk(child, parts, index + 1);
    if (exact !== null) return exact;
    if (at.parameter === null || part === '') return null;
    const rest = this.#walk(at.parameter, parts, index + 1);
    return rest === null ? null : { node: rest.node, values: [part, ...rest.values] };
  }
}

function node(): Node {
  return { children: new Map(), parameter: null, methods: new Map(), names: [] };
}

function isParameter(part: string): boolean {
  return part.startsWith('{');
}

/** Percent-decoding that never throws: a malformed escape stays as it was sent, as under WSGI. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
