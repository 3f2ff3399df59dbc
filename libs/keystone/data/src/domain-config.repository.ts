import type { Tx } from '@nestack/kernel/context';
import { execute, sqlOne } from '@nestack/kernel/db';
import type { DomainConfigStore, DomainSettings } from '@nestack/keystone/domain';

/** Configurations of domains in PostgreSQL. */
export class DomainConfigRepository implements DomainConfigStore {
  async read(tx: Tx, domainId: string): Promise<DomainSettings | null> {
    const text = 'SELECT settings FROM domain_config WHERE domain_id = $1';
    return (await sqlOne<{ settings: DomainSettings }>(tx, text, [domainId]))?.settings ?? null;
  }

  async write(tx: Tx, domainId: string, settings: DomainSettings): Promise<void> {
    if (Object.keys(settings).length === 0) {
      await execute(tx, 'DELETE FROM domain_config WHERE domain_id = $1', [domainId]);
      return;
    }
    await execute(
      tx,
      `INSERT INTO domain_config (domain_id, settings) VALUES ($1, $2)
       ON CONFLICT (domain_id) DO UPDATE SET settings = EXCLUDED.settings`,
      [domainId, JSON.stringify(settings)],
    );
  }
}
