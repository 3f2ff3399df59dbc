import type { Tx } from '@nestack/kernel/context';
import { sqlOne } from '@nestack/kernel/db';
import type { User, UserInDomain, UserStore } from '@nestack/keystone/domain';
import { TableStore } from './table-store';

type Row = User & { readonly d_id: string; readonly d_name: string; readonly d_enabled: boolean };

/** Users in PostgreSQL. */
export class UsersRepository extends TableStore<User> implements UserStore {
  constructor() {
    super({
      table: 'local_user',
      kind: 'user',
      columns: [
        'id',
        'name',
        'domain_id',
        'enabled',
        'default_project_id',
        'description',
        'password_hash',
        'password_expires_at',
        'options',
        'extra',
      ],
      json: ['options', 'extra'],
      clash: (row) => `name ${row.name ?? ''}${row.domain_id === undefined ? '' : ` at domain ID ${row.domain_id}`}`,
    });
  }

  async inDomain(tx: Tx, by: { readonly id: string }): Promise<UserInDomain | null> {
    return this.joined(await sqlOne<Row>(tx, `${this.selected()} WHERE local_user.id = $1`, [by.id]));
  }

  async byName(
    tx: Tx,
    name: string,
    domain: { readonly id?: string; readonly name?: string },
  ): Promise<UserInDomain | null> {
    const row = await sqlOne<Row>(
      tx,
      `${this.selected()} WHERE local_user.name = $1 AND ($2::text IS NULL OR d.id = $2) AND ($3::text IS NULL OR d.name = $3)`,
      [name, domain.id ?? null, domain.name ?? null],
    );
    return this.joined(row);
  }

  private selected(): string {
    return `SELECT ${this.columns}, d.id AS d_id, d.name AS d_name, d.enabled AS d_enabled
            FROM local_user JOIN project d ON d.id = local_user.domain_id`;
  }

  private joined(row: Row | null): UserInDomain | null {
    if (row === null) return null;
    const { d_id, d_name, d_enabled, ...user } = row;
    return { user, domain: { id: d_id, name: d_name, enabled: d_enabled } };
  }
}
