import type { Tx } from '@nestack/kernel/context';
import type { GroupPlaces, ServerGroup, ServerGroupItem } from '../server-groups/group-policy';

export interface ServerGroupRepository {
  insert(tx: Tx, group: ServerGroup): Promise<void>;
  /** With `lock`, nobody else joins or places members until the transaction ends. */
  find(tx: Tx, uuid: string, options?: { readonly lock?: boolean }): Promise<ServerGroupItem | null>;
  /** The oldest first; a project of null means all projects. */
  list(
    tx: Tx,
    query: { readonly project_id: string | null; readonly limit: number; readonly offset: number },
  ): Promise<readonly ServerGroupItem[]>;
  /** Its members leave it. */
  remove(tx: Tx, uuid: string): Promise<void>;
  /** How many groups a project has, or one of its users. */
  count(tx: Tx, projectId: string, userId?: string | null): Promise<number>;
  /** How many servers of a user are in a group. */
  countMembers(tx: Tx, uuid: string, userId: string): Promise<number>;
  /** Locks the project's groups against others that count, then counts them. */
  lockCount(tx: Tx, projectId: string): Promise<number>;
  join(tx: Tx, uuid: string, instanceUuid: string): Promise<void>;
  /** A deleted server is in no group. */
  leave(tx: Tx, instanceUuid: string): Promise<void>;
  /** The hosts that a group's members hold; null when there is no such group. With `lock`, nobody else places members until the transaction ends. */
  places(tx: Tx, uuid: string, options?: { readonly lock?: boolean }): Promise<GroupPlaces | null>;
  /** Holds a host for a member that is to be built there, instead of what was held before; null gives it up. */
  hold(tx: Tx, instanceUuid: string, host: string | null): Promise<void>;
}
