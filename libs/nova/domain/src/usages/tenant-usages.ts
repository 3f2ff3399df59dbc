import type { Clock } from '@nestack/kernel/clock';
import type { TransactionRunner } from '@nestack/kernel/context';
import { NovaError, type VmState } from '@nestack/nova/contract';
import type { ServedInstance, ServedQuery, UsageRepository } from '../ports';

export interface TenantUsagesDeps {
  readonly tx: TransactionRunner;
  readonly clock: Clock;
  readonly usages: UsageRepository;
}

/** What a server used in a period. */
export interface ServerUsage {
  readonly instance_id: string;
  readonly name: string;
  readonly tenant_id: string;
  readonly flavor: string;
  readonly hours: number;
  readonly vcpus: number;
  readonly memory_mb: number;
  readonly local_gb: number;
  readonly started_at: Date;
  readonly ended_at: Date | null;
  readonly state: VmState | 'terminated';
  /** Whole seconds since it was launched, whatever the period. */
  readonly uptime: number;
}

/** What a project's servers used in a period, in hours and hours times sizes. */
export interface TenantUsage {
  readonly tenant_id: string;
  readonly start: Date;
  readonly stop: Date;
  readonly total_hours: number;
  readonly total_vcpus_usage: number;
  readonly total_memory_mb_usage: number;
  readonly total_local_gb_usage: number;
  readonly server_usages: readonly ServerUsage[];
}

const HOUR_MS = 3_600_000;

/**
 * Usage of projects, as a bill would have it: servers count from the moment in which they were launched (again: by a
 * resize, a rebuild, a rescue or an unshelving) to that in which they were deleted, with the flavor that they have now.
 * upstream: nova/api/openstack/compute/simple_tenant_usage.py
 */
export class TenantUsages {
  constructor(private readonly deps: TenantUsagesDeps) {}

  /**
   * Usage by project, in the order of projects' ids; a project of null means all. Of `limit` servers at most, from the one
   * after `marker` on: a project's servers may be on several pages. Without a start or end, now is meant. Throws BadRequest for
   * a period that ends before it starts, MarkerNotFound.
   */
  async list(
    period: { readonly start: Date | null; readonly end: Date | null },
    query: Omit<ServedQuery, 'start' | 'end'>,
  ): Promise<readonly TenantUsage[]> {
    const now = this.deps.clock.now();
    const start = period.start ?? now;
    const given = period.end ?? now;
    if (start > given || (start >= given && (period.start !== null || period.end !== null)))
      throw NovaError.BadRequest({
        reason: 'Invalid start time. The start time cannot occur after the end time.',
      });
    const end = given > now ? now : given;
    const served = await this.deps.tx.read('usage.list', (tx) => this.deps.usages.served(tx, { ...query, start, end }));
    const byProject = Map.groupBy(
      served.map((instance) => usageOf(instance, start, end, now)),
      (usage) => usage.tenant_id,
    );
    return [...byProject].map(([tenant_id, server_usages]) => {
      const sum = (of: (usage: ServerUsage) => number): number =>
        server_usages.reduce((total, usage) => total + of(usage) * usage.hours, 0);
      return {
        tenant_id,
        start,
        stop: end,
        total_hours: sum(() => 1),
        total_vcpus_usage: sum((usage) => usage.vcpus),
        total_memory_mb_usage: sum((usage) => usage.memory_mb),
        total_local_gb_usage: sum((usage) => usage.local_gb),
        server_usages,
      };
    });
  }
}

/** A server's usage in a period. */
export function usageOf(instance: ServedInstance, start: Date, end: Date, now: Date): ServerUsage {
  const { flavor, launched_at: launched, terminated_at: terminated } = instance;
  const from = Math.max(launched.getTime(), start.getTime());
  const until = Math.min(end.getTime(), terminated?.getTime() ?? Infinity);
  return {
    instance_id: instance.uuid,
    name: instance.display_name,
    tenant_id: instance.project_id,
    flavor: flavor.name,
    hours: Math.max(0, until - from) / HOUR_MS,
    vcpus: flavor.vcpus,
    memory_mb: flavor.memory_mb,
    local_gb: flavor.root_gb + flavor.ephemeral_gb,
    started_at: launched,
    ended_at: terminated,
    state: terminated === null ? instance.vm_state : 'terminated',
    uptime: Math.max(0, Math.trunc(((terminated ?? now).getTime() - launched.getTime()) / 1000)),
  };
}
