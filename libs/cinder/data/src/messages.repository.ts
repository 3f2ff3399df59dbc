import type { Tx } from '@nestack/kernel/context';
import { execute, sql, sqlOne } from '@nestack/kernel/db';
import { isUuidLike } from '@nestack/kernel/ids';
import { CinderError } from '@nestack/cinder/contract';
import type { ListQuery, Message, MessageRepository, Scope } from '@nestack/cinder/domain';
import { filterConditions, ordering, Params, type ListColumns } from './list-sql';

const COLUMNS =
  'id, project_id, request_id, resource_type, resource_uuid, event_id, message_level, user_message, created_at, expires_at';
const LISTED: ListColumns = Object.fromEntries(
  ['request_id', 'resource_type', 'resource_uuid', 'event_id', 'message_level'].map((key) => [
    key,
    { sql: key, type: 'text' },
  ]),
);
const SORTED: ListColumns = {
  ...LISTED,
  id: { sql: 'id', type: 'uuid' },
  created_at: { sql: 'created_at', type: 'timestamptz' },
};

/** Messages to users in PostgreSQL; each is kept for thirty days. */
export class MessagesRepository implements MessageRepository {
  async insert(tx: Tx, message: Omit<Message, 'id' | 'created_at' | 'expires_at'>): Promise<void> {
    await execute(tx, 'DELETE FROM message WHERE expires_at < clock_timestamp()');
    await execute(
      tx,
      `INSERT INTO message (project_id, request_id, resource_type, resource_uuid, event_id, message_level, user_message)
       VALUES ($1, $2, $3, $4, $5, $6, $7)`,
      [
        message.project_id,
        message.request_id,
        message.resource_type,
        message.resource_uuid,
        message.event_id,
        message.message_level,
        message.user_message,
      ],
    );
  }

  find(tx: Tx, id: string, scope: Scope): Promise<Message | null> {
    return sqlOne<Message>(
      tx,
      `SELECT ${COLUMNS} FROM message WHERE id = $1 AND ($2::text IS NULL OR project_id = $2) AND expires_at >= clock_timestamp()`,
      [id, scope],
    );
  }

  async list(tx: Tx, scope: Scope, query: ListQuery): Promise<readonly Message[]> {
    const marker = isUuidLike(query.marker) ? await this.find(tx, query.marker, scope) : null;
    if (query.marker !== null && marker === null) throw CinderError.MessageNotFound({ message_id: query.marker });
    const params = new Params();
    const where = ['expires_at >= clock_timestamp()', ...filterConditions(LISTED, query, params)];
    if (scope !== null) where.push(`project_id = ${params.add(scope)}`);
    const { order, after } = ordering(SORTED, query.sort, marker as Record<string, unknown> | null, params);
    if (after !== null) where.push(after);
    return sql<Message>(
      tx,
      `SELECT ${COLUMNS} FROM message WHERE ${where.join(' AND ')} ORDER BY ${order}
       LIMIT ${params.add(query.limit)} OFFSET ${params.add(query.offset)}`,
      params.values,
    );
  }

  async remove(tx: Tx, id: string): Promise<void> {
    await execute(tx, 'DELETE FROM message WHERE id = $1', [id]);
  }
}
