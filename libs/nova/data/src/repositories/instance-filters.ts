import { isUuidLike } from '@nestack/kernel/ids';
import type { InstanceQuery } from '@nestack/nova/domain';

/** Columns by which a list may be sorted; the wire's names on the left. upstream: nova/api/openstack/compute/schemas/servers.py */
export const SORT_COLUMNS: Readonly<Record<string, string>> = {
  access_ip_v4: 'access_ip_v4',
  access_ip_v6: 'access_ip_v6',
  availability_zone: 'availability_zone',
  config_drive: 'config_drive',
  created_at: 'created_at',
  display_description: 'display_description',
  display_name: 'display_name',
  host: 'host',
  hostname: 'hostname',
  image_ref: "image->>'id'",
  instance_type_id: "flavor->>'id'",
  key_name: 'key_name',
  launch_index: 'launch_index',
  launched_at: 'launched_at',
  locked_by: 'locked_by',
  node: 'node',
  power_state: 'power_state',
  progress: 'progress',
  project_id: 'project_id',
  root_device_name: 'root_device_name',
  task_state: 'task_state',
  terminated_at: 'terminated_at',
  updated_at: 'updated_at',
  user_id: 'user_id',
  uuid: 'uuid',
  vm_state: 'vm_state',
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
    ['i.node', query.node],
    ["i.flavor->>'id'", query.flavor_id],
    ['i.key_name', query.key_name],
    ['i.reservation_id', query.reservation_id],
    ['i.availability_zone', query.availability_zone],
    ['i.config_drive', query.config_drive],
    ['i.power_state', query.power_state],
    ['i.launch_index', query.launch_index],
    ['i.hostname', query.hostname],
  ];
  for (const [column, value] of equal) if (value !== undefined) add((p) => `${column} = ${p}`, value);
  if (query.image_id !== undefined) {
    if (query.image_id === '') where.push('i.image IS NULL');
    else add((p) => `i.image->>'id' = ${p}`, query.image_id);
  }
  if (query.uuid !== undefined) add((p) => `i.uuid = ANY(${p}::uuid[])`, [query.uuid].flat().filter(isUuidLike));
  if (query.name !== undefined) add((p) => `i.display_name ~ ${p}`, query.name);
  if (query.vm_states !== undefined) add((p) => `i.vm_state = ANY(${p}::text[])`, query.vm_states);
  if (query.task_states !== undefined) add((p) => `i.task_state = ANY(${p}::text[])`, query.task_states);
  if (query.changes_since !== undefined) add((p) => `i.updated_at >= ${p}`, query.changes_since);
  // By the second, which is what a server shows of its own time.
  if (query.changes_before !== undefined)
    add((p) => `i.updated_at < date_trunc('second', ${p}::timestamptz) + interval '1 second'`, query.changes_before);
  if (query.locked !== undefined) where.push(query.locked ? 'i.locked_by IS NOT NULL' : 'i.locked_by IS NULL');
  if (query.metadata !== undefined) add((p) => `i.metadata @> ${p}::jsonb`, JSON.stringify(query.metadata));
  if (query.tags !== undefined) add((p) => `i.tags @> ${p}::jsonb`, JSON.stringify(query.tags));
  if (query.tags_any !== undefined) add((p) => `i.tags ?| ${p}::text[]`, query.tags_any);
  if (query.not_tags !== undefined) add((p) => `NOT i.tags @> ${p}::jsonb`, JSON.stringify(query.not_tags));
  if (query.not_tags_any !== undefined) add((p) => `NOT i.tags ?| ${p}::text[]`, query.not_tags_any);
  const address = (pattern: string, colon: string): void =>
    add(
      (p) => `EXISTS (SELECT 1 FROM jsonb_array_elements(i.nics) n, jsonb_array_elements(n->'fixed_ips') f
        WHERE f->>'ip_address' ${colon} '%:%' AND f->>'ip_address' ~ ${p})`,
      pattern,
    );
  if (query.ip !== undefined) address(query.ip, 'NOT LIKE');
  if (query.ip6 !== undefined) address(query.ip6, 'LIKE');
  return where.length === 0 ? 'TRUE' : where.join(' AND ');
}

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
  const keys = sort.map(({ key, dir }) => ({ column: SORT_COLUMNS[key] ?? 'created_at', dir }));
  if (!keys.some(({ column }) => column === 'uuid')) keys.push({ column: 'uuid', dir: keys.at(-1)?.dir ?? 'desc' });
  const of = (alias: string, column: string): string => `${alias}.${column}`;
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
