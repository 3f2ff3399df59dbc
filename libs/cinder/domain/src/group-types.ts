import type { RequestContext, Tx } from '@nestack/kernel/context';
import { isUuidLike, newUuid } from '@nestack/kernel/ids';
import { CinderError } from '@nestack/cinder/contract';
import { isPrivileged } from './access';
import type { GroupType } from './model';
import type { CinderParts, GroupTypeQuery } from './ports';

type Specs = GroupType['group_specs'];

/** Group types and their specs. */
export class GroupTypes {
  constructor(private readonly parts: Pick<CinderParts, 'db' | 'groupTypes'>) {}

  list(query: GroupTypeQuery): Promise<readonly GroupType[]> {
    return this.parts.db.read('group_type.list', (tx) => this.parts.groupTypes.list(tx, query));
  }

  /** Private ones are for administrators: nobody else can be given access to one. */
  show(ctx: RequestContext, id: string): Promise<GroupType> {
    return this.parts.db.read('group_type.show', async (tx) => {
      const type = await this.found(tx, id);
      if (!type.is_public && !isPrivileged(ctx)) throw CinderError.GroupTypeNotFound({ group_type_id: id });
      return type;
    });
  }

  create(type: Pick<GroupType, 'name' | 'description' | 'is_public' | 'group_specs'>): Promise<GroupType> {
    return this.parts.db.run('group_type.create', async (tx) => {
      const made = { ...type, id: newUuid() };
      if (!(await this.parts.groupTypes.insert(tx, made))) throw CinderError.GroupTypeExists({ id: type.name });
      return this.found(tx, made.id);
    });
  }

  update(
    id: string,
    changes: Partial<Pick<GroupType, 'name' | 'description' | 'is_public' | 'group_specs'>>,
  ): Promise<GroupType> {
    return this.change(id, () => changes);
  }

  /** Changes are worked out from the type as no other request can change it meanwhile. */
  private change(
    id: string,
    changesOf: (type: GroupType) => Partial<Pick<GroupType, 'name' | 'description' | 'is_public' | 'group_specs'>>,
  ): Promise<GroupType> {
    return this.parts.db.run('group_type.update', async (tx) => {
      if (isUuidLike(id)) await this.parts.groupTypes.lock(tx, id);
      const type = await this.found(tx, id);
      const changes = changesOf(type);
      if (changes.name !== undefined && changes.name !== type.name) {
        if ((await this.parts.groupTypes.find(tx, changes.name)) !== null)
          throw CinderError.GroupTypeExists({ id: changes.name });
      }
      const next = { ...type, ...changes };
      await this.parts.groupTypes.update(tx, next);
      return next;
    });
  }

  async remove(id: string): Promise<void> {
    await this.parts.db.run('group_type.delete', async (tx) => {
      await this.found(tx, id);
      if (await this.parts.groupTypes.inUse(tx, id)) throw CinderError.GroupTypeInUse();
      await this.parts.groupTypes.remove(tx, id);
    });
  }

  specs(id: string): Promise<Specs> {
    return this.parts.db.read('group_type.show', async (tx) => (await this.found(tx, id)).group_specs);
  }

  /** Adds specs or changes them. */
  async setSpecs(id: string, specs: Specs): Promise<void> {
    await this.change(id, (type) => ({ group_specs: { ...type.group_specs, ...specs } }));
  }

  async removeSpec(id: string, key: string): Promise<void> {
    await this.change(id, (type) => {
      const { [key]: removed, ...rest } = type.group_specs;
      if (removed === undefined) throw CinderError.GroupTypeSpecsNotFound({ group_type_id: id, group_specs_key: key });
      return { group_specs: rest };
    });
  }

  private async found(tx: Tx, id: string): Promise<GroupType> {
    const type = isUuidLike(id) ? await this.parts.groupTypes.find(tx, id) : null;
    if (type === null) throw CinderError.GroupTypeNotFound({ group_type_id: id });
    return type;
  }
}

/** Whether a spec says yes, in the language of extra specs. */
export function saysYes(spec: string | null | undefined): boolean {
  return typeof spec === 'string' && /^<is>\s*true$/i.test(spec.trim());
}
