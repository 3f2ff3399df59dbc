import { isUuidLike } from '@nestack/kernel/ids';
import { SORT_KEYS } from '@nestack/nova/contract';
import type { InstanceQuery, MatchedAttribute } from '@nestack/nova/domain';

/** A time as nova's database writes it, in UTC. */
const time = (column: string): string => `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')`;

/** The text of an attribute that a regular expression is for; nova has 1, 0 and '' where ours are booleans. */
const TEXTS: Readonly<Record<MatchedAttribute, string>> = {
  access_ip_v4: 'i.access_ip_v4',
  access_ip_v6: 'i.access_ip_v6',
  auto_disk_config: "CASE i.disk_config WHEN 'AUTO' THEN '1' ELSE '0' END",
  availability_zone: 'i.availability_zone',
  config_drive: "CASE WHEN i.config_drive THEN 'True' ELSE '' END",
  created_at: time('i.created_at'),
  display_description: 'i.display_description',
  display_name: 'i.display_name',
  hostname: 'i.hostname',
  kernel_id: "''",
  key_name: 'i.key_name',
  launch_index: 'i.launch_index::text',
  launched_at: time('i.launched_at'),
  locked_by: 'i.locked_by',
  node: 'i.node',
  power_state: 'i.power_state::text',
  progress: 'i.progress::text',
  ramdisk_id: "''",
  reservation_id: 'i.reservation_id',
  root_device_name: 'i.root_device_name',
  terminated_at: time('i.terminated_at'),
};

/** The WHERE clause of a list without its page, parameters appended. */
export function instanceFilters(query: InstanceQuery, params: unknown[]): string {
  const where: string[] = [];
  const add = (sql: (placeholder: string) => string, value: unknown): void => {
    params.push(value);
    where.push(sql(`$${params.length}`));
  };
  if (query.deleted === true) where.push('i.deleted_at IS NOT NULL');
  else if ((query.changes_since === undefined && query.changes_before === undefined) || query.deleted === false)
    where.push('i.deleted_at IS NULL');
  if (query.project_id !== null) add((p) => `i.project_id = ${p}`, query.project_id);
  const equal: readonly (readonly [string, unknown])[] = [
    ['i.user_id', query.user_id],
    ['i.host', query.host],
    ["i.flavor->>'id'", query.flavor_id],
  ];
  for (const [column, value] of equal) if (value !== undefined) add((p) => `${column} = ${p}`, value);
  for (const [attribute, pattern] of Object.entries(query.matches ?? {}))
    add((p) => `${TEXTS[attribute as MatchedAttribute]} ~ ${p}`, pattern);
  if (query.image_id !== undefined) {
    if (query.image_id === '') where.push('i.image IS NULL');
    else add((p) => `i.image->>'id' = ${p}`, query.image_id);
  }
  if (query.uuid !== undefined) add((p) => `i.uuid = ANY(${p}::uuid[])`, [query.uuid].filter(isUuidLike));
  if (query.vm_states !== undefined) add((p) => `i.vm_state = ANY(${p}::text[])`, query.vm_states);
  if (query.task_states !== undefined) add((p) => `i.task_state = ANY(${p}::text[])`, query.task_states);
  if (query.changes_since !== undefined) add((p) => `i.updated_at >= ${p}`, query.changes_since);
  // By the second, which is what a server shows of its own time.
  if (query.changes_before !== undefined)
    add((p) => `i.updated_at < date_trunc('second', ${p}::timestamptz) + interval '1 second'`, query.changes_before);
  if (query.locked !== undefined) where.push(query.locked ? 'i.locked_by IS NOT NULL' : 'i.locked_by IS NULL');
  if (query.tags !== undefined) add((p) => `i.tags @> ${p}::jsonb`, JSON.stringify(query.tags));
  if (query.tags_any !== undefined) add((p) => `i.tags ?| ${p}::text[]`, query.tags_any);
  if (query.not_tags !== undefined) add((p) => `NOT i.tags @> ${p}::jsonb`, JSON.stringify(query.not_tags));
  if (query.not_tags_any !== undefined) add((p) => `NOT i.tags ?| ${p}::text[]`, query.not_tags_any);
  const addresses: string[] = [];
  const address = (pattern: string | undefined, colon: string): void => {
    if (pattern === undefined) return;
    params.push(pattern);
    addresses.push(`(f->>'ip_address' ${colon} '%:%' AND f->>'ip_address' ~ $${params.length})`);
  };
  address(query.ip, 'NOT LIKE');
  address(query.ip6, 'LIKE');
  if (addresses.length > 0)
    where.push(`EXISTS (SELECT 1 FROM jsonb_array_elements(i.nics) n, jsonb_array_elements(n->'fixed_ips') f
      WHERE ${addresses.join(' OR ')})`);
  return where.length === 0 ? 'TRUE' : where.join(' AND ');
}

