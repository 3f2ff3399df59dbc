import type { Tx } from '@nestack/kernel/context';
import { execute, isUniqueViolation, sql, sqlOne } from '@nestack/kernel/db';
import { GlanceError, type MemberStatus } from '@nestack/glance/contract';
import type { Member, MemberRepository } from '@nestack/glance/domain';

const COLUMNS = 'image_id, member_id, status, created_at, updated_at';

/** Shares of images in PostgreSQL. */
export class MembersRepository implements MemberRepository {
  async insert(tx: Tx, member: Member): Promise<void> {
    try {
      await execute(tx, `INSERT INTO image_member (${COLUMNS}) VALUES ($1, $2, $3, $4, $5)`, [
        member.image_id,
        member.member_id,
        member.status,
        member.created_at,
        member.updated_at,
      ]);
    } catch (error) {
      if (isUniqueViolation(error))
        throw GlanceError.MemberExists({ member_id: member.member_id, image_id: member.image_id });
      throw error;
    }
  }

  async list(tx: Tx, imageId: string): Promise<readonly Member[]> {
    return sql<Member>(tx, `SELECT ${COLUMNS} FROM image_member WHERE image_id = $1 ORDER BY created_at, member_id`, [
      imageId,
    ]);
  }

  async find(tx: Tx, imageId: string, memberId: string): Promise<Member | null> {
    return sqlOne<Member>(tx, `SELECT ${COLUMNS} FROM image_member WHERE image_id = $1 AND member_id = $2`, [
      imageId,
      memberId,
    ]);
  }

  async update(tx: Tx, imageId: string, memberId: string, status: MemberStatus, at: Date): Promise<void> {
    await execute(tx, 'UPDATE image_member SET status = $3, updated_at = $4 WHERE image_id = $1 AND member_id = $2', [
      imageId,
      memberId,
      status,
      at,
    ]);
  }

  async remove(tx: Tx, imageId: string, memberId: string): Promise<boolean> {
    return (
      (await execute(tx, 'DELETE FROM image_member WHERE image_id = $1 AND member_id = $2', [imageId, memberId])) === 1
    );
  }
}
