import type { Tx } from '@nestack/kernel/context';
import { newUuid } from '@nestack/kernel/ids';
import type { SecurityGroup, SecurityGroupRule } from '../model';
import type { NeutronParts } from '../parts';

type RuleSeed = Pick<SecurityGroupRule, 'direction' | 'ethertype' | 'remote_group_id'>;

/** The two rules that every new group has: everything out. */
export const EGRESS: readonly RuleSeed[] = [
  { direction: 'egress', ethertype: 'IPv4', remote_group_id: null },
  { direction: 'egress', ethertype: 'IPv6', remote_group_id: null },
];

/** A rule with nothing but direction, family and perhaps the other side's group. */
export function plainRule(group: SecurityGroup, seed: RuleSeed): SecurityGroupRule {
  return {
    id: newUuid(),
    project_id: group.project_id,
    description: '',
    revision_number: 0,
    created_at: group.created_at,
    updated_at: group.created_at,
    security_group_id: group.id,
    direction: seed.direction,
    ethertype: seed.ethertype,
    protocol: null,
    port_range_min: null,
    port_range_max: null,
    remote_ip_prefix: null,
    remote_group_id: seed.remote_group_id,
    belongs_to_default_sg: group.is_default,
  };
}

/**
 * The project's group `default`, made when it is first looked for: its members reach each other, and everything out. Under a lock
 * of the project, so that there is one however many look at once. Quotas do not hold for it.
 * upstream: neutron/db/securitygroups_db.py _ensure_default_security_group
 */
export async function ensureDefaultGroup(tx: Tx, parts: NeutronParts, projectId: string): Promise<string | null> {
  // Ports of the cloud itself belong to no project.
  if (projectId === '') return null;
  const known = await parts.groups.defaultOf(tx, projectId);
  if (known !== null) return known;
  await parts.groups.lockDefault(tx, projectId);
  const meanwhile = await parts.groups.defaultOf(tx, projectId);
  if (meanwhile !== null) return meanwhile;
  const now = parts.clock.now();
  const group: SecurityGroup = {
    id: newUuid(),
    project_id: projectId,
    name: 'default',
    description: 'Default security group',
    tags: [],
    revision_number: 1,
    created_at: now,
    updated_at: now,
    stateful: true,
    is_default: true,
    shared: false,
  };
  await parts.groups.insert(tx, group);
  const inside: RuleSeed[] = (['IPv4', 'IPv6'] as const).map((ethertype) => ({
    direction: 'ingress',
    ethertype,
    remote_group_id: group.id,
  }));
  await parts.rules.insertAll(
    tx,
    [...EGRESS, ...inside].map((seed) => plainRule(group, seed)),
  );
  return group.id;
}
