import type { Tx } from '@nestack/kernel/context';
import { execute, sqlOne } from '@nestack/kernel/db';
import type { ImageRequestRepository, ImageRequestState } from '@nestack/cinder/domain';

/** Images that requests are making for uploads, in PostgreSQL. */
export class ImageRequestsRepository implements ImageRequestRepository {
  async begin(tx: Tx, imageId: string): Promise<void> {
    await execute(tx, "INSERT INTO image_request (image_id, state) VALUES ($1::uuid, 'pending')", [imageId]);
  }

  async tell(tx: Tx, imageId: string, state: ImageRequestState): Promise<boolean> {
    const row = await sqlOne(
      tx,
      "UPDATE image_request SET state = $2 WHERE image_id = $1::uuid AND state = 'pending' RETURNING 1",
      [imageId, state],
    );
    return row !== null;
  }

  async state(tx: Tx, imageId: string): Promise<ImageRequestState | null> {
    const row = await sqlOne<{ state: ImageRequestState }>(
      tx,
      'SELECT state FROM image_request WHERE image_id = $1::uuid',
      [imageId],
    );
    return row?.state ?? null;
  }

  async end(tx: Tx, imageId: string): Promise<void> {
    await execute(tx, 'DELETE FROM image_request WHERE image_id = $1::uuid', [imageId]);
  }
}
