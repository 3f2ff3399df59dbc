import type { Tx } from '@nestack/kernel/context';
import type { FlavorSnapshot, VmState } from '@nestack/nova/contract';

/** The last three are of a migration that is over; there is one at most of a server that is not. upstream: nova/objects/fields.py */
export type MigrationStatus =
  | 'pre-migrating'
  | 'migrating'
  | 'post-migrating'
  | 'finished'
  | 'confirming'
  | 'reverting'
  | 'confirmed'
  | 'reverted'
  | 'error';

/** A move of a server, or a change of its sizes. Its uuid is a consumer in Placement too, which holds the old flavor until the end. */
export interface ServerMigration {
  readonly id: number;
  readonly uuid: string;
  readonly instance_uuid: string;
  readonly project_id: string;
  readonly user_id: string;
  readonly migration_type: 'resize' | 'migration';
  readonly status: MigrationStatus;
  readonly source_compute: string;
  readonly source_node: string;
  /** Null until a host is chosen. */
  readonly dest_compute: string | null;
  readonly dest_node: string | null;
  /** Address of the host that it goes to. */
  readonly dest_host: string | null;
  readonly old_flavor: FlavorSnapshot;
  readonly new_flavor: FlavorSnapshot;
  /** How the server was: a server that was stopped stays so. */
  readonly old_vm_state: VmState;
  readonly created_at: Date;
  readonly updated_at: Date;
}

/** Filters of a list of migrations, newest first. */
export interface MigrationQuery {
  readonly instance_uuid?: string;
  readonly status?: string;
  /** Source or destination. */
  readonly host?: string;
  readonly source_compute?: string;
  readonly migration_type?: string;
  readonly user_id?: string;
  readonly project_id?: string;
  readonly changes_since?: Date;
  readonly changes_before?: Date;
  readonly limit: number;
  readonly marker?: string;
}

export interface MigrationRepository {
  insert(tx: Tx, migration: Omit<ServerMigration, 'id' | 'updated_at'>): Promise<void>;
  find(tx: Tx, uuid: string): Promise<ServerMigration | null>;
  /** Those of a server that are not over. */
  open(tx: Tx, instanceUuid: string): Promise<readonly ServerMigration[]>;
  setStatus(tx: Tx, uuid: string, status: MigrationStatus): Promise<void>;
  /** The host that the server goes to. */
  setDestination(
    tx: Tx,
    uuid: string,
    to: Pick<ServerMigration, 'dest_compute' | 'dest_node' | 'dest_host'>,
  ): Promise<void>;
  /** Of the servers those that have left the host by a migration that is not over, in one statement. */
  leftHost(tx: Tx, host: string, instanceUuids: readonly string[]): Promise<ReadonlySet<string>>;
  /** Finished ones that nobody has confirmed nor reverted since then, the oldest first, at most `limit`. */
  unconfirmed(tx: Tx, before: Date, limit: number): Promise<readonly ServerMigration[]>;
  /** Throws MarkerNotFound. */
  list(tx: Tx, query: MigrationQuery): Promise<readonly ServerMigration[]>;
}
