import type { TransactionRunner } from '@nestack/kernel/context';
import type { MigrationQuery, MigrationRepository, ServerMigration } from '../ports';

/** Migrations as operators see them. */
export class ServerMigrations {
  constructor(private readonly deps: { readonly tx: TransactionRunner; readonly migrations: MigrationRepository }) {}

  /** Newest first. Throws MarkerNotFound. */
  list(query: MigrationQuery): Promise<readonly ServerMigration[]> {
    return this.deps.tx.read('migration.list', (tx) => this.deps.migrations.list(tx, query));
  }
}
