import type { Tx } from '@nestack/kernel/context';
import { sql, sqlOne } from '@nestack/kernel/db';
import { NovaError } from '@nestack/nova/contract';
import type { ServedInstance, ServedQuery, UsageRepository } from '@nestack/nova/domain';
import { isId } from './ids';

/** What projects' servers used, from PostgreSQL. */
export class UsagesRepository implements UsageRepository {
  async served(tx: Tx, query: ServedQuery): Promise<readonly ServedInstance[]> {
    const params: unknown[] = [query.start, query.end, query.limit];
    const where = ['launched_at < $2', '(terminated_at IS NULL OR terminated_at > $1)'];
    if (query.project_id !== null) where.push(`project_id = $${params.push(query.project_id)}`);
    if (query.marker !== undefined) {
      const marker = isId(query.marker)
        ? await sqlOne<{ project_id: string }>(tx, 'SELECT project_id FROM instance WHERE uuid = $1::uuid', [
            query.marker,
          ])
        : null;
      if (marker === null) throw NovaError.MarkerNotFound({ marker: query.marker });
      const [project, id] = [params.push(marker.project_id), params.push(query.marker)];
      where.push(`(project_id, uuid) > ($${project}, $${id}::uuid)`);
    }
    return sql<ServedInstance>(
      tx,
      `SELECT uuid, project_id, display_name, flavor, vm_state, launched_at, terminated_at FROM instance
       WHERE ${where.join(' AND ')} ORDER BY project_id, uuid LIMIT $3`,
      params,
    );
  }
}
