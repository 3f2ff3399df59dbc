import { ApiReply, type Operation } from './operation';

/**
 * What a request was about, for traces: the last id in the path, or what a create made: `{resource: 'server:<id>'}`.
 */
export function resourceOf(
  operation: Operation | null,
  params: Readonly<Record<string, string>>,
  result: unknown,
): { resource?: string } {
  if (operation === null) return {};
  const names = [...operation.path.matchAll(/\{(\w+?)_id\}/g)].map((match) => match[1] ?? '');
  const last = names.at(-1);
  const id = last === undefined ? undefined : params[`${last}_id`];
  if (last !== undefined && id !== undefined) return { resource: `${last}:${id}` };
  const body: unknown = result instanceof ApiReply ? result.body : result;
  if (operation.method !== 'POST' || typeof body !== 'object' || body === null) return {};
  for (const [name, value] of Object.entries(body)) {
    if (typeof value !== 'object' || value === null) continue;
    const made = (value as { id?: unknown }).id;
    return typeof made === 'string' ? { resource: `${name}:${made}` } : {};
  }
  return {};
}
