import type { TObject } from 'typebox';

type Json = Record<string, unknown>;

/** A schema's settings as a table in Markdown: key, type, default, meaning. */
export function configReference(schema: TObject): string {
  const rows = ['| Key | Type | Default | Meaning |', '|---|---|---|---|'];
  walk(schema as unknown as Json, '', rows);
  return `${rows.join('\n')}\n`;
}

function walk(schema: Json, prefix: string, rows: string[]): void {
  const required = new Set((schema['required'] as string[] | undefined) ?? []);
  for (const [name, one] of Object.entries((schema['properties'] as Record<string, Json> | undefined) ?? {})) {
    const key = `${prefix}${name}`;
    if (one['type'] === 'object' && one['properties'] !== undefined) {
      walk(one, `${key}.`, rows);
      continue;
    }
    const fallback = one['default'] === undefined ? (required.has(name) ? 'required' : '') : code(JSON.stringify(one['default']));
    rows.push(`| ${code(key)} | ${typeOf(one)} | ${fallback} | ${typeof one['description'] === 'string' ? one['description'] : ''} |`);
  }
}

function typeOf(schema: Json): string {
  if (Array.isArray(schema['anyOf'])) return (schema['anyOf'] as Json[]).map(typeOf).join(' or ');
  if (schema['const'] !== undefined) return code(JSON.stringify(schema['const']));
  if (Array.isArray(schema['enum'])) return (schema['enum'] as unknown[]).map((one) => code(JSON.stringify(one))).join(' or ');
  if (schema['type'] === 'array') return `list of ${typeOf((schema['items'] as Json | undefined) ?? {})}`;
  return typeof schema['type'] === 'string' ? schema['type'] : 'any';
}

function code(text: string): string {
  return `\`${text}\``;
}
