import type { Instance } from '@nestack/nova/domain';
import { INSTANCE_COLUMNS } from './instance-rows';

/** Columns of JSON that are the same in many rows of a list: flavors, images, empty metadata. */
const ALIKE = ['flavor', 'image', 'metadata', 'tags', 'request'] as const;
const TIMES = ['created_at', 'updated_at', 'launched_at', 'terminated_at', 'deleted_at'] as const;

/** A row of a list as it comes: times in milliseconds of the epoch, what is alike as text. */
export type ListedRow = Omit<Instance, (typeof ALIKE)[number] | (typeof TIMES)[number]> &
  Readonly<Record<(typeof ALIKE)[number], string | null>> &
  Readonly<Record<(typeof TIMES)[number], number | null>>;

const ALIKE_COLUMNS: ReadonlySet<string> = new Set(ALIKE);
const TIME_COLUMNS: ReadonlySet<string> = new Set(TIMES);

/**
 * The columns of a list of instances (alias `i`), in the forms that are quickest to read; without key data, which no list
 * shows, and without user data, which may be long.
 */
export const LISTED_COLUMNS = INSTANCE_COLUMNS.map((column) => {
  if (column === 'key_data' || column === 'user_data') return `NULL::text AS ${column}`;
  if (ALIKE_COLUMNS.has(column)) return `i.${column}::text AS ${column}`;
  if (TIME_COLUMNS.has(column)) return `(extract(epoch FROM i.${column}) * 1000)::float8 AS ${column}`;
  return `i.${column}`;
}).join(', ');

const LONGEST = 4096;
const MOST = 2000;
/** What texts mean; rows of lists share it, and nobody changes an instance that was read. */
const parsed = new Map<string, unknown>();

function parse(text: string | null): unknown {
  if (text === null) return null;
  let value = parsed.get(text);
  if (value === undefined) {
    value = JSON.parse(text) as unknown;
    if (text.length <= LONGEST) {
      if (parsed.size >= MOST) parsed.clear();
      parsed.set(text, value);
    }
  }
  return value;
}

/** The instance of a listed row. */
export function fromListed(row: ListedRow): Instance {
  const instance = row as unknown as Record<string, unknown>;
  for (const column of ALIKE) instance[column] = parse(row[column]);
  for (const column of TIMES) {
    const at = row[column];
    instance[column] = at === null ? null : new Date(at);
  }
  return instance as unknown as Instance;
}
