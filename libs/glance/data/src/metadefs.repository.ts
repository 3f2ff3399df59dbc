import type { Tx } from '@nestack/kernel/context';
import { execute, isUniqueViolation, sql, sqlOne } from '@nestack/kernel/db';
import { GlanceError, type MetadefAssociationBody, type MetadefKind } from '@nestack/glance/contract';
import type {
  Association,
  MetadefPart,
  MetadefRepository,
  Namespace,
  NamespaceQuery,
  PartQuery,
  ResourceType,
  Viewer,
} from '@nestack/glance/domain';
import { Params } from './image-list';

const NAMESPACE =
  'n.id, n.namespace, n.display_name, n.description, n.visibility, n.protected, n.owner, n.created_at, n.updated_at';
const PART = 'kind, name, body, created_at, updated_at';

/** Columns that lists are sorted by; equal ones are told apart by the order in which rows came. */
const NAMESPACE_KEYS: Readonly<Record<string, string>> = {
  namespace: 'n.namespace',
  display_name: "COALESCE(n.display_name, '')",
  visibility: 'n.visibility',
  owner: "COALESCE(n.owner, '')",
  created_at: 'n.created_at',
  updated_at: 'n.updated_at',
};
const PART_KEYS: Readonly<Record<string, string>> = {
  name: 'name',
  created_at: 'created_at',
  updated_at: 'updated_at',
};

type NamespaceRow = Omit<Namespace, 'id'> & { readonly id: string };

