import type { Tx } from '@nestack/kernel/context';
import { execute, sql } from '@nestack/kernel/db';
import type { Trust, TrustStore } from '@nestack/keystone/domain';
import { TableStore } from './table-store';

/** Trusts in PostgreSQL. */
export class TrustsRepository extends TableStore<Trust> implements TrustStore {
  constructor() {
    super({
      table: 'trust',
      kind: 'trust',
      columns: [
        'id',
        'trustor_user_id',
        'trustee_user_id',
        'project_id',
        'impersonation',
        'role_ids',
        'expires_at',
        'remaining_uses',
        'redelegation_count',
        'redelegated_trust_id',
      ],
      json: [],
      moments: ['expires_at'],
      clash: (row) => `ID ${row.id ?? ''}`,
    });
  }

  withRedelegated(tx: Tx, id: string): Promise<Trust[]> {
    return sql<Trust>(
      tx,
      `WITH RECURSIVE chain AS (
         SELECT id FROM trust WHERE id = $1
         UNION SELECT t.id FROM trust t JOIN chain ON t.redelegated_trust_id = chain.id
       )
       SELECT ${this.columns} FROM chain JOIN trust USING (id)`,
      [id],
    );
  }

  async use(tx: Tx, id: string): Promise<boolean> {
    const text = `UPDATE trust SET remaining_uses = remaining_uses - 1
      WHERE id = $1 AND (remaining_uses IS NULL OR remaining_uses > 0)`;
    return (await execute(tx, text, [id])) > 0;
  }
}
