import { newUuid } from '@nestack/kernel/ids';
import type { Clock } from '@nestack/kernel/clock';
import type { RequestContext, TransactionRunner, Tx } from '@nestack/kernel/context';
import { NovaError } from '@nestack/nova/contract';
import type { Flavor } from '../instance';
import { assertProject, type FlavorQuery, type FlavorRepository, type IdentityPort } from '../ports';
import { callerOf } from '../servers/gate';
import { assertExtraSpec, type StandardNames } from './extra-specs';

export interface FlavorsDeps {
  readonly tx: TransactionRunner;
  readonly clock: Clock;
  readonly flavors: FlavorRepository;
  readonly identity: IdentityPort;
  readonly placement: StandardNames;
}

export type NewFlavor = Omit<Flavor, 'flavor_id' | 'disabled' | 'extra_specs' | 'created_at' | 'updated_at'> & {
  readonly flavor_id: string | null;
};

/** Flavors, their extra specs and who may use the private ones. */
export class Flavors {
  constructor(private readonly deps: FlavorsDeps) {}

  list(query: FlavorQuery): Promise<readonly Flavor[]> {
    return this.deps.tx.read('flavor.list', (tx) => this.deps.flavors.list(tx, query));
  }

  show(ctx: RequestContext, id: string): Promise<Flavor> {
    return this.deps.tx.read('flavor.show', (tx) => this.find(ctx, tx, id));
  }

  create(flavor: NewFlavor): Promise<Flavor> {
    if (flavor.name.trim() === '') throw NovaError.BadRequest({ reason: 'Flavor names must not be blank.' });
    const made: Flavor = {
      ...flavor,
      flavor_id: flavor.flavor_id ?? newUuid(),
      disabled: false,
      extra_specs: {},
      created_at: this.deps.clock.now(),
      updated_at: null,
    };
    return this.deps.tx.run('flavor.create', async (tx) => {
      await this.deps.flavors.insert(tx, made);
      return made;
    });
  }

  describe(ctx: RequestContext, id: string, description: string | null): Promise<Flavor> {
    return this.edit(ctx, id, () => ({ description }));
  }

  async delete(id: string): Promise<void> {
    const gone = await this.deps.tx.run('flavor.delete', (tx) => this.deps.flavors.remove(tx, id));
    if (!gone) throw NovaError.FlavorNotFound({ flavor_id: id });
  }

  /** Throws BadRequest for names and values that extra specs cannot have. */
  assertSpecs(specs: Readonly<Record<string, string>>): void {
    for (const [name, value] of Object.entries(specs)) assertExtraSpec(this.deps.placement, name, value);
  }

  setSpecs(ctx: RequestContext, id: string, specs: Readonly<Record<string, string>>): Promise<Flavor> {
    return this.edit(ctx, id, (flavor) => ({ extra_specs: { ...flavor.extra_specs, ...specs } }));
  }

  deleteSpec(ctx: RequestContext, id: string, key: string): Promise<Flavor> {
    return this.edit(ctx, id, (flavor) => {
      if (!Object.hasOwn(flavor.extra_specs, key))
        throw NovaError.FlavorExtraSpecsNotFound({ flavor_id: id, extra_specs_key: key });
      return { extra_specs: Object.fromEntries(Object.entries(flavor.extra_specs).filter(([name]) => name !== key)) };
    });
  }

  /** Projects with access; public flavors have no such list and answer 404. */
  access(ctx: RequestContext, id: string): Promise<readonly string[]> {
    return this.deps.tx.read('flavor.access', async (tx) => {
      const flavor = await this.find(ctx, tx, id);
      if (flavor.is_public) throw NovaError.NotFound({ reason: 'Access list not available for public flavors.' });
      return this.deps.flavors.access(tx, id);
    });
  }

  /**
   * Gives a project access. A public flavor takes it too, for nothing, unless `privateOnly`.
   * Throws BadRequest (no such project), FlavorNotFound, Conflict, FlavorAccessExists.
   */
  async addAccess(
    ctx: RequestContext,
    id: string,
    projectId: string,
    { privateOnly }: { readonly privateOnly: boolean },
  ): Promise<readonly string[]> {
    await assertProject(ctx, this.deps.identity, projectId);
    return this.deps.tx.run('flavor.add_access', async (tx) => {
      const flavor = await this.find(ctx, tx, id);
      if (flavor.is_public && privateOnly)
        throw NovaError.Conflict({ reason: 'Can not add access to a public flavor.' });
      if (!(await this.deps.flavors.addAccess(tx, id, projectId)))
        throw NovaError.FlavorAccessExists({ flavor_id: id, project_id: projectId });
      return this.deps.flavors.access(tx, id);
    });
  }

  /** Takes access away, from a project that is gone as well. Throws FlavorNotFound, FlavorAccessNotFound. */
  removeAccess(ctx: RequestContext, id: string, projectId: string): Promise<readonly string[]> {
    return this.deps.tx.run('flavor.remove_access', async (tx) => {
      await this.find(ctx, tx, id);
      if (!(await this.deps.flavors.removeAccess(tx, id, projectId)))
        throw NovaError.FlavorAccessNotFound({ flavor_id: id, project_id: projectId });
      return this.deps.flavors.access(tx, id);
    });
  }

  private async find(ctx: RequestContext, tx: Tx, id: string): Promise<Flavor> {
    const flavor = await this.deps.flavors.find(tx, id);
    const caller = callerOf(ctx);
    if (
      flavor === null ||
      (!flavor.is_public &&
        !caller.isAdmin &&
        !(await this.deps.flavors.access(tx, id)).includes(caller.projectId ?? ''))
    ) {
      throw NovaError.FlavorNotFound({ flavor_id: id });
    }
    return flavor;
  }

  private edit(
    ctx: RequestContext,
    id: string,
    patch: (flavor: Flavor) => Partial<Pick<Flavor, 'description' | 'extra_specs'>>,
  ): Promise<Flavor> {
    return this.deps.tx.run('flavor.edit', async (tx) => {
      const updated = await this.deps.flavors.update(tx, id, patch(await this.find(ctx, tx, id)));
      if (updated === null) throw NovaError.FlavorNotFound({ flavor_id: id });
      return updated;
    });
  }
}
