/**
 * A value as Python's `repr` shows it: upstream's validation messages quote what was sent this way, and clients' tests
 * compare them.
 */
export function pyRepr(value: unknown): string {
  return represent(value, 0);
}

/** Deeper than any body of sense; a client's nesting must not use up the stack. */
const DEEPEST = 100;

function represent(value: unknown, depth: number): string {
  if (value === null || value === undefined) return 'None';
  if (value === true) return 'True';
  if (value === false) return 'False';
  if (typeof value === 'string') return quote(value);
  if (typeof value === 'object' && depth > DEEPEST) return '...';
  if (Array.isArray(value)) return `[${value.map((item) => represent(item, depth + 1)).join(', ')}]`;
  if (typeof value === 'object') {
    const parts = Object.entries(value).map(([key, item]) => `${quote(key)}: ${represent(item, depth + 1)}`);
    return `{${parts.join(', ')}}`;
  }
  return String(value);
}

/** A value as Python's `str` shows it: as `repr`, but text bare. */
export function pyStr(value: unknown): string {
  return typeof value === 'string' ? value : pyRepr(value);
}

function quote(text: string): string {
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'";
  const body = text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\r', '\\r').replaceAll('\t', '\\t');
  return mark + (mark === "'" ? body.replaceAll("'", "\\'") : body) + mark;
}

const TRUE = new Set(['1', 't', 'true', 'on', 'y', 'yes']);
const FALSE = new Set(['0', 'f', 'false', 'off', 'n', 'no']);

/** A boolean in any of the forms that Python clients send (oslo's `bool_from_string`), or null when it is none. */
export function parseBoolean(text: string): boolean | null {
  const lower = text.trim().toLowerCase();
  if (TRUE.has(lower)) return true;
  return FALSE.has(lower) ? false : null;
}
