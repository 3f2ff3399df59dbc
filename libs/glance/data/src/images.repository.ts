import type { Tx } from '@nestack/kernel/context';
import { execute, isUniqueViolation, sql, sqlOne } from '@nestack/kernel/db';
import { isUuidLike } from '@nestack/kernel/ids';
import { GlanceError, type ImageStatus } from '@nestack/glance/contract';
import type { Image, ImageQuery, ImageRepository, StoredData, Viewer } from '@nestack/glance/domain';
import { listConditions, ordering, Params, visibleTo } from './image-list';
import { columnValue, IMAGE_COLUMNS, imageOf, type ImageRow } from './image-rows';

const COLUMNS = IMAGE_COLUMNS.map((column) => `image.${column}`).join(', ');

/** Images in PostgreSQL. */
export class ImagesRepository implements ImageRepository {
  async insert(tx: Tx, image: Image): Promise<void> {
    const params = new Params();
    const values = IMAGE_COLUMNS.map((column) => params.add(columnValue(image, column)));
    try {
      await execute(tx, `INSERT INTO image (${IMAGE_COLUMNS.join(', ')}) VALUES (${values.join(', ')})`, params.values);
    } catch (error) {
      if (isUniqueViolation(error)) throw GlanceError.ImageIdTaken({ image_id: image.id });
      throw error;
    }
  }

  async find(tx: Tx, id: string, viewer: Viewer, options: { readonly lock?: boolean } = {}): Promise<Image | null> {
    if (!isUuidLike(id)) return null;
    const params = new Params();
    const text = `SELECT ${COLUMNS} FROM image WHERE id = ${params.add(id)} AND deleted_at IS NULL AND ${visibleTo(viewer, params)}`;
    const row = await sqlOne<ImageRow>(tx, options.lock === true ? `${text} FOR UPDATE` : text, params.values);
    return row === null ? null : imageOf(row);
  }

  async list(tx: Tx, viewer: Viewer, query: ImageQuery): Promise<readonly Image[]> {
    let marker: Image | null = null;
    if (query.marker !== null) {
      marker = await this.find(tx, query.marker, viewer);
      if (marker === null) throw GlanceError.InvalidInput({ reason: `Image ${query.marker} not found` });
    }
    const params = new Params();
    const where = listConditions(viewer, query, params);
    const { order, after } = ordering(query, marker, params);
    if (after !== null) where.push(after);
    const rows = await sql<ImageRow>(
      tx,
      `SELECT ${COLUMNS} FROM image WHERE ${where.join(' AND ')} ORDER BY ${order} LIMIT ${params.add(query.limit)}`,
      params.values,
    );
    return rows.map(imageOf);
  }

  async update(tx: Tx, image: Image): Promise<void> {
    const params = new Params();
    const kept = new Set<string>([
      'id',
      'created_at',
      'size',
      'virtual_size',
      'checksum',
      'os_hash_algo',
      'os_hash_value',
      'staged',
    ]);
    const sets = IMAGE_COLUMNS.filter((column) => !kept.has(column)).map(
      (column) => `${column} = ${params.add(columnValue(image, column))}`,
    );
    await execute(
      tx,
      `UPDATE image SET ${sets.join(', ')} WHERE id = ${params.add(image.id)} AND deleted_at IS NULL`,
      params.values,
    );
  }

  async remove(tx: Tx, id: string): Promise<void> {
    await execute(tx, 'DELETE FROM image_member WHERE image_id = $1', [id]);
    await execute(
      tx,
      `UPDATE image SET deleted_at = now(), transfer_token = NULL, transfer_until = NULL, staged = NULL WHERE id = $1`,
      [id],
    );
  }

  async usage(tx: Tx, owner: string): Promise<number> {
    await execute(tx, `SELECT pg_advisory_xact_lock(hashtextextended('glance-usage-' || $1, 0))`, [owner]);
    const row = await sqlOne<{ total: string }>(
      tx,
      'SELECT COALESCE(sum(size), 0)::text AS total FROM image WHERE owner = $1 AND deleted_at IS NULL',
      [owner],
    );
    return Number(row?.total ?? 0);
  }

  async beginTransfer(tx: Tx, id: string, status: ImageStatus, token: string, leaseSeconds: number): Promise<void> {
    await execute(
      tx,
      `UPDATE image SET status = $2, transfer_token = $3, transfer_until = now() + make_interval(secs => $4), updated_at = date_trunc('milliseconds', clock_timestamp())
       WHERE id = $1 AND deleted_at IS NULL`,
      [id, status, token, leaseSeconds],
    );
  }

  async extendTransfer(tx: Tx, id: string, token: string, leaseSeconds: number): Promise<boolean> {
    const changed = await execute(
      tx,
      'UPDATE image SET transfer_until = now() + make_interval(secs => $3) WHERE id = $1 AND transfer_token = $2',
      [id, token, leaseSeconds],
    );
    return changed === 1;
  }

  async ownsTransfer(tx: Tx, id: string, token: string): Promise<boolean> {
    const row = await sqlOne(
      tx,
      'SELECT 1 FROM image WHERE id = $1 AND transfer_token = $2 AND deleted_at IS NULL FOR UPDATE',
      [id, token],
    );
    return row !== null;
  }

  async endTransfer(
    tx: Tx,
    id: string,
    status: ImageStatus,
    data: StoredData | null,
    staged: StoredData | null,
  ): Promise<void> {
    await execute(
      tx,
      `UPDATE image SET status = $2, transfer_token = NULL, transfer_until = NULL, staged = $3, size = $4, virtual_size = $5,
         checksum = $6, os_hash_algo = $7, os_hash_value = $8, updated_at = date_trunc('milliseconds', clock_timestamp())
       WHERE id = $1`,
      [
        id,
        status,
        staged === null ? null : JSON.stringify(staged),
        data?.size ?? null,
        data?.virtual_size ?? null,
        data?.md5 ?? null,
        data === null ? null : 'sha512',
        data?.sha512 ?? null,
      ],
    );
  }

  async abandoned(tx: Tx): Promise<readonly Image[]> {
    const rows = await sql<ImageRow>(
      tx,
      `SELECT ${COLUMNS} FROM image WHERE transfer_token IS NOT NULL AND transfer_until < now() AND deleted_at IS NULL
       ORDER BY transfer_until LIMIT 100 FOR UPDATE SKIP LOCKED`,
    );
    return rows.map(imageOf);
  }

  async existing(tx: Tx, ids: readonly string[]): Promise<ReadonlySet<string>> {
    const uuids = ids.filter((id) => isUuidLike(id));
    const rows = await sql<{ id: string }>(
      tx,
      'SELECT id FROM image WHERE id = ANY ($1::uuid[]) AND deleted_at IS NULL',
      [uuids],
    );
    return new Set(rows.map((row) => row.id));
  }
}
