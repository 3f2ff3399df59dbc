import type { RequestContext, Tx } from '@nestack/kernel/context';
import { newUuid } from '@nestack/kernel/ids';
import { NeutronError, bitsOf, type CreationOf, type subnetPoolResource } from '@nestack/neutron/contract';
import {
  findOr,
  isAdmin,
  listPage,
  matchRevision,
  mustAllow,
  mustAllowAttributes,
  ownerOf,
  viewerOf,
  withinQuota,
} from '../access';
import type { ListQuery, SubnetPool } from '../model';
import type { NeutronParts } from '../parts';
import { anyOverlap, compact, covers, without } from './prefix-set';

export type SubnetPoolInput = CreationOf<typeof subnetPoolResource>;

export interface PoolsParts extends NeutronParts {
  readonly ruled: ReadonlySet<string>;
}

type Bounds = Pick<SubnetPool, 'ip_version' | 'min_prefixlen' | 'max_prefixlen' | 'default_prefixlen'>;

const SMALLEST = { 4: 8, 6: 64 } as const;

/** Pools that subnets' prefixes come from. upstream: neutron/objects/subnetpool.py, neutron/ipam/subnet_alloc.py */
export class SubnetPools {
  constructor(private readonly parts: PoolsParts) {}

  async list(ctx: RequestContext, query: ListQuery): Promise<SubnetPool[]> {
    const { db, pools, policy } = this.parts;
    const viewer = viewerOf(ctx, policy);
    return db.read('subnetpool.list', (tx) =>
      listPage(tx, pools, viewer, query, NeutronError.SubnetPoolNotFound, 'subnetpool_id'),
    );
  }

  async show(ctx: RequestContext, id: string): Promise<SubnetPool> {
    const { db, pools, policy } = this.parts;
    const viewer = viewerOf(ctx, policy);
    return db.read('subnetpool.show', (tx) =>
      findOr(tx, pools, id, viewer, NeutronError.SubnetPoolNotFound, 'subnetpool_id'),
    );
  }

  async create(ctx: RequestContext, asked: readonly SubnetPoolInput[]): Promise<SubnetPool[]> {
    return this.parts.db.run('subnetpool.create', async (tx) => {
      const made: SubnetPool[] = [];
      for (const input of asked) made.push(await this.createOne(ctx, tx, input));
      return made;
    });
  }

  private async createOne(ctx: RequestContext, tx: Tx, input: SubnetPoolInput): Promise<SubnetPool> {
    const { parts } = this;
    const projectId = ownerOf(ctx, parts.policy, input.project_id);
    const target = { ...input, project_id: projectId };
    mustAllow(ctx, parts.policy, 'create_subnetpool', target);
    mustAllowAttributes(ctx, parts.policy, 'create_subnetpool', input, parts.ruled, target, {
      shared: false,
      is_default: false,
    });
    const { version, prefixes } = compact(input.prefixes ?? []);
    const min = input.min_prefixlen ?? SMALLEST[version];
    const bounds: Bounds = {
      ip_version: version,
      min_prefixlen: min,
      max_prefixlen: input.max_prefixlen ?? bitsOf(version),
      default_prefixlen: input.default_prefixlen ?? min,
    };
    checkBounds(bounds);
    const now = parts.clock.now();
    const pool: SubnetPool = {
      id: newUuid(),
      project_id: projectId,
      name: input.name ?? '',
      description: input.description ?? '',
      tags: [],
      revision_number: 0,
      created_at: now,
      updated_at: now,
      ...bounds,
      prefixes,
      default_quota: input.default_quota ?? null,
      is_default: input.is_default ?? false,
      shared: input.shared ?? false,
      address_scope_id: input.address_scope_id ?? null,
    };
    if (pool.is_default) await this.checkOnlyDefault(tx, pool);
    await this.checkScope(ctx, tx, pool);
    if (!(await parts.pools.insert(tx, pool))) throw secondDefault();
    await withinQuota(tx, parts, projectId, ['subnetpool']);
    if (pool.shared)
      await parts.rbac.share(tx, { type: 'subnetpool', id: pool.id, project_id: projectId }, 'access_as_shared', true);
    return pool;
  }

  private async checkOnlyDefault(tx: Tx, pool: SubnetPool): Promise<void> {
    const other = await this.parts.pools.default(tx, pool.ip_version);
    if (other !== null && other.id !== pool.id) throw secondDefault();
  }

  /** Pools of one address scope are of its family, as widely seen as it allows, and have no address in common. */
  private async checkScope(ctx: RequestContext, tx: Tx, pool: SubnetPool): Promise<void> {
    const { parts } = this;
    const scopeId = pool.address_scope_id;
    if (scopeId === null) return;
    const viewer = viewerOf(ctx, parts.policy);
    const scope = await findOr(
      tx,
      parts.scopes,
      scopeId,
      viewer,
      NeutronError.AddressScopeNotFound,
      'address_scope_id',
      'change',
    );
    if (scope.project_id !== pool.project_id && !isAdmin(ctx, parts.policy) && !scope.shared)
      throw NeutronError.IllegalSubnetPoolAssociationToAddressScope({
        subnetpool_id: pool.id,
        address_scope_id: scopeId,
      });
    if (pool.shared && !scope.shared)
      throw NeutronError.IllegalSubnetPoolUpdate({
        reason: `A shared subnet pool can not be associated with a non-shared address scope ${scopeId}`,
      });
    if (scope.ip_version !== pool.ip_version)
      throw NeutronError.IllegalSubnetPoolIpVersionAssociationToAddressScope({
        subnetpool_id: pool.id,
        address_scope_id: scopeId,
        ip_version: scope.ip_version,
      });
    for (const other of await parts.pools.ofScope(tx, scopeId)) {
      if (other.id !== pool.id && anyOverlap(other.prefixes, pool.prefixes))
        throw NeutronError.AddressScopePrefixConflict();
    }
  }

