import type { RevocationEvent } from '@nestack/kernel/auth';
import type { Tx } from '@nestack/kernel/context';
import { execute, sql } from '@nestack/kernel/db';
import type { Revocation, RevocationStore } from '@nestack/keystone/domain';

/** The fanout exchange that every service's token filter listens to. */
export const REVOCATIONS = 'keystone.revocations';

/** Takes messages into the transaction and delivers them after the commit. */
export interface Announcer {
  addAll(tx: Tx, destination: string, messages: readonly unknown[]): Promise<void>;
}

/** Ends of tokens: recorded here for those that ask, announced to those that keep answers. */
export class RevocationsRepository implements RevocationStore {
  constructor(private readonly announcer: Announcer) {}

  async announce(tx: Tx, ...revocations: readonly Revocation[]): Promise<void> {
    const users = revocations.flatMap((one) => (one.userId === null ? [] : [one.userId]));
    // Tokens of a trust show one of its two users and depend on both.
    const partners =
      users.length === 0
        ? []
        : await sql<{ id: string; partner: string }>(
            tx,
            `SELECT trustee_user_id AS id, trustor_user_id AS partner FROM trust WHERE trustee_user_id = ANY ($1::text[])
             UNION SELECT trustor_user_id, trustee_user_id FROM trust WHERE trustor_user_id = ANY ($1::text[])`,
            [users],
          );
    const events: RevocationEvent[] = [
      ...revocations,
      ...partners.flatMap(({ id, partner }) =>
        revocations.filter((one) => one.userId === id).map((one) => ({ ...one, userId: partner })),
      ),
    ];
    await this.announcer.addAll(tx, REVOCATIONS, events);
  }

  async record(tx: Tx, revocation: Revocation): Promise<void> {
    const keys = [
      ['audit', revocation.auditId],
      ['user', revocation.userId],
      ['project', revocation.projectId],
      ['domain', revocation.domainId],
    ].filter((pair): pair is [string, string] => pair[1] !== null);
    for (const [kind, key] of keys) {
      await execute(
        tx,
        `INSERT INTO revocation (kind, key, issued_before) VALUES ($1, $2, $3)
         ON CONFLICT (key, kind) DO UPDATE SET issued_before = GREATEST(revocation.issued_before, EXCLUDED.issued_before)`,
        [kind, key, revocation.issuedBefore],
      );
    }
    await this.announce(tx, revocation);
  }

  prune(tx: Tx, before: Date): Promise<number> {
    return execute(tx, 'DELETE FROM revocation WHERE issued_before < $1', [before]);
  }
}
