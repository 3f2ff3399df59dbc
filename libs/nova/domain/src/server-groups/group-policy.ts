import type { GroupPolicy } from '@nestack/nova/contract';

/** A server group. */
export interface ServerGroup {
  readonly uuid: string;
  readonly project_id: string;
  readonly user_id: string;
  readonly name: string;
  readonly policy: GroupPolicy;
  readonly rules: { readonly max_server_per_host?: number };
  readonly created_at: Date;
}

/** A server group with the ids of its members. */
export interface ServerGroupItem extends ServerGroup {
  readonly members: readonly string[];
}

/** A server group and the hosts that its members hold: where they are, where they move to, and where they are about to be built. */
export interface GroupPlaces {
  readonly group: Pick<ServerGroup, 'uuid' | 'policy' | 'rules'>;
  /** Members by host. */
  readonly hosts: ReadonlyMap<string, ReadonlySet<string>>;
}

/** Other members of a group on a host. */
export function othersOn({ hosts }: GroupPlaces, host: string, instanceUuid: string): number {
  const members = hosts.get(host);
  return members === undefined ? 0 : members.size - (members.has(instanceUuid) ? 1 : 0);
}

/** Hosts of a group's other members. */
export function hostsOfOthers(places: GroupPlaces, instanceUuid: string): readonly string[] {
  return [...places.hosts.keys()].filter((host) => othersOn(places, host, instanceUuid) > 0);
}

/**
 * Whether `anti-affinity` lets a member be on a host: where fewer others are than the rule allows, or where it is already.
 * upstream: nova/scheduler/filters/affinity_filter.py
 */
export function allowsApart(places: GroupPlaces, host: string, instanceUuid: string): boolean {
  if (places.hosts.get(host)?.has(instanceUuid) === true) return true;
  return othersOn(places, host, instanceUuid) < (places.group.rules.max_server_per_host ?? 1);
}

/** Whether `affinity` lets a member be on a host: where others are, and anywhere while none is placed. */
export function allowsTogether(places: GroupPlaces, host: string, instanceUuid: string): boolean {
  const others = hostsOfOthers(places, instanceUuid);
  return others.length === 0 || others.includes(host);
}

/** Whether the group's policy lets a member be on a host. Soft policies let it be anywhere. */
export function allowsHost(places: GroupPlaces, host: string, instanceUuid: string): boolean {
  switch (places.group.policy) {
    case 'anti-affinity':
      return allowsApart(places, host, instanceUuid);
    case 'affinity':
      return allowsTogether(places, host, instanceUuid);
    default:
      return true;
  }
}

/** The group that the hint of a boot names, null without one. */
export function groupHint(hints: Readonly<Record<string, unknown>>): string | null {
  const { group } = hints;
  const value: unknown = Array.isArray(group) ? group[0] : group;
  return typeof value === 'string' && value !== '' ? value : null;
}
