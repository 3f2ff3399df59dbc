import { GlanceError } from '@nestack/glance/contract';
import type { Comparison, Image, ImageQuery, Viewer } from '@nestack/glance/domain';

/** Columns that lists sort and filter by, with how their text compares. */
const COLUMNS: Readonly<Record<string, { readonly cast: string; readonly absent: string }>> = {
  id: { cast: 'uuid', absent: "'00000000-0000-0000-0000-000000000000'::uuid" },
  name: { cast: 'text', absent: "''" },
  status: { cast: 'text', absent: "''" },
  visibility: { cast: 'text', absent: "''" },
  owner: { cast: 'text', absent: "''" },
  checksum: { cast: 'text', absent: "''" },
  os_hash_algo: { cast: 'text', absent: "''" },
  os_hash_value: { cast: 'text', absent: "''" },
  container_format: { cast: 'text', absent: "''" },
  disk_format: { cast: 'text', absent: "''" },
  protected: { cast: 'boolean', absent: 'false' },
  size: { cast: 'bigint', absent: '-1' },
  min_ram: { cast: 'integer', absent: '0' },
  min_disk: { cast: 'integer', absent: '0' },
  created_at: { cast: 'timestamptz', absent: "'epoch'" },
  updated_at: { cast: 'timestamptz', absent: "'epoch'" },
};

const OPERATORS: Readonly<Record<Exclude<Comparison['op'], 'in'>, string>> = {
  eq: '=',
  neq: '<>',
  gt: '>',
  gte: '>=',
  lt: '<',
  lte: '<=',
};

/** Collects a statement's parameters. */
export class Params {
  readonly values: unknown[] = [];

  add(value: unknown): string {
    this.values.push(value);
    return `$${String(this.values.length)}`;
  }
}

/** Which images exist for a viewer when he names them by id. */
export function visibleTo(viewer: Viewer, params: Params): string {
  if (viewer.all) return 'true';
  const project = params.add(viewer.projectId);
  return `(image.visibility IN ('public', 'community') OR image.owner = ${project} OR (image.visibility = 'shared' AND EXISTS (
    SELECT 1 FROM image_member m WHERE m.image_id = image.id AND m.member_id = ${project})))`;
}

/** Conditions of a list; community images of others and refused shares only show when they are asked for. */
export function listConditions(viewer: Viewer, query: ImageQuery, params: Params): string[] {
  const where = ['deleted_at IS NULL', `os_hidden = ${params.add(query.os_hidden)}`];
  where.push(...visibilityConditions(viewer, query, params));
  for (const comparison of query.comparisons) where.push(compare(comparison, params));
  if (Object.keys(query.properties).length > 0)
    where.push(`properties @> ${params.add(JSON.stringify(query.properties))}::jsonb`);
  if (query.tags.length > 0) where.push(`tags @> ${params.add(JSON.stringify(query.tags))}::jsonb`);
  return where;
}

function visibilityConditions(viewer: Viewer, query: ImageQuery, params: Params): string[] {
  const wanted = query.visibility;
  const conditions: string[] = [];
  if (wanted !== null && wanted !== 'all') conditions.push(`visibility = ${params.add(wanted)}`);
  if (viewer.all) return conditions;
  const project = params.add(viewer.projectId);
  const status = query.member_status === 'all' ? 'true' : `m.status = ${params.add(query.member_status)}`;
  const share = `(visibility = 'shared' AND EXISTS (SELECT 1 FROM image_member m WHERE m.image_id = image.id AND m.member_id = ${project} AND ${status}))`;
  const alternatives = ["visibility = 'public'", `owner = ${project}`, share];
  if (wanted === 'all' || wanted === 'community') alternatives.push("visibility = 'community'");
  return [...conditions, `(${alternatives.join(' OR ')})`];
}

function compare(comparison: Comparison, params: Params): string {
  const column = COLUMNS[comparison.field];
  if (column === undefined) throw GlanceError.InvalidInput({ reason: `Cannot filter by ${comparison.field}.` });
  const values = comparison.values;
  if (comparison.field === 'id') {
    // Ids that are none cannot match; as a uuid they would be an error.
    const ids = values.filter((value) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value));
    return ids.length === 0 ? 'false' : `id = ANY (${params.add(ids)}::uuid[])`;
  }
  if (comparison.op === 'in') return `${comparison.field} = ANY (${params.add([...values])}::${column.cast}[])`;
  // Times are compared as they are shown.
  const compared = column.cast === 'timestamptz' ? `date_trunc('second', ${comparison.field})` : comparison.field;
  return `${compared} ${OPERATORS[comparison.op]} ${params.add(values[0] ?? '')}::${column.cast}`;
}

/** `ORDER BY` of a list and the condition that begins it behind the marker's image. */
export function ordering(
  query: ImageQuery,
  marker: Image | null,
  params: Params,
): { readonly order: string; readonly after: string | null } {
  const keys = query.sort.map((one) => ({ ...one, expression: expressionOf(one.key) }));
  const order = keys.map((one) => `${one.expression} ${one.direction}`).join(', ');
  if (marker === null) return { order, after: null };
  const alternatives: string[] = [];
  const equal: string[] = [];
  for (const one of keys) {
    const column = COLUMNS[one.key];
    const value = `COALESCE(${params.add(marker[one.key as keyof Image])}::${column?.cast ?? 'text'}, ${column?.absent ?? "''"})`;
    alternatives.push([...equal, `${one.expression} ${one.direction === 'asc' ? '>' : '<'} ${value}`].join(' AND '));
    equal.push(`${one.expression} = ${value}`);
  }
  return { order, after: `(${alternatives.map((one) => `(${one})`).join(' OR ')})` };
}

function expressionOf(key: string): string {
  const column = COLUMNS[key];
  if (column === undefined) throw GlanceError.InvalidInput({ reason: `Invalid sort key: ${key}` });
  // Columns that are never null keep their index.
  return ['id', 'created_at', 'updated_at', 'status', 'visibility', 'protected', 'min_ram', 'min_disk'].includes(key)
    ? key
    : `COALESCE(${key}, ${column.absent})`;
}