/** Sort keys that are not columns of their own. */
const EXPRESSIONS: Readonly<Record<string, (row: string) => string>> = {
  auto_disk_config: (row) => `${row}.disk_config`,
  image_ref: (row) => `${row}.image->>'id'`,
  instance_type_id: (row) => `${row}.flavor->>'id'`,
  kernel_id: () => "''::text",
  locked: (row) => `(${row}.locked_by IS NOT NULL)`,
  ramdisk_id: () => "''::text",
};
/** The others are columns of that name. */
const KNOWN: ReadonlySet<string> = new Set([...SORT_KEYS, ...Object.keys(EXPRESSIONS)]);

/** Columns without nulls need no word about them; with it, the index could not give their order. */
const NEVER_NULL = new Set(['created_at', 'updated_at', 'uuid', 'display_name', 'project_id', 'user_id', 'vm_state']);

function nulls(column: string, dir: 'asc' | 'desc'): string {
  if (NEVER_NULL.has(column)) return '';
  return dir === 'asc' ? ' NULLS FIRST' : ' NULLS LAST';
}

/**
 * ORDER BY and the condition of what follows the marker, the one row of the relation `marker`. Nulls sort as in upstream's database: first when
 * ascending, last when descending.
 */
export function instanceOrder(
  sort: InstanceQuery['sort'],
  marker: boolean,
): { readonly order: string; readonly after: string } {
  const keys = sort.flatMap(({ key, dir }) => (KNOWN.has(key) ? [{ column: key, dir }] : []));
  for (const column of ['created_at', 'uuid'])
    if (!keys.some((key) => key.column === column)) keys.push({ column, dir: keys[0]?.dir ?? 'desc' });
  const of = (alias: string, column: string): string => EXPRESSIONS[column]?.(alias) ?? `${alias}.${column}`;
  const order = keys
    .map(({ column, dir }) => `${of('i', column)} ${dir === 'asc' ? 'ASC' : 'DESC'}${nulls(column, dir)}`)
    .join(', ');
  if (!marker) return { order, after: 'TRUE' };
  const [first] = keys;
  if (keys.every(({ column, dir }) => NEVER_NULL.has(column) && dir === first?.dir)) {
    // One comparison of rows, which the index of the order answers: the marker's values are constants for it.
    const mine = keys.map(({ column }) => of('i', column)).join(', ');
    const his = keys.map(({ column }) => `(SELECT ${of('m', column)} FROM marker m)`).join(', ');
    return { order, after: `ROW(${mine}) ${first?.dir === 'asc' ? '>' : '<'} ROW(${his})` };
  }
  const branches = keys.map(({ column, dir }, at) => {
    const before = keys.slice(0, at).map((key) => `${of('i', key.column)} IS NOT DISTINCT FROM ${of('m', key.column)}`);
    const [mine, his] = [of('i', column), of('m', column)];
    const beyond =
      dir === 'asc'
        ? `(${mine} > ${his} OR (${his} IS NULL AND ${mine} IS NOT NULL))`
        : `(${mine} < ${his} OR (${mine} IS NULL AND ${his} IS NOT NULL))`;
    return `(${[...before, beyond].join(' AND ')})`;
  });
  return { order, after: `EXISTS (SELECT 1 FROM marker m WHERE ${branches.join(' OR ')})` };
}
