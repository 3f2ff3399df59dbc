import type { Tx } from '@nestack/kernel/context';
import { execute, sql, sqlOne } from '@nestack/kernel/db';
import type { Group, GroupStore, User } from '@nestack/keystone/domain';
import { TableStore } from './table-store';
import { type UsersRepository } from './users.repository';

/** Groups and their members in PostgreSQL. */
export class GroupsRepository extends TableStore<Group> implements GroupStore {
  constructor(private readonly users: UsersRepository) {
    super({
      table: 'local_group',
      kind: 'group',
      columns: ['id', 'name', 'domain_id', 'description', 'extra'],
      json: ['extra'],
      clash: (row) => `name ${row.name ?? ''}${row.domain_id === undefined ? '' : ` at domain ID ${row.domain_id}`}`,
    });
  }

  async addMember(tx: Tx, groupId: string, userId: string): Promise<void> {
    await execute(tx, 'INSERT INTO membership (group_id, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING', [
      groupId,
      userId,
    ]);
  }

  async removeMember(tx: Tx, groupId: string, userId: string): Promise<boolean> {
    return (await execute(tx, 'DELETE FROM membership WHERE group_id = $1 AND user_id = $2', [groupId, userId])) > 0;
  }

  async isMember(tx: Tx, groupId: string, userId: string): Promise<boolean> {
    return (
      (await sqlOne(tx, 'SELECT 1 FROM membership WHERE group_id = $1 AND user_id = $2', [groupId, userId])) !== null
    );
  }

  members(tx: Tx, groupIds: readonly string[]): Promise<{ readonly group_id: string; readonly user_id: string }[]> {
    return sql(tx, 'SELECT group_id, user_id FROM membership WHERE group_id = ANY ($1::text[])', [groupIds]);
  }

  usersOf(tx: Tx, groupId: string): Promise<User[]> {
    return sql<User>(
      tx,
      `SELECT ${this.users.columnsOf('u')} FROM membership m JOIN local_user u ON u.id = m.user_id WHERE m.group_id = $1 ORDER BY u.seq`,
      [groupId],
    );
  }

  groupsOf(tx: Tx, userId: string): Promise<Group[]> {
    return sql<Group>(
      tx,
      `SELECT ${this.columnsOf('g')} FROM membership m JOIN local_group g ON g.id = m.group_id WHERE m.user_id = $1 ORDER BY g.seq`,
      [userId],
    );
  }
}
