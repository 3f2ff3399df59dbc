import type { Tx } from '@nestack/kernel/context';
import { execute, sql, sqlOne } from '@nestack/kernel/db';
import { isUuidLike } from '@nestack/kernel/ids';
import { CinderError } from '@nestack/cinder/contract';
import type { Attachment, AttachmentRepository, ListQuery, Scope } from '@nestack/cinder/domain';
import { assignments, filterConditions, ordering, Params, type ListColumns } from './list-sql';

const COLUMNS = `id, volume_id, project_id, instance_uuid, attach_status, attach_mode, attached_host, mountpoint, connector,
  connection_info, attach_time, created_at`;

const LISTED: ListColumns = {
  id: { sql: 'id', type: 'uuid' },
  volume_id: { sql: 'volume_id', type: 'uuid' },
  instance_uuid: { sql: 'instance_uuid', type: 'text', nullable: true },
  attach_status: { sql: 'attach_status', type: 'text' },
  attached_host: { sql: 'attached_host', type: 'text', nullable: true },
  project_id: { sql: 'project_id', type: 'text' },
  created_at: { sql: 'created_at', type: 'timestamptz' },
};
const JSON_COLUMNS = new Set(['connector', 'connection_info']);

/** Attachments of volumes in PostgreSQL. */
export class AttachmentsRepository implements AttachmentRepository {
  async insert(tx: Tx, one: Omit<Attachment, 'created_at'>): Promise<void> {
    await execute(
      tx,
      `INSERT INTO attachment (id, volume_id, project_id, instance_uuid, attach_status, attach_mode, attached_host, mountpoint,
         connector, connection_info, attach_time) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
      [
        one.id,
        one.volume_id,
        one.project_id,
        one.instance_uuid,
        one.attach_status,
        one.attach_mode,
        one.attached_host,
        one.mountpoint,
        one.connector === null ? null : JSON.stringify(one.connector),
        one.connection_info === null ? null : JSON.stringify(one.connection_info),
        one.attach_time,
      ],
    );
  }

  find(tx: Tx, id: string, scope: Scope): Promise<Attachment | null> {
    return sqlOne<Attachment>(
      tx,
      `SELECT ${COLUMNS} FROM attachment WHERE id = $1 AND ($2::text IS NULL OR project_id = $2)`,
      [id, scope],
    );
  }

  ofVolume(tx: Tx, volumeId: string): Promise<readonly Attachment[]> {
    return sql<Attachment>(tx, `SELECT ${COLUMNS} FROM attachment WHERE volume_id = $1 ORDER BY created_at, id`, [
      volumeId,
    ]);
  }

  async list(tx: Tx, scope: Scope, query: ListQuery): Promise<readonly Attachment[]> {
    const params = new Params();
    const where = filterConditions(LISTED, query, params);
    if (scope !== null) where.push(`project_id = ${params.add(scope)}`);
    const marker = isUuidLike(query.marker) ? await this.find(tx, query.marker, scope) : null;
    if (query.marker !== null && marker === null)
      throw CinderError.VolumeAttachmentNotFound({ attachment_id: query.marker });
    const { order, after } = ordering(LISTED, query.sort, marker as Record<string, unknown> | null, params);
    if (after !== null) where.push(after);
    return sql<Attachment>(
      tx,
      `SELECT ${COLUMNS} FROM attachment ${where.length === 0 ? '' : `WHERE ${where.join(' AND ')}`}
       ORDER BY ${order} LIMIT ${params.add(query.limit)} OFFSET ${params.add(query.offset)}`,
      params.values,
    );
  }

  async update(
    tx: Tx,
    id: string,
    changes: Partial<Omit<Attachment, 'id' | 'volume_id' | 'created_at'>>,
  ): Promise<void> {
    const params = new Params();
    const set = assignments(changes, JSON_COLUMNS, params);
    if (set.length > 0)
      await execute(tx, `UPDATE attachment SET ${set.join(', ')} WHERE id = ${params.add(id)}`, params.values);
  }

  async remove(tx: Tx, id: string): Promise<void> {
    await execute(tx, 'DELETE FROM attachment WHERE id = $1', [id]);
  }
}
