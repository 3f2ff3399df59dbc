import type { SecurityGroupDetail, SecurityGroupRule } from '@nestack/nova/domain';

/** What a rule is about when it names no ports: all of TCP and UDP, and what ICMP and others have instead. */
function portsOf(rule: SecurityGroupRule): readonly [number | null, number | null] {
  if (rule.protocol === null || rule.port_range_min !== null || rule.port_range_max !== null)
    return [rule.port_range_min, rule.port_range_max];
  return /^(tcp|udp)$/i.test(rule.protocol) ? [1, 65_535] : [-1, -1];
}

/**
 * A group as nova has always shown it: rules for incoming packets alone. Rules whose source group is not among `known` are
 * left out. upstream: nova/api/openstack/compute/security_groups.py, nova/network/security_group_api.py
 */
export function securityGroupView(group: SecurityGroupDetail, known: readonly SecurityGroupDetail[]) {
  const incoming = group.security_group_rules.filter((rule) => rule.direction === 'ingress');
  return {
    id: group.id,
    name: group.name,
    description: group.description,
    tenant_id: group.project_id,
    rules: incoming.flatMap((rule): Record<string, unknown>[] => {
      const source = known.find(({ id }) => id === rule.remote_group_id);
      if (rule.remote_group_id !== null && source === undefined) return [];
      const [from_port, to_port] = portsOf(rule);
      return [
        {
          id: rule.id,
          parent_group_id: group.id,
          ip_protocol: rule.protocol,
          from_port,
          to_port,
          group: source === undefined ? {} : { name: source.name, tenant_id: source.project_id },
          ip_range: source === undefined ? { cidr: rule.remote_ip_prefix ?? '0.0.0.0/0' } : {},
        },
      ];
    }),
  };
}

/** Several groups, in the order in which nova lists them. */
export function securityGroupViews(groups: readonly SecurityGroupDetail[]) {
  const key = (group: SecurityGroupDetail): string => `${group.project_id}\n${group.name}`;
  return [...groups]
    .sort((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0))
    .map((group) => securityGroupView(group, groups));
}
