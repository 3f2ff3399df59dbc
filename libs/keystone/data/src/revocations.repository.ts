import type { RevocationEvent } from '@nestack/kernel/auth';
import type { Tx } from '@nestack/kernel/context';
import { execute, sql } from '@nestack/kernel/db';
import type { Revocation, RevocationStore } from '@nestack/keystone/domain';

/** The fanout exchange that every service's token filter listens to. */
export const REVOCATIONS = 'keystone.revocations';

/** Takes a message into the transaction and delivers it after the commit. */
export interface Announcer {
  add(tx: Tx, destination: string, message: unknown): Promise<void>;
}

/** Ends of tokens: recorded here for those that ask, announced to those that keep answers. */
export class RevocationsRepository implements RevocationStore {
  constructor(private readonly announcer: Announcer) {}

  async announce(tx: Tx, revocation: Revocation): Promise<void> {
    await this.announcer.add(tx, REVOCATIONS, revocation satisfies RevocationEvent);
    if (revocation.userId === null) return;
    // Tokens of a trust show one of its two users and depend on both.
    const partners = await sql<{ id: string }>(
      tx,
      `SELECT trustor_user_id AS id FROM trust WHERE trustee_user_id = $1
       UNION SELECT trustee_user_id FROM trust WHERE trustor_user_id = $1`,
      [revocation.userId],
    );
    for (const { id } of partners) {
      await this.announcer.add(tx, REVOCATIONS, { ...revocation, userId: id } satisfies RevocationEvent);
    }
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
