import type { Tx } from '@nestack/kernel/context';
import type { ListQuery, ResourceRepository, RowLock, Viewer } from '@nestack/neutron/domain';
import type { ResourceTable } from '../tables/resource-table';

/** A repository on one table; subclasses add what is the resource's own. */
export class TableRepository<T extends { readonly id: string }> implements ResourceRepository<T> {
  constructor(protected readonly table: ResourceTable<T>) {}

  find(tx: Tx, id: string, viewer: Viewer, options: { readonly lock?: RowLock } = {}): Promise<T | null> {
    return this.table.find(tx, id, viewer, options);
  }

  findAll(tx: Tx, ids: readonly string[], viewer: Viewer, options: { readonly lock?: RowLock } = {}): Promise<T[]> {
    return this.table.findAll(tx, ids, viewer, options);
  }

  list(tx: Tx, viewer: Viewer, query: ListQuery, after: T | null = null): Promise<T[]> {
    return this.table.list(tx, viewer, query, after);
  }

  insert(tx: Tx, entity: T): Promise<boolean> {
    return this.table.insert(tx, entity);
  }

  update(tx: Tx, id: string, patch: Partial<T>, at: Date): Promise<boolean> {
    return this.table.update(tx, id, patch, at);
  }

  remove(tx: Tx, id: string): Promise<number> {
    return this.table.remove(tx, id);
  }
}
