import { KeystoneError } from '@nestack/keystone/contract';
import type { RequestContext, TransactionRunner, Tx } from '@nestack/kernel/context';
import { newHexId } from '@nestack/kernel/ids';
import type { Limit, RegisteredLimit } from './model';
import type { Filter, Stores } from './ports';
import { Shelf } from './shelf';

type Place = Pick<RegisteredLimit, 'service_id' | 'region_id' | 'resource_name'>;

function at(place: Place): Filter[] {
  return [
    { field: 'service_id', op: 'eq', value: place.service_id },
    { field: 'region_id', op: 'eq', value: place.region_id },
    { field: 'resource_name', op: 'eq', value: place.resource_name },
  ];
}

/** The limits that hold where no project has its own. upstream: keystone/limit/core.py */
export class RegisteredLimits extends Shelf<RegisteredLimit> {
  constructor(
    db: TransactionRunner,
    private readonly stores: Stores,
  ) {
    super(db, stores.registeredLimits, 'registered_limits', (id) => KeystoneError.RegisteredLimitNotFound({ id }));
  }

  /** All or none. */
  create(_ctx: RequestContext, list: readonly Omit<RegisteredLimit, 'id'>[]): Promise<RegisteredLimit[]> {
    return this.db.run('registered_limits.create', async (tx) => {
      const made: RegisteredLimit[] = [];
      for (const fields of list) {
        await requirePlace(tx, this.stores, fields);
        made.push(await this.store.insert(tx, { ...fields, id: newHexId() }));
      }
      return made;
    });
  }

  /** What limits refer to stays: only amount and description change then. */
  update(_ctx: RequestContext, id: string, fields: Partial<Omit<RegisteredLimit, 'id'>>): Promise<RegisteredLimit> {
    return this.db.run('registered_limits.update', async (tx) => {
      const before = await this.require(tx, id, { lock: true });
      const place = { ...before, ...fields };
      const moves = (['service_id', 'region_id', 'resource_name'] as const).some((key) => place[key] !== before[key]);
      if (moves) {
        await this.requireUnused(tx, before, 'update');
        await requirePlace(tx, this.stores, place);
      }
      return this.change(tx, id, fields);
    });
  }

  override async remove(_ctx: RequestContext, id: string): Promise<void> {
    await this.db.run('registered_limits.remove', async (tx) => {
      await this.requireUnused(tx, await this.require(tx, id, { lock: true }), 'delete');
      await this.store.remove(tx, id);
    });
  }

  private async requireUnused(tx: Tx, place: RegisteredLimit, verb: string): Promise<void> {
    const limits = await this.stores.limits.list(tx, at(place));
    if (limits.length === 0) return;
    throw KeystoneError.Forbidden({
      reason: `Unable to ${verb} registered limit ${place.id} because there are project limits associated with it.`,
    });
  }
}

/** Limits of single projects and domains. */
export class Limits extends Shelf<Limit> {
  constructor(
    db: TransactionRunner,
    private readonly stores: Stores,
  ) {
    super(db, stores.limits, 'limits', (id) => KeystoneError.LimitNotFound({ id }));
  }

  /** All or none; each needs a registered limit of the same resource. */
  create(_ctx: RequestContext, list: readonly Omit<Limit, 'id'>[]): Promise<Limit[]> {
    return this.db.run('limits.create', async (tx) => {
      const made: Limit[] = [];
      for (const fields of list) {
        if ((fields.project_id === null) === (fields.domain_id === null)) {
          throw KeystoneError.InvalidInput({ reason: 'A limit is of either a project or a domain.' });
        }
        await requirePlace(tx, this.stores, fields);
        const owner = fields.project_id ?? fields.domain_id ?? '';
        if ((await this.stores.projects.find(tx, owner)) === null) {
          throw KeystoneError.ProjectNotFound({ project_id: owner });
        }
        if ((await this.stores.registeredLimits.list(tx, at(fields))).length === 0) {
          throw KeystoneError.Forbidden({
            reason: 'Unable to create a limit that has no corresponding registered limit.',
          });
        }
        made.push(await this.store.insert(tx, { ...fields, id: newHexId() }));
      }
      return made;
    });
  }

  update(_ctx: RequestContext, id: string, fields: Partial<Omit<Limit, 'id'>>): Promise<Limit> {
    return this.db.run('limits.update', (tx) => this.change(tx, id, fields));
  }
}

async function requirePlace(tx: Tx, stores: Stores, place: Place): Promise<void> {
  if ((await stores.services.find(tx, place.service_id)) === null) {
    throw KeystoneError.InvalidInput({ reason: `Could not find service: ${place.service_id}.` });
  }
  if (place.region_id !== null && (await stores.regions.find(tx, place.region_id)) === null) {
    throw KeystoneError.InvalidInput({ reason: `Could not find region: ${place.region_id}.` });
  }
}
