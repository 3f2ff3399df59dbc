import type { RequestContext, Tx } from '@nestack/kernel/context';
import {
  NeutronError,
  bitsOf,
  formatCidr,
  overlaps,
  parseCidr,
  type CreationOf,
  type IpNetwork,
  type subnetResource,
} from '@nestack/neutron/contract';
import { viewerOf } from '../access';
import type { Subnet, SubnetPool } from '../model';
import type { NeutronParts } from '../parts';
import { checkVersion, networkOf } from './subnet-plan';

type SubnetInput = CreationOf<typeof subnetResource>;

/**
 * The pool that a new subnet comes from, or null. Subnets of one family on a network come from the same pool or none.
 * upstream: neutron/db/db_base_plugin_v2.py _get_subnetpool_id, ipam_backend_mixin.py _validate_network_subnetpools
 */
export async function poolForSubnet(
  ctx: RequestContext,
  tx: Tx,
  parts: NeutronParts,
  input: SubnetInput,
  siblings: readonly Subnet[],
  version: 4 | 6,
): Promise<SubnetPool | null> {
  const pool = await wanted(ctx, tx, parts, input, version);
  const family = siblings.filter((one) => one.ip_version === version);
  if (family.some((one) => one.subnetpool_id !== (pool?.id ?? null))) {
    const scopes = await scopesOf(tx, parts, family);
    const own = pool?.address_scope_id ?? null;
    if (scopes.some((scope) => scope !== own)) throw NeutronError.NetworkAddressScopeAffinityError();
    if (pool !== null) throw NeutronError.NetworkSubnetPoolAffinityError();
  }
  if (pool !== null && pool.ip_version !== version)
    throw NeutronError.BadRequest({
      resource: 'subnets',
      msg: `Cannot allocate IPv${String(version)} subnet from IPv${String(pool.ip_version)} subnet pool`,
    });
  return pool;
}

async function scopesOf(tx: Tx, parts: NeutronParts, subnets: readonly Subnet[]): Promise<(string | null)[]> {
  const ids = subnets.flatMap((one) => (one.subnetpool_id === null ? [] : [one.subnetpool_id]));
  const pools = await parts.pools.findAll(tx, ids, { projectId: null, all: true });
  return subnets.map((one) => pools.find((pool) => pool.id === one.subnetpool_id)?.address_scope_id ?? null);
}

async function wanted(
  ctx: RequestContext,
  tx: Tx,
  parts: NeutronParts,
  input: SubnetInput,
  version: 4 | 6,
): Promise<SubnetPool | null> {
  const id = input.subnetpool_id ?? null;
  if (input.use_default_subnetpool === true) {
    if (id !== null)
      throw NeutronError.BadRequest({
        resource: 'subnets',
        msg: 'subnetpool_id and use_default_subnetpool cannot both be specified',
      });
    const found = await parts.pools.default(tx, version);
    if (found === null)
      throw NeutronError.BadRequest({
        resource: 'subnets',
        msg: `No default subnetpool found for IPv${String(version)}`,
      });
    return found;
  }
  if (id === null) return null;
  const pool = await parts.pools.find(tx, id, viewerOf(ctx, parts.policy));
  if (pool === null) throw NeutronError.SubnetPoolNotFound({ subnetpool_id: id });
  return pool;
}

/**
 * Takes a prefix out of a pool: the one asked for, or the first free one of the length. Pools are taken from by one at a time.
 * upstream: neutron/ipam/subnet_alloc.py
 */
export async function allocatePrefix(
  tx: Tx,
  parts: NeutronParts,
  pool: SubnetPool,
  input: SubnetInput,
  projectId: string,
): Promise<IpNetwork> {
  const asked = input.cidr === undefined ? null : networkOf(input.cidr);
  if (asked !== null) {
    checkVersion(pool.ip_version, input.cidr ?? '', 'cidr');
    if (input.prefixlen !== undefined)
      throw NeutronError.BadRequest({ resource: 'subnets', msg: 'cidr and prefixlen must not be supplied together' });
  }
  const length = asked?.prefix ?? input.prefixlen ?? pool.default_prefixlen;
  if (length < pool.min_prefixlen)
    throw NeutronError.MinPrefixSubnetAllocationError({ prefixlen: length, min_prefixlen: pool.min_prefixlen });
  if (length > pool.max_prefixlen)
    throw NeutronError.MaxPrefixSubnetAllocationError({ prefixlen: length, max_prefixlen: pool.max_prefixlen });
  const taken = await parts.subnets.prefixesOfPool(tx, pool.id);
  checkPoolQuota(pool, taken, projectId, length);
  const used = taken.flatMap((one) => parseCidr(one.cidr) ?? []);
  const free = asked === null ? firstFree(pool, used, length) : inPool(pool, used, asked);
  if (free === null)
    throw NeutronError.SubnetAllocationError({
      reason:
        asked === null
          ? `Insufficient prefix space to allocate subnet size /${String(length)}`
          : `Cannot allocate requested subnet ${formatCidr(asked)} from the available set of prefixes`,
    });
  return free;
}

/** Quotas of pools count addresses in IPv4 and /64 prefixes in IPv6. */
function checkPoolQuota(
  pool: SubnetPool,
  taken: readonly { readonly cidr: string; readonly project_id: string }[],
  projectId: string,
  length: number,
): void {
  if (pool.default_quota === null) return;
  const unit = pool.ip_version === 4 ? 32 : 64;
  const size = (prefix: number): number => 2 ** Math.max(0, unit - prefix);
  const used = taken
    .filter((one) => one.project_id === projectId)
    .reduce((sum, one) => sum + size(parseCidr(one.cidr)?.prefix ?? unit), 0);
  if (used + size(length) > pool.default_quota) throw NeutronError.SubnetPoolQuotaExceeded();
}

function inPool(pool: SubnetPool, used: readonly IpNetwork[], asked: IpNetwork): IpNetwork | null {
  const inside = pool.prefixes.some((text) => {
    const prefix = networkOf(text);
    return prefix.version === asked.version && asked.first >= prefix.first && asked.last <= prefix.last;
  });
  return inside && !used.some((one) => overlaps(one, asked)) ? { ...asked, ip: asked.first } : null;
}

/** The lowest place of the length in any of the prefixes; the smallest prefix that has one is taken from first. */
function firstFree(pool: SubnetPool, used: readonly IpNetwork[], length: number): IpNetwork | null {
  const span = 1n << BigInt(bitsOf(pool.ip_version) - length);
  const prefixes = pool.prefixes.map(networkOf).sort((a, b) => b.prefix - a.prefix || (a.first < b.first ? -1 : 1));
  for (const prefix of prefixes) {
    if (prefix.prefix > length) continue;
    const inside = used.filter((one) => overlaps(one, prefix)).sort((a, b) => (a.first < b.first ? -1 : 1));
    let at = prefix.first;
    for (const one of inside) {
      if (one.first - at >= span) break;
      if (one.last >= at) at = ((one.last + span) / span) * span;
    }
    if (at + span - 1n <= prefix.last)
      return { version: pool.ip_version, ip: at, prefix: length, first: at, last: at + span - 1n };
  }
  return null;
}
