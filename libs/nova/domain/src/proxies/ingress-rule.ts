import { NovaError } from '@nestack/nova/contract';
import type { NewRule } from '../ports';

/** A rule as clients of nova's older API write it; what it leaves out is undefined or null. */
export interface RuleRequest {
  readonly parent_group_id: string;
  readonly group_id?: string | null;
  readonly ip_protocol?: unknown;
  readonly from_port?: unknown;
  readonly to_port?: unknown;
  readonly cidr?: unknown;
}

const CIDR = /^(\d{1,3}(\.\d{1,3}){3}|[\da-fA-F:]*:[\da-fA-F:.]*)\/(\d{1,3})$/;

/**
 * Checks a request for a rule and says it in neutron's words.
 * @throws NovaError.InvalidInput, InvalidIpProtocol, InvalidPortRange, InvalidCidr, BadRequest. upstream: nova/network/security_group_api.py
 */
export function ingressRule(request: RuleRequest): NewRule {
  const group = request.group_id ?? null;
  const range = portRange(request, group !== null);
  if (range === null && group === null)
    throw NovaError.BadRequest({ reason: 'Not enough parameters to build a valid rule.' });
  return {
    security_group_id: request.parent_group_id,
    remote_group_id: group,
    remote_ip_prefix: group === null ? prefixOf(request.cidr) : null,
    ...(range ?? { protocol: null, port_range_min: null, port_range_max: null }),
  };
}

type Range = Pick<NewRule, 'protocol' | 'port_range_min' | 'port_range_max'>;

/** Null when protocol or ports are missing. A source group without ports opens all of the protocol's. */
function portRange(request: RuleRequest, ofGroup: boolean): Range | null {
  const protocol = given(request.ip_protocol) ? String(request.ip_protocol) : '';
  const word = protocol.toUpperCase();
  let [from, to] = [request.from_port, request.to_port];
  if (ofGroup && !given(from) && !given(to)) {
    if (word === 'ICMP') [from, to] = [-1, -1];
    if (word === 'TCP' || word === 'UDP') [from, to] = [1, 65_535];
  }
  if (protocol === '' || !given(from) || !given(to)) return null;
  const [low, high] = [integer(from), integer(to)];
  if (low === null || high === null)
    throw NovaError.InvalidInput({
      reason:
        word === 'ICMP'
          ? 'Type and Code must be integers for ICMP protocol type'
          : 'To and From ports must be integers',
    });
  if (!['TCP', 'UDP', 'ICMP'].includes(word)) throw NovaError.InvalidIpProtocol({ protocol });
  const fault = word === 'ICMP' ? icmpFault(low, high) : portFault(word, low, high);
  if (fault !== null) throw NovaError.InvalidPortRange({ from_port: low, to_port: high, msg: fault });
  // -1 is nova's word for any type and code.
  const all = word === 'ICMP' && low === -1;
  return {
    protocol: protocol.toLowerCase(),
    port_range_min: all ? null : low,
    port_range_max: word === 'ICMP' && high === -1 ? null : high,
  };
}

function portFault(word: string, low: number, high: number): string | null {
  if (low > high) return 'Former value cannot be greater than the later';
  if (low < 1 || high > 65_535) return `Valid ${word} ports should be between 1-65535`;
  return null;
}

function icmpFault(type: number, code: number): string | null {
  const known = (value: number): boolean => value >= -1 && value <= 255;
  return known(type) && known(code) ? null : 'For ICMP, the type:code must be valid';
}

function prefixOf(cidr: unknown): string {
  if (!given(cidr) || cidr === '') return '0.0.0.0/0';
  const text = String(cidr);
  const [, address = '', , length = ''] = CIDR.exec(text) ?? [];
  const bits = address.includes(':') ? 128 : 32;
  const octets = address.includes(':') || address.split('.').every((octet) => Number(octet) <= 255);
  if (address === '' || !octets || Number(length) > bits) throw NovaError.InvalidCidr({ cidr: text });
  if (Number(length) === 0 && address !== '0.0.0.0' && address !== '::')
    throw NovaError.BadRequest({ reason: `Bad prefix for network in cidr ${text}` });
  return text;
}

const given = (value: unknown): value is string | number | boolean | object => value !== undefined && value !== null;

function integer(value: unknown): number | null {
  if (typeof value === 'number' && Number.isInteger(value)) return value;
  return typeof value === 'string' && /^\s*[-+]?\d+\s*$/.test(value) ? Number(value) : null;
}
