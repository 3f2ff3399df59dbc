import type { RequestContext, TransactionRunner, Tx } from '@nestack/kernel/context';
import type { Filter, Store } from './ports';

/** Finding, listing and deleting, which are the same for everything that nothing else depends on. */
export class Shelf<T extends { readonly id: string }> {
  constructor(
    protected readonly db: TransactionRunner,
    protected readonly store: Store<T>,
    protected readonly kind: string,
    private readonly missing: (id: string) => Error,
  ) {}

  list(_ctx: RequestContext, filters: readonly Filter[]): Promise<T[]> {
    return this.db.read(`${this.kind}.list`, (tx) => this.store.list(tx, filters));
  }

  show(_ctx: RequestContext, id: string): Promise<T> {
    return this.db.read(`${this.kind}.show`, (tx) => this.require(tx, id));
  }

  async remove(_ctx: RequestContext, id: string): Promise<void> {
    await this.db.run(`${this.kind}.remove`, async (tx) => {
      if (!(await this.store.remove(tx, id))) throw this.missing(id);
    });
  }

  /** Changes the given fields; unknown attributes are added to those kept already. */
  protected async change(tx: Tx, id: string, fields: Partial<T>): Promise<T> {
    const before = await this.require(tx, id, { lock: true });
    const given = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<T>;
    const after = await this.store.update(tx, id, { ...given, ...extraOf(before, given) });
    if (after === null) throw this.missing(id);
    return after;
  }

  protected async require(tx: Tx, id: string, options?: { readonly lock?: boolean }): Promise<T> {
    const found = await this.store.find(tx, id, options);
    if (found === null) throw this.missing(id);
    return found;
  }
}

function extraOf(before: object, given: object): object {
  if (!('extra' in before)) return {};
  return { extra: { ...(before.extra as object), ...('extra' in given ? (given.extra as object) : {}) } };
}
