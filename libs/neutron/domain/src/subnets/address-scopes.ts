import type { RequestContext } from '@nestack/kernel/context';
import { newUuid } from '@nestack/kernel/ids';
import { NeutronError, type CreationOf, type addressScopeResource } from '@nestack/neutron/contract';
import { findOr, listPage, mustAllow, mustAllowAttributes, ownerOf, viewerOf } from '../access';
import type { AddressScope, ListQuery } from '../model';
import type { NeutronParts } from '../parts';

export type AddressScopeInput = CreationOf<typeof addressScopeResource>;

export interface ScopesParts extends NeutronParts {
  readonly ruled: ReadonlySet<string>;
}

/** Realms in which addresses are unique. upstream: neutron/db/address_scope_db.py */
export class AddressScopes {
  constructor(private readonly parts: ScopesParts) {}

  async list(ctx: RequestContext, query: ListQuery): Promise<AddressScope[]> {
    const { db, scopes, policy } = this.parts;
    const viewer = viewerOf(ctx, policy);
    return db.read('address_scope.list', (tx) =>
      listPage(tx, scopes, viewer, query, NeutronError.AddressScopeNotFound, 'address_scope_id'),
    );
  }

  async show(ctx: RequestContext, id: string): Promise<AddressScope> {
    const { db, scopes, policy } = this.parts;
    const viewer = viewerOf(ctx, policy);
    return db.read('address_scope.show', (tx) =>
      findOr(tx, scopes, id, viewer, NeutronError.AddressScopeNotFound, 'address_scope_id'),
    );
  }

  async create(ctx: RequestContext, asked: readonly AddressScopeInput[]): Promise<AddressScope[]> {
    const { parts } = this;
    return parts.db.run('address_scope.create', async (tx) => {
      const made: AddressScope[] = [];
      for (const input of asked) {
        const projectId = ownerOf(ctx, parts.policy, input.project_id);
        const target = { ...input, project_id: projectId };
        mustAllow(ctx, parts.policy, 'create_address_scope', target);
        mustAllowAttributes(ctx, parts.policy, 'create_address_scope', input, parts.ruled, target, { shared: false });
        const now = parts.clock.now();
        const scope: AddressScope = {
          id: newUuid(),
          project_id: projectId,
          name: input.name ?? '',
          description: '',
          tags: [],
          revision_number: 0,
          created_at: now,
          updated_at: now,
          ip_version: input.ip_version ?? 4,
          shared: input.shared ?? false,
        };
        await parts.scopes.insert(tx, scope);
        if (scope.shared)
          await parts.rbac.share(
            tx,
            { type: 'address_scope', id: scope.id, project_id: projectId },
            'access_as_shared',
            true,
          );
        made.push(scope);
      }
      return made;
    });
  }

  async update(ctx: RequestContext, id: string, input: AddressScopeInput): Promise<AddressScope> {
    const { parts } = this;
    const viewer = viewerOf(ctx, parts.policy);
    return parts.db.run('address_scope.update', async (tx) => {
      const before = await findOr(
        tx,
        parts.scopes,
        id,
        viewer,
        NeutronError.AddressScopeNotFound,
        'address_scope_id',
        'change',
      );
      mustAllow(ctx, parts.policy, 'update_address_scope', { ...before });
      mustAllowAttributes(ctx, parts.policy, 'update_address_scope', input, parts.ruled, { ...before });
      if (before.shared && input.shared === false)
        throw NeutronError.AddressScopeUpdateError({
          address_scope_id: id,
          reason: "Shared address scope can't be unshared",
        });
      if (input.shared === true)
        await parts.rbac.share(
          tx,
          { type: 'address_scope', id, project_id: before.project_id },
          'access_as_shared',
          true,
        );
      const { shared: _shared, ...rest } = input;
      await parts.scopes.update(tx, id, rest as Partial<AddressScope>, parts.clock.now());
      return findOr(tx, parts.scopes, id, viewer, NeutronError.AddressScopeNotFound, 'address_scope_id');
    });
  }

  async remove(ctx: RequestContext, id: string): Promise<void> {
    const { parts } = this;
    const viewer = viewerOf(ctx, parts.policy);
    await parts.db.run('address_scope.delete', async (tx) => {
      const scope = await findOr(
        tx,
        parts.scopes,
        id,
        viewer,
        NeutronError.AddressScopeNotFound,
        'address_scope_id',
        'remove',
      );
      mustAllow(ctx, parts.policy, 'delete_address_scope', { ...scope });
      if ((await parts.pools.ofScope(tx, id)).length > 0)
        throw NeutronError.AddressScopeInUse({ address_scope_id: id });
      await parts.rbac.removeOf(tx, id);
      await parts.scopes.remove(tx, id);
    });
  }
}
