import { NeutronError, PROTOCOL_NUMBERS, parseCidr } from '@nestack/neutron/contract';
import type { SecurityGroupRule } from '../model';

const ICMP = ['icmp', 'ipv6-icmp', 'icmpv6', '1', '58'];
const WITH_PORTS = ['tcp', 'udp', 'dccp', 'sctp', 'udplite'];
const IPV6_ONLY = ['ipv6-encap', 'ipv6-frag', 'ipv6-icmp', 'icmpv6', 'ipv6-nonxt', 'ipv6-opts', 'ipv6-route'];
const IPV6_ONLY_NUMBERS = [43, 44, 58, 59, 60];

/** Older names of one protocol. upstream: neutron_lib/constants.py IP_PROTOCOL_NAME_ALIASES */
function usualName(protocol: string): string {
  return protocol === 'icmpv6' ? 'ipv6-icmp' : protocol;
}

function numberOf(protocol: string): number {
  return PROTOCOL_NUMBERS[protocol] ?? Number(protocol);
}

/** What makes sense together in a rule. upstream: neutron/db/securitygroups_db.py _validate_security_group_rule */
export function checkRule(
  rule: Pick<
    SecurityGroupRule,
    'protocol' | 'ethertype' | 'port_range_min' | 'port_range_max' | 'remote_ip_prefix' | 'remote_group_id'
  >,
): void {
  checkPorts(rule);
  checkFamily(rule);
  if (rule.remote_ip_prefix !== null && rule.remote_group_id !== null)
    throw NeutronError.SecurityGroupMultipleRemoteEntites();
  const prefix = rule.remote_ip_prefix === null ? null : parseCidr(rule.remote_ip_prefix);
  if (prefix !== null && `IPv${String(prefix.version)}` !== rule.ethertype)
    throw NeutronError.SecurityGroupRuleParameterConflict({ ethertype: rule.ethertype, cidr: rule.remote_ip_prefix });
}

function checkPorts(rule: Pick<SecurityGroupRule, 'protocol' | 'port_range_min' | 'port_range_max'>): void {
  const { port_range_min: min, port_range_max: max, protocol } = rule;
  if (protocol === null) {
    if (min !== null || max !== null) throw NeutronError.SecurityGroupProtocolRequiredWithPorts();
    return;
  }
  if (min === null && max === null) return;
  if (ICMP.includes(protocol)) {
    for (const [attr, field, value] of [
      ['port_range_min', 'type', min],
      ['port_range_max', 'code', max],
    ] as const) {
      if (value !== null && (value < 0 || value > 255))
        throw NeutronError.SecurityGroupInvalidIcmpValue({ field, attr, value });
    }
    if (min === null) throw NeutronError.SecurityGroupMissingIcmpType({ value: max });
    return;
  }
  const name = usualName(protocol);
  const numbers = WITH_PORTS.map((one) => PROTOCOL_NUMBERS[one]);
  if (!numbers.includes(numberOf(name)))
    throw NeutronError.SecurityGroupInvalidProtocolForPort({
      protocol,
      valid_port_protocols: `${WITH_PORTS.join(', ')}`,
    });
  if (min === null || max === null || min > max) throw NeutronError.SecurityGroupInvalidPortRange();
}

function checkFamily(rule: Pick<SecurityGroupRule, 'protocol' | 'ethertype'>): void {
  const { protocol, ethertype } = rule;
  if (protocol === null || ethertype === 'IPv6') return;
  if (IPV6_ONLY.includes(protocol) || (/^\d+$/.test(protocol) && IPV6_ONLY_NUMBERS.includes(Number(protocol))))
    throw NeutronError.SecurityGroupEthertypeConflictWithProtocol({ ethertype, protocol });
}
