import { GlanceError } from '@nestack/glance/contract';

export interface PatchOperation {
  readonly op: 'add' | 'replace' | 'remove';
  /** Path parts, unescaped: `['owner_specified.openstack.md5']`, `['tags']`. */
  readonly path: readonly string[];
  readonly value: unknown;
}

/**
 * Reads a JSON patch of either media type (`v2.1`: `{op, path, value}`; `v2.0`: `{add: path, value}`). Throws 400 with
 * upstream's texts.
 */
export function parsePatch(body: unknown, mediaType: string): PatchOperation[] {
  if (!Array.isArray(body)) throw bad('Request body must be a JSON array of operation objects.');
  const old = mediaType.includes('v2.0-json-patch');
  return body.map((item: unknown) => {
    if (typeof item !== 'object' || item === null || Array.isArray(item)) throw bad('Operations must be JSON objects.');
    const change = item as Record<string, unknown>;
    const [op, path] = old ? oldForm(change) : newForm(change);
    if (op !== 'remove' && !('value' in change)) throw bad(`Operation "${op}" requires a member named "value".`);
    return { op, path: parts(path), value: change['value'] };
  });
}

function newForm(change: Record<string, unknown>): ['add' | 'replace' | 'remove', unknown] {
  const op = change['op'];
  if (op === undefined) throw bad("Unable to find 'op' in JSON Schema change");
  if (op !== 'add' && op !== 'replace' && op !== 'remove') {
    throw bad(`Operations must be one of "add", "replace" or "remove", not ${String(op)}.`);
  }
  if (change['path'] === undefined) throw bad("Unable to find 'path' in JSON Schema change");
  return [op, change['path']];
}

function oldForm(change: Record<string, unknown>): ['add' | 'replace' | 'remove', unknown] {
  const named = (['add', 'replace', 'remove'] as const).filter((op) => op in change);
  const [op] = named;
  if (op === undefined || named.length !== 1) {
    throw bad('Operation objects must contain exactly one member named "add", "remove", or "replace".');
  }
  return [op, change[op]];
}

function parts(path: unknown): string[] {
  if (typeof path !== 'string') throw bad('Json path should be a string.');
  if (!path.startsWith('/')) throw bad('Json path should start with a /.');
  if (path.endsWith('/') || path.includes('//')) throw bad('Json path contains an empty part.');
  if (/~(?![01])/.test(path)) throw bad('Pointer contains "~" not part of a recognized escape sequence.');
  const found = path
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~').trim());
  if (found.some((part) => part === '')) throw bad('Json path contains an empty part.');
  const [first] = found;
  const depth = first === 'locations' ? 2 : 1;
  if (found.length > depth) throw bad("Invalid JSON pointer for this resource: '" + path + "'");
  return found;
}

function bad(reason: string): Error {
  return GlanceError.InvalidPatch({ reason });
}
