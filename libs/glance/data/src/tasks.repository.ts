import type { Tx } from '@nestack/kernel/context';
import { execute, sql, sqlOne } from '@nestack/kernel/db';
import { isUuidLike } from '@nestack/kernel/ids';
import type { ImportTask, TaskRepository, TaskStatus } from '@nestack/glance/domain';

const COLUMNS = 'id, image_id, owner, user_id, request_id, status, message, input, created_at, updated_at';

/** Imports' records in PostgreSQL. */
export class TasksRepository implements TaskRepository {
  async insert(tx: Tx, task: ImportTask): Promise<void> {
    await execute(tx, `INSERT INTO task (${COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, [
      task.id,
      task.image_id,
      task.owner,
      task.user_id,
      task.request_id,
      task.status,
      task.message,
      JSON.stringify(task.input),
      task.created_at,
      task.updated_at,
    ]);
  }

  async find(tx: Tx, id: string): Promise<ImportTask | null> {
    if (!isUuidLike(id)) return null;
    return sqlOne<ImportTask>(tx, `SELECT ${COLUMNS} FROM task WHERE id = $1`, [id]);
  }

  async list(tx: Tx, of: { readonly imageId?: string; readonly owner?: string }): Promise<readonly ImportTask[]> {
    return sql<ImportTask>(
      tx,
      `SELECT ${COLUMNS} FROM task WHERE ($1::uuid IS NULL OR image_id = $1) AND ($2::text IS NULL OR owner = $2)
       ORDER BY created_at DESC, id LIMIT 1000`,
      [of.imageId ?? null, of.owner ?? null],
    );
  }

  async running(tx: Tx, imageId: string): Promise<ImportTask | null> {
    return sqlOne<ImportTask>(
      tx,
      `SELECT ${COLUMNS} FROM task WHERE image_id = $1 AND status = 'processing' ORDER BY created_at DESC LIMIT 1`,
      [imageId],
    );
  }

  async update(tx: Tx, id: string, status: TaskStatus, message: string, at: Date): Promise<void> {
    await execute(tx, 'UPDATE task SET status = $2, message = $3, updated_at = $4 WHERE id = $1', [
      id,
      status,
      message,
      at,
    ]);
  }
}
