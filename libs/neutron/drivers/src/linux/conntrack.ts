import type { DeviceDetails, SecurityGroupInfo, SecurityGroupRuleInfo } from '@nestack/neutron/contract';
import { protocolNumber, zoneOf } from './firewall-rules';
import type { NetworkNamespace } from './host';

/** Connections of a port that are allowed no longer. Null is any. */
export interface Lost {
  readonly port: DeviceDetails;
  readonly direction: 'ingress' | 'egress';
  readonly ethertype: 'IPv4' | 'IPv6';
  readonly protocol: string | null;
  readonly remote: string | null;
}

function lostOf(port: DeviceDetails, rule: SecurityGroupRuleInfo, remote: string | null = null): Lost {
  const { direction, ethertype, protocol } = rule;
  return { port, direction, ethertype, protocol, remote };
}

/** What a port loses when a group that it is in, or that rules of its groups refer to, becomes another. */
export function lostByGroup(
  port: DeviceDetails,
  groups: ReadonlyMap<string, SecurityGroupInfo>,
  before: SecurityGroupInfo,
  after: SecurityGroupInfo,
): Lost[] {
  const kept = new Set(after.rules.map((rule) => JSON.stringify(rule)));
  const rules = port.security_groups.includes(before.id)
    ? before.rules.filter((rule) => !kept.has(JSON.stringify(rule))).map((rule) => lostOf(port, rule))
    : [];
  const members = new Set(after.members);
  const gone = before.members.filter((address) => !members.has(address));
  if (gone.length === 0) return rules;
  const referring = port.security_groups
    .flatMap((id) => groups.get(id)?.rules ?? [])
    .filter((rule) => rule.remote_group_id === before.id);
  return [...rules, ...referring.flatMap((rule) => gone.map((address) => lostOf(port, rule, address)))];
}

/** What a port loses by leaving groups. */
export function lostByLeaving(
  port: DeviceDetails,
  groups: ReadonlyMap<string, SecurityGroupInfo>,
  before: DeviceDetails,
): Lost[] {
  return before.security_groups
    .filter((id) => !port.security_groups.includes(id))
    .flatMap((id) => groups.get(id)?.rules ?? [])
    .map((rule) => lostOf(port, rule));
}

/** Everything of a port that leaves the host: its addresses may be somebody else's next. */
export function lostByGoing(port: DeviceDetails): Lost[] {
  return (['ingress', 'egress'] as const).flatMap((direction) =>
    (['IPv4', 'IPv6'] as const).map((ethertype) => ({ port, direction, ethertype, protocol: null, remote: null })),
  );
}

/** The arguments that end what is lost: one list per command. */
export function conntrackCommands(table: string, lost: readonly Lost[]): string[][] {
  const commands = lost.flatMap(({ port, direction, ethertype, protocol, remote }) => {
    const six = ethertype === 'IPv6';
    if (remote !== null && remote.includes(':') !== six) return [];
    const [own, other] = direction === 'ingress' ? ['-d', '-s'] : ['-s', '-d'];
    return port.fixed_ips
      .filter((ip) => ip.ip_address.includes(':') === six)
      .map((ip) => [
        ...['-D', '-f', six ? 'ipv6' : 'ipv4', '-w', String(zoneOf(table, port.network)), own, ip.ip_address],
        ...(remote === null ? [] : [other, remote.split('/')[0] ?? remote]),
        ...(protocol === null ? [] : ['-p', String(protocolNumber(protocol, six))]),
      ]);
  });
  return [...new Map(commands.map((words) => [words.join(' '), words])).values()];
}

/** Cuts connections that rules no longer allow; what another rule allows begins anew by itself. */
export async function endConnections(namespace: NetworkNamespace, table: string, lost: readonly Lost[]): Promise<void> {
  // Nothing found is an exit code too; without the program connections last until they end by themselves.
  for (const words of conntrackCommands(table, lost)) await namespace.try('conntrack', words);
}