/** The catalogue of metadata definitions in PostgreSQL. */
export class MetadefsRepository implements MetadefRepository {
  async insertNamespace(tx: Tx, namespace: Namespace): Promise<Namespace> {
    const row = await this.#unique(GlanceError.NamespaceExists({ namespace: namespace.namespace }), () =>
      sqlOne<{ id: string }>(
        tx,
        `INSERT INTO metadef_namespace (namespace, display_name, description, visibility, protected, owner, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id`,
        valuesOf(namespace),
      ),
    );
    return { ...namespace, id: Number(row?.id) };
  }

  async findNamespace(
    tx: Tx,
    name: string,
    viewer: Viewer,
    options: { readonly lock?: boolean } = {},
  ): Promise<Namespace | null> {
    const params = new Params();
    const where = `n.namespace = ${params.add(name)} AND ${visibleTo(viewer, params)}`;
    const row = await sqlOne<NamespaceRow>(
      tx,
      `SELECT ${NAMESPACE} FROM metadef_namespace n WHERE ${where}${options.lock === true ? ' FOR UPDATE' : ''}`,
      params.values,
    );
    return row === null ? null : namespaceOf(row);
  }

  async listNamespaces(tx: Tx, viewer: Viewer, query: NamespaceQuery): Promise<readonly Namespace[]> {
    const params = new Params();
    const where = [visibleTo(viewer, params)];
    if (query.visibility !== null) where.push(`n.visibility = ${params.add(query.visibility)}`);
    if (query.resourceTypes !== null)
      where.push(`EXISTS (SELECT 1 FROM metadef_association a JOIN metadef_resource_type t ON t.id = a.resource_type_id
        WHERE a.namespace_id = n.id AND t.name = ANY (${params.add([...query.resourceTypes])}::text[]))`);
    const key = NAMESPACE_KEYS[query.sort.key] ?? 'n.created_at';
    const way = query.sort.direction;
    if (query.marker !== null) {
      const marker = await this.findNamespace(tx, query.marker, viewer);
      if (marker === null) throw GlanceError.NamespaceNotFound({ namespace: query.marker });
      const behind = `(SELECT ${key}, n.id FROM metadef_namespace n WHERE n.id = ${params.add(marker.id)})`;
      where.push(`(${key}, n.id) ${way === 'asc' ? '>' : '<'} ${behind}`);
    }
    const rows = await sql<NamespaceRow>(
      tx,
      `SELECT ${NAMESPACE} FROM metadef_namespace n WHERE ${where.join(' AND ')}
       ORDER BY ${key} ${way}, n.id ${way} LIMIT ${params.add(query.limit)}`,
      params.values,
    );
    return rows.map(namespaceOf);
  }

  async updateNamespace(tx: Tx, namespace: Namespace): Promise<void> {
    await this.#unique(GlanceError.NamespaceExists({ namespace: namespace.namespace }), () =>
      execute(
        tx,
        `UPDATE metadef_namespace SET namespace = $1, display_name = $2, description = $3, visibility = $4, protected = $5,
           owner = $6, created_at = $7, updated_at = $8 WHERE id = $9`,
        [...valuesOf(namespace), namespace.id],
      ),
    );
  }

  async removeNamespace(tx: Tx, namespace: Namespace): Promise<void> {
    await execute(tx, 'DELETE FROM metadef_namespace WHERE id = $1', [namespace.id]);
  }

  async insertParts(tx: Tx, namespace: Namespace, parts: readonly MetadefPart[]): Promise<void> {
    if (parts.length === 0) return;
    // Passing over names that are taken leaves the transaction able to say which one it was.
    const inserted = await sql<{ kind: MetadefKind; name: string }>(
      tx,
      `INSERT INTO metadef_part (namespace_id, kind, name, body, created_at, updated_at)
       SELECT $1, p.kind, p.name, p.body, p.created_at, p.updated_at
       FROM jsonb_to_recordset($2::jsonb) AS p(kind text, name text, body jsonb, created_at timestamptz, updated_at timestamptz)
       ON CONFLICT DO NOTHING RETURNING kind, name`,
      [namespace.id, JSON.stringify(parts)],
    );
    if (inserted.length === parts.length) return;
    const left = [...inserted];
    const twice = parts.find((part) => {
      const index = left.findIndex((one) => one.kind === part.kind && one.name === part.name);
      if (index >= 0) left.splice(index, 1);
      return index < 0;
    });
    throw exists(twice?.kind ?? 'object', twice?.name ?? '', namespace);
  }

  async findPart(tx: Tx, namespace: Namespace, kind: MetadefKind, name: string): Promise<MetadefPart | null> {
    return sqlOne<MetadefPart>(
      tx,
      `SELECT ${PART} FROM metadef_part WHERE namespace_id = $1 AND kind = $2 AND ${sameName(kind, '$3')}`,
      [namespace.id, kind, name],
    );
  }

  async listParts(
    tx: Tx,
    namespace: Namespace,
    kind: MetadefKind | null,
    query: PartQuery,
  ): Promise<readonly MetadefPart[]> {
    const params = new Params();
    const of = `namespace_id = ${params.add(namespace.id)}${kind === null ? '' : ` AND kind = ${params.add(kind)}`}`;
    const where = [of];
    const key = PART_KEYS[query.sort.key] ?? 'created_at';
    const way = query.sort.direction;
    if (query.marker !== null) {
      const what = kind ?? 'tag';
      if ((await this.findPart(tx, namespace, what, query.marker)) === null)
        throw GlanceError.MetadefNotFound({ what, name: query.marker, namespace: namespace.namespace });
      const marker = `(SELECT ${key}, id FROM metadef_part WHERE ${of} AND ${sameName(what, params.add(query.marker))})`;
      where.push(`(${key}, id) ${way === 'asc' ? '>' : '<'} ${marker}`);
    }
    const limit = query.limit === null ? '' : ` LIMIT ${params.add(query.limit)}`;
    return sql<MetadefPart>(
      tx,
      `SELECT ${PART} FROM metadef_part WHERE ${where.join(' AND ')} ORDER BY ${key} ${way}, id ${way}${limit}`,
      params.values,
    );
  }

  async updatePart(tx: Tx, namespace: Namespace, oldName: string, part: MetadefPart): Promise<boolean> {
    const changed = await this.#unique(exists(part.kind, part.name, namespace), () =>
      execute(
        tx,
        'UPDATE metadef_part SET name = $4, body = $5, updated_at = $6 WHERE namespace_id = $1 AND kind = $2 AND name = $3',
        [namespace.id, part.kind, oldName, part.name, JSON.stringify(part.body), part.updated_at],
      ),
    );
    return changed === 1;
  }

  async removePart(tx: Tx, namespace: Namespace, kind: MetadefKind, name: string): Promise<boolean> {
    const removed = await execute(tx, 'DELETE FROM metadef_part WHERE namespace_id = $1 AND kind = $2 AND name = $3', [
      namespace.id,
      kind,
      name,
    ]);
    return removed === 1;
  }

  async removeParts(tx: Tx, namespace: Namespace, kind: MetadefKind): Promise<void> {
    await execute(tx, 'DELETE FROM metadef_part WHERE namespace_id = $1 AND kind = $2', [namespace.id, kind]);
  }

  async listResourceTypes(tx: Tx): Promise<readonly ResourceType[]> {
    return sql<ResourceType>(tx, 'SELECT name, created_at, updated_at FROM metadef_resource_type ORDER BY id', []);
  }

  async associationsOf(tx: Tx, namespaces: readonly Namespace[]): Promise<ReadonlyMap<number, readonly Association[]>> {
    const found = new Map<number, Association[]>();
    if (namespaces.length === 0) return found;
    const rows = await sql<Association & { namespace_id: string }>(
      tx,
      `SELECT a.namespace_id, t.name, a.prefix, a.properties_target, a.created_at, a.updated_at
       FROM metadef_association a JOIN metadef_resource_type t ON t.id = a.resource_type_id
       WHERE a.namespace_id = ANY ($1::bigint[]) ORDER BY a.created_at, t.id`,
      [namespaces.map((one) => one.id)],
    );
    for (const { namespace_id: id, ...association } of rows)
      found.set(Number(id), [...(found.get(Number(id)) ?? []), association]);
    return found;
  }

  async associate(tx: Tx, namespace: Namespace, body: MetadefAssociationBody, at: Date): Promise<Association> {
    await execute(
      tx,
      'INSERT INTO metadef_resource_type (name, created_at, updated_at) VALUES ($1, $2, $2) ON CONFLICT (name) DO NOTHING',
      [body.name, at],
    );
    const association: Association = {
      name: body.name,
      prefix: body.prefix ?? null,
      properties_target: body.properties_target ?? null,
      created_at: at,
      updated_at: at,
    };
    await this.#unique(GlanceError.AssociationExists({ name: body.name, namespace: namespace.namespace }), () =>
      execute(
        tx,
        `INSERT INTO metadef_association (namespace_id, resource_type_id, prefix, properties_target, created_at, updated_at)
         SELECT $1, id, $3, $4, $5, $5 FROM metadef_resource_type WHERE name = $2`,
        [namespace.id, body.name, association.prefix, association.properties_target, at],
      ),
    );
    return association;
  }

  async dissociate(tx: Tx, namespace: Namespace, resourceType: string): Promise<boolean> {
    const removed = await execute(
      tx,
      `DELETE FROM metadef_association a USING metadef_resource_type t
       WHERE t.id = a.resource_type_id AND a.namespace_id = $1 AND t.name = $2`,
      [namespace.id, resourceType],
    );
    return removed === 1;
  }

  async #unique<T>(taken: Error, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw isUniqueViolation(error) ? taken : error;
    }
  }
}

/** Names of tags are the same in whatever case. */
function sameName(kind: MetadefKind, parameter: string): string {
  return kind === 'tag' ? `lower(name) = lower(${parameter})` : `name = ${parameter}`;
}

function exists(kind: MetadefKind, name: string, { namespace }: Namespace): Error {
  return kind === 'tag'
    ? GlanceError.MetadefTagExists({ name, namespace })
    : GlanceError.MetadefExists({ what: kind, name, namespace });
}

/** Which namespaces exist for a viewer: public ones, his project's, and those that nobody owns. */
function visibleTo(viewer: Viewer, params: Params): string {
  if (viewer.all) return 'true';
  return `(n.visibility = 'public' OR n.owner IS NULL OR n.owner = ${params.add(viewer.projectId)})`;
}

function namespaceOf(row: NamespaceRow): Namespace {
  return { ...row, id: Number(row.id) };
}

function valuesOf(namespace: Namespace): unknown[] {
  return [
    namespace.namespace,
    namespace.display_name,
    namespace.description,
    namespace.visibility,
    namespace.protected,
    namespace.owner,
    namespace.created_at,
    namespace.updated_at,
  ];
}