  async update(ctx: RequestContext, id: string, input: SubnetPoolInput, revision: number | null): Promise<SubnetPool> {
    const { parts } = this;
    return parts.db.run('subnetpool.update', async (tx) => {
      const before = await this.locked(ctx, tx, id, 'update_subnetpool');
      mustAllowAttributes(ctx, parts.policy, 'update_subnetpool', input, parts.ruled, { ...before });
      matchRevision(before.revision_number, revision);
      const prefixes = input.prefixes === undefined ? before.prefixes : this.widened(before, input.prefixes);
      const after: SubnetPool = { ...before, ...(input as Partial<SubnetPool>), prefixes };
      checkBounds(after);
      if (after.is_default) await this.checkOnlyDefault(tx, after);
      if (after.address_scope_id !== null) await this.checkScope(ctx, tx, after);
      if (!(await parts.pools.update(tx, id, { ...(input as Partial<SubnetPool>), prefixes }, parts.clock.now())))
        throw secondDefault();
      return findOr(tx, parts.pools, id, viewerOf(ctx, parts.policy), NeutronError.SubnetPoolNotFound, 'subnetpool_id');
    });
  }

  private async locked(ctx: RequestContext, tx: Tx, id: string, rule: string): Promise<SubnetPool> {
    const { parts } = this;
    const viewer = viewerOf(ctx, parts.policy);
    const pool = await findOr(tx, parts.pools, id, viewer, NeutronError.SubnetPoolNotFound, 'subnetpool_id', 'change');
    mustAllow(ctx, parts.policy, rule, { ...pool });
    return pool;
  }

  private widened(before: SubnetPool, asked: readonly string[]): string[] {
    const { version, prefixes } = compact(asked);
    if (version !== before.ip_version || !covers(prefixes, before.prefixes))
      throw NeutronError.IllegalSubnetPoolPrefixUpdate({
        msg: 'Existing prefixes must be a subset of the new prefixes',
      });
    return prefixes;
  }

  /** Adds prefixes, or takes away those that no subnet has. */
  async changePrefixes(
    ctx: RequestContext,
    id: string,
    change: 'add' | 'remove',
    asked: readonly string[],
  ): Promise<readonly string[]> {
    const { parts } = this;
    return parts.db.run('subnetpool.prefixes', async (tx) => {
      const pool = await this.locked(ctx, tx, id, `${change}_prefixes`);
      const given = compact(asked);
      if (given.version !== pool.ip_version) throw NeutronError.PrefixVersionMismatch();
      const prefixes =
        change === 'add'
          ? compact([...pool.prefixes, ...given.prefixes]).prefixes
          : without(pool.prefixes, given.prefixes);
      if (change === 'remove') {
        const used = await parts.subnets.prefixesOfPool(tx, id);
        if (
          !covers(
            prefixes,
            used.map((one) => one.cidr),
          )
        )
          throw NeutronError.IllegalSubnetPoolPrefixUpdate({
            msg: 'One or more subnets use the prefixes to be removed',
          });
      } else await this.checkScope(ctx, tx, { ...pool, prefixes });
      await parts.pools.update(tx, id, { prefixes }, parts.clock.now());
      return prefixes;
    });
  }

  async remove(ctx: RequestContext, id: string): Promise<void> {
    const { parts } = this;
    const viewer = viewerOf(ctx, parts.policy);
    await parts.db.run('subnetpool.delete', async (tx) => {
      const pool = await findOr(
        tx,
        parts.pools,
        id,
        viewer,
        NeutronError.SubnetPoolNotFound,
        'subnetpool_id',
        'remove',
      );
      mustAllow(ctx, parts.policy, 'delete_subnetpool', { ...pool });
      if (await parts.pools.inUse(tx, id))
        throw NeutronError.SubnetPoolDeleteError({ reason: 'Subnet pool has existing allocations' });
      await parts.rbac.removeOf(tx, id);
      await parts.pools.remove(tx, id);
    });
  }
}

function secondDefault(): Error {
  return NeutronError.InvalidInput({
    error_message:
      'A default subnetpool for this IP family has already been set. Only one default may exist per IP family',
  });
}

function checkBounds(pool: Bounds): void {
  const { ip_version: version, min_prefixlen: min, max_prefixlen: max, default_prefixlen: usual } = pool;
  const illegal = (type: string, length: number, base: string, bound: number): never => {
    throw NeutronError.IllegalSubnetPoolPrefixBounds({
      prefix_type: type,
      prefixlen: length,
      base_prefix_type: base,
      base_prefixlen: bound,
    });
  };
  if (min < 1) throw NeutronError.UnsupportedMinSubnetPoolPrefix({ prefix: min, version });
  const bits = bitsOf(version);
  if (max > bits) illegal('max_prefixlen', max, 'ip_version_max', bits);
  if (min > max) illegal('max_prefixlen', max, 'min_prefixlen', min);
  if (usual < min) illegal('default_prefixlen', usual, 'min_prefixlen', min);
  if (usual > max) illegal('default_prefixlen', usual, 'max_prefixlen', max);
}
