import type { RequestContext, Tx } from '@nestack/kernel/context';
import { CinderError } from '@nestack/cinder/contract';
import { targetOf } from './access';
import type { CinderParts } from './ports';

/** Resources with a limit of their own, with upstream's defaults. */
export const DEFAULT_QUOTA: Readonly<Record<string, number>> = {
  volumes: 10,
  snapshots: 10,
  gigabytes: 1000,
  backups: 10,
  backup_gigabytes: 1000,
  per_volume_gigabytes: -1,
  groups: 10,
};

export interface QuotaUse {
  readonly limit: number;
  readonly in_use: number;
  readonly reserved: number;
}

/** What a volume or snapshot takes of which resources, those of its type included. */
export function consumptionOf(
  what: 'volumes' | 'snapshots',
  gigabytes: number,
  typeName: string,
): Readonly<Record<string, number>> {
  return {
    [what]: 1,
    gigabytes,
    [`${what}_${typeName}`]: 1,
    [`gigabytes_${typeName}`]: gigabytes,
  };
}

export function negated(deltas: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(deltas).map(([resource, delta]) => [resource, -delta]));
}

/** Limits and their use. Use is counted in the transaction that changes it, under the project's row lock. */
export class Quotas {
  constructor(private readonly parts: Pick<CinderParts, 'db' | 'quotas' | 'types' | 'policy' | 'settings'>) {}

  /** Takes from the quota; throws 413 with what is exceeded. In the transaction that makes the resource. */
  async reserve(
    tx: Tx,
    projectId: string,
    deltas: Readonly<Record<string, number>>,
    /** GiB of the one volume that it is for. */
    size?: number,
  ): Promise<void> {
    const limits = { ...this.general(), ...(await this.parts.quotas.limits(tx, projectId)) };
    const largest = limits['per_volume_gigabytes'] ?? -1;
    if (size !== undefined && largest >= 0 && size > largest)
      throw CinderError.VolumeSizeExceedsLimit({ size, limit: largest });
    const used = await this.parts.quotas.add(tx, projectId, deltas);
    const over = Object.keys(deltas).filter((resource) => {
      const limit = limits[resource] ?? -1;
      return (deltas[resource] ?? 0) > 0 && limit >= 0 && (used[resource] ?? 0) > limit;
    });
    // Room is told before the number, as upstream does.
    const [worst] = [...over.filter((one) => one.startsWith('gigabytes')), ...over];
    if (worst === undefined) return;
    const delta = deltas[worst] ?? 0;
    throw exceeded(worst, delta, (used[worst] ?? 0) - delta, limits[worst] ?? -1);
  }

  /** Gives back; never fails. */
  async release(tx: Tx, projectId: string, deltas: Readonly<Record<string, number>>): Promise<void> {
    await this.parts.quotas.add(tx, projectId, negated(deltas));
  }

  /** Takes again what was given back before, whatever the limits have become. */
  async restore(tx: Tx, projectId: string, deltas: Readonly<Record<string, number>>): Promise<void> {
    await this.parts.quotas.add(tx, projectId, deltas);
  }

  async show(ctx: RequestContext, projectId: string): Promise<Readonly<Record<string, QuotaUse>>> {
    this.parts.policy.enforce(ctx, 'volume_extension:quotas:show', targetOf({ project_id: projectId }));
    return this.parts.db.read('quota.show', (tx) => this.uses(tx, projectId));
  }

  /** A project's limits and their use, for whoever works in it. */
  limitsOf(projectId: string): Promise<Readonly<Record<string, QuotaUse>>> {
    return this.parts.db.read('limits.show', (tx) => this.uses(tx, projectId));
  }

  async uses(tx: Tx, projectId: string): Promise<Readonly<Record<string, QuotaUse>>> {
    const limits = await this.limits(tx, projectId);
    const usage = await this.parts.quotas.usage(tx, projectId);
    return Object.fromEntries(
      Object.entries(limits).map(([resource, limit]) => [
        resource,
        { limit, in_use: Math.max(0, usage[resource] ?? 0), reserved: 0 },
      ]),
    );
  }

  /** The defaults, to whoever may see the project's limits. upstream: cinder/api/contrib/quotas.py defaults */
  async defaultsFor(ctx: RequestContext, projectId: string): Promise<Readonly<Record<string, number>>> {
    this.parts.policy.enforce(ctx, 'volume_extension:quotas:show', targetOf({ project_id: projectId }));
    return this.defaults();
  }

  async defaults(): Promise<Readonly<Record<string, number>>> {
    return this.parts.db.read('quota.defaults', (tx) => this.limits(tx, 'default'));
  }

  async update(
    projectId: string,
    changes: Readonly<Record<string, unknown>>,
  ): Promise<Readonly<Record<string, number>>> {
    return this.parts.db.run('quota.update', async (tx) => {
      const known = await this.limits(tx, projectId);
      const limits: Record<string, number> = {};
      for (const [resource, value] of Object.entries(changes)) {
        if (
          resource === 'tenant_id' ||
          resource === 'project_id' ||
          resource === 'id' ||
          resource === 'skip_validation' ||
          resource === 'force' ||
          value === null
        )
          continue;
        if (known[resource] === undefined)
          throw CinderError.InvalidInput({ reason: `Bad key(s) in quota set: ${resource}` });
        const limit = Number(value);
        if (!Number.isInteger(limit) || limit < -1 || limit > 0x7fff_ffff)
          throw CinderError.InvalidInput({ reason: `${resource} must be an integer from -1 to 2147483647.` });
        limits[resource] = limit;
      }
      await this.parts.quotas.setLimits(tx, projectId, limits);
      return this.limits(tx, projectId);
    });
  }

  async clear(projectId: string): Promise<void> {
    await this.parts.db.run('quota.delete', (tx) => this.parts.quotas.clear(tx, projectId));
  }

  private general(): Record<string, number> {
    return { ...DEFAULT_QUOTA, ...this.parts.settings.quota };
  }

  private async limits(tx: Tx, projectId: string): Promise<Record<string, number>> {
    const limits = this.general();
    for (const name of await this.parts.types.names(tx)) {
      for (const resource of ['volumes', 'gigabytes', 'snapshots']) limits[`${resource}_${name}`] = -1;
    }
    // Limits of types that are gone stay behind unseen.
    for (const [resource, limit] of Object.entries(await this.parts.quotas.limits(tx, projectId)))
      if (limits[resource] !== undefined) limits[resource] = limit;
    return limits;
  }
}

function exceeded(resource: string, requested: number, consumed: number, limit: number): Error {
  if (resource.startsWith('gigabytes'))
    return CinderError.VolumeSizeExceedsAvailableQuota({ name: resource, requested, quota: limit, consumed });
  if (resource.startsWith('snapshots')) return CinderError.SnapshotLimitExceeded({ allowed: limit });
  if (resource === 'backups') return CinderError.BackupLimitExceeded({ allowed: limit });
  if (resource === 'backup_gigabytes')
    return CinderError.VolumeBackupSizeExceedsAvailableQuota({ requested, quota: limit, consumed });
  if (resource === 'groups') return CinderError.GroupLimitExceeded({ allowed: limit });
  return CinderError.VolumeLimitExceeded({ allowed: limit, name: resource });
}
