import type { Clock } from '@nestack/kernel/clock';
import type { RequestContext, TransactionRunner, Tx } from '@nestack/kernel/context';
import { newUuid } from '@nestack/kernel/ids';
import { NovaError, type GroupPolicy } from '@nestack/nova/contract';
import type { ServerGroupRepository } from '../ports';
import type { Quotas } from '../quotas/quotas';
import { callerOf } from '../servers/gate';
import type { ServerGroup, ServerGroupItem } from './group-policy';

export interface ServerGroupsDeps {
  readonly tx: TransactionRunner;
  readonly clock: Clock;
  readonly groups: ServerGroupRepository;
  readonly quotas: Quotas;
}

/** Groups of servers that shall be on one host, or on different ones. upstream: nova/api/openstack/compute/server_groups.py */
export class ServerGroups {
  constructor(private readonly deps: ServerGroupsDeps) {}

  /** A project's groups, or those of all projects, the oldest first. */
  list(query: {
    readonly project_id: string | null;
    readonly limit: number;
    readonly offset: number;
  }): Promise<readonly ServerGroupItem[]> {
    return this.deps.tx.read('server_group.list', (tx) => this.deps.groups.list(tx, query));
  }

  /** Throws InstanceGroupNotFound, for others' groups as well. */
  show(ctx: RequestContext, id: string): Promise<ServerGroupItem> {
    return this.deps.tx.read('server_group.show', async (tx) =>
      visibleGroup(ctx, await this.deps.groups.find(tx, id), id),
    );
  }

  /** Throws ServerGroupLimitExceeded, GroupRulesNotSupported. */
  create(
    ctx: RequestContext,
    wanted: { readonly name: string; readonly policy: GroupPolicy; readonly rules: ServerGroup['rules'] },
  ): Promise<ServerGroupItem> {
    const { deps } = this;
    const project = ctx.actor?.projectId ?? '';
    return deps.tx.run('server_group.create', async (tx) => {
      await deps.quotas.takeServerGroup(ctx, tx);
      if (wanted.policy !== 'anti-affinity' && Object.keys(wanted.rules).length > 0)
        throw NovaError.GroupRulesNotSupported();
      const group: ServerGroup = {
        uuid: newUuid(),
        project_id: project,
        user_id: ctx.actor?.userId ?? '',
        ...wanted,
        created_at: deps.clock.now(),
      };
      await deps.groups.insert(tx, group);
      return { ...group, members: [] };
    });
  }

  /** Its servers stay, and are bound to nothing any more. Throws InstanceGroupNotFound. */
  delete(ctx: RequestContext, id: string): Promise<void> {
    return this.deps.tx.run('server_group.delete', async (tx) => {
      const { uuid } = visibleGroup(ctx, await this.deps.groups.find(tx, id), id);
      await this.deps.groups.remove(tx, uuid);
    });
  }
}

function visibleGroup(ctx: RequestContext, group: ServerGroupItem | null, id: string): ServerGroupItem {
  if (group === null || !mayUse(ctx, group)) throw NovaError.InstanceGroupNotFound({ group_uuid: id });
  return group;
}

function mayUse(ctx: RequestContext, group: ServerGroup): boolean {
  const caller = callerOf(ctx);
  return caller.isAdmin || group.project_id === caller.projectId;
}

/** The group that new servers shall join, if the caller may use it. Throws InstanceGroupUnknown. */
export async function groupToJoin(
  ctx: RequestContext,
  tx: Tx,
  groups: ServerGroupRepository,
  id: string,
  options: { readonly lock?: boolean } = {},
): Promise<ServerGroupItem> {
  const group = await groups.find(tx, id, options);
  if (group === null || !mayUse(ctx, group)) throw NovaError.InstanceGroupUnknown({ group_uuid: id });
  return group;
}
