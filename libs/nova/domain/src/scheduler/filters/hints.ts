import { BlockList, isIP } from 'node:net';
import type { RequestSpec } from '@nestack/nova/contract';
import { allowsApart, allowsTogether } from '../../server-groups/group-policy';
import type { HostFilter } from './host-filter';

/** Not more members of a server group on a host than its rule allows. */
export const serverGroupAntiAffinityFilter: HostFilter = {
  name: 'ServerGroupAntiAffinityFilter',
  passes: (host, { spec, group }) =>
    group?.group.policy !== 'anti-affinity' || allowsApart(group, host.host, spec.instance_uuid),
};

/** Where the other members of a server group are. */
export const serverGroupAffinityFilter: HostFilter = {
  name: 'ServerGroupAffinityFilter',
  passes: (host, { spec, group }) =>
    group?.group.policy !== 'affinity' || allowsTogether(group, host.host, spec.instance_uuid),
};

/** Not where the instances of the hint `different_host` are. */
export const differentHostFilter: HostFilter = {
  name: 'DifferentHostFilter',
  passes: (host, { spec }) => hintUuids(spec, 'different_host').every((uuid) => !host.hinted.includes(uuid)),
};

/** Where one of the instances of the hint `same_host` is. */
export const sameHostFilter: HostFilter = {
  name: 'SameHostFilter',
  passes: (host, { spec }) => {
    const wanted = hintUuids(spec, 'same_host');
    return wanted.length === 0 || wanted.some((uuid) => host.hinted.includes(uuid));
  },
};

/** Hosts whose address is in the network of the hints `build_near_host_ip` and `cidr` (`/24` when absent). */
export const simpleCidrAffinityFilter: HostFilter = {
  name: 'SimpleCIDRAffinityFilter',
  passes: (host, { spec }) => {
    const near = spec.scheduler_hints['build_near_host_ip'];
    if (typeof near !== 'string' || near === '') return true;
    const cidr = spec.scheduler_hints['cidr'] ?? '/24';
    return typeof cidr === 'string' && isNear(host.facts.host_ip, near, cidr);
  },
};

function isNear(address: string, near: string, cidr: string): boolean {
  const family = isIP(near);
  const prefix = /^\/(\d{1,3})$/.exec(cidr)?.[1];
  if (family === 0 || isIP(address) !== family || prefix === undefined) return false;
  if (Number(prefix) > (family === 4 ? 32 : 128)) return false;
  const type = family === 4 ? 'ipv4' : 'ipv6';
  const network = new BlockList();
  network.addSubnet(near, Number(prefix), type);
  return network.check(address, type);
}

/** Instances that a hint names: one, a list, or a list as text. */
export function hintUuids(spec: RequestSpec, hint: 'different_host' | 'same_host'): readonly string[] {
  const value = spec.scheduler_hints[hint];
  if (Array.isArray(value)) return value.filter((one): one is string => typeof one === 'string');
  return typeof value === 'string'
    ? value
        .split(',')
        .map((one) => one.trim())
        .filter((one) => one !== '')
    : [];
}
