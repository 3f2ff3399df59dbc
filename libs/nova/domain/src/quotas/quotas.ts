import type { RequestContext, TransactionRunner, Tx } from '@nestack/kernel/context';
import { NovaError, QUOTA_DEFAULTS } from '@nestack/nova/contract';
import type { InstanceRepository, KeyPairRepository, QuotaRepository, ServerGroupRepository, Usage } from '../ports';

export interface QuotasDeps {
  readonly tx: TransactionRunner;
  readonly quotas: QuotaRepository;
  readonly instances: InstanceRepository;
  readonly keyPairs: KeyPairRepository;
  readonly groups: ServerGroupRepository;
}

export type Limits = Readonly<Record<string, number>>;

/** What a project uses of what is counted for projects. */
export interface ProjectUsage extends Usage {
  readonly server_groups: number;
}

/** Limits of projects, and their atomic enforcement. */
export class Quotas {
  constructor(private readonly deps: QuotasDeps) {}

  /**
   * Takes room for `max` instances, or as many as fit when that is at least `min`; the project's usage is locked until the
   * transaction ends, so concurrent requests cannot exceed the limits together. Answers how many are granted.
   */
  async takeInstances(
    ctx: RequestContext,
    tx: Tx,
    wanted: {
      readonly min: number;
      readonly max: number;
      readonly vcpus: number;
      readonly ram: number;
      readonly metadataItems: number;
    },
  ): Promise<number> {
    const project = ctx.actor?.projectId ?? '';
    const limits = await this.limits(tx, project);
    const items = limits['metadata_items'] ?? -1;
    if (items >= 0 && wanted.metadataItems > items) throw NovaError.MetadataLimitExceeded({ allowed: items });
    const usage = await this.deps.instances.lockUsage(tx, project);
    const each: Usage = { instances: 1, cores: wanted.vcpus, ram: wanted.ram };
    let fits = wanted.max;
    const overs: string[] = [];
    for (const key of ['cores', 'instances', 'ram'] as const) {
      const limit = limits[key] ?? -1;
      if (limit < 0 || each[key] === 0) continue;
      const room = Math.max(0, Math.floor((limit - usage[key]) / each[key]));
      if (room < wanted.min) overs.push(key);
      fits = Math.min(fits, room);
    }
    if (overs.length > 0) {
      const list = (of: (key: keyof Usage) => number): string => overs.map((key) => of(key as keyof Usage)).join(', ');
      throw NovaError.TooManyInstances({
        overs: overs.join(', '),
        req: list((key) => each[key] * wanted.min),
        used: list((key) => usage[key]),
        allowed: list((key) => limits[key] ?? -1),
      });
    }
    return fits;
  }

  /** Takes room for what another flavor has more; usage is locked until the transaction ends. Throws TooManyInstances. */
  async takeResize(
    tx: Tx,
    server: { readonly project_id: string; readonly flavor: { readonly vcpus: number; readonly memory_mb: number } },
    flavor: { readonly vcpus: number; readonly memory_mb: number },
  ): Promise<void> {
    const limits = await this.limits(tx, server.project_id);
    const usage = await this.deps.instances.lockUsage(tx, server.project_id);
    const more = {
      cores: flavor.vcpus - server.flavor.vcpus,
      ram: flavor.memory_mb - server.flavor.memory_mb,
    };
    const overs = (['cores', 'ram'] as const).filter((key) => {
      const limit = limits[key] ?? -1;
      return limit >= 0 && more[key] > 0 && usage[key] + more[key] > limit;
    });
    if (overs.length === 0) return;
    const list = (of: (key: 'cores' | 'ram') => number): string => overs.map(of).join(', ');
    throw NovaError.TooManyInstances({
      overs: overs.join(', '),
      req: list((key) => more[key]),
      used: list((key) => usage[key]),
      allowed: list((key) => limits[key] ?? -1),
    });
  }

  /** Takes room for one more server group of a project. Throws ServerGroupLimitExceeded. */
  async takeServerGroup(tx: Tx, projectId: string): Promise<void> {
    const limit = (await this.limits(tx, projectId))['server_groups'] ?? -1;
    const used = await this.deps.groups.lockCount(tx, projectId);
    if (limit >= 0 && used >= limit) throw NovaError.ServerGroupLimitExceeded();
  }

  /**
   * Throws OnsetFileLimitExceeded and its kin for files that a server is given at boot; their content counts as it was sent.
   * upstream: nova/compute/api.py _check_injected_file_quota
   */
  async assertInjectedFiles(
    tx: Tx,
    projectId: string,
    files: readonly { readonly path: string; readonly contents: string }[],
  ): Promise<void> {
    if (files.length === 0) return;
    const limits = await this.limits(tx, projectId);
    const over = (key: string, used: number): number | null => {
      const allowed = limits[key] ?? -1;
      return allowed >= 0 && used > allowed ? allowed : null;
    };
    if (over('injected_files', files.length) !== null) throw NovaError.OnsetFileLimitExceeded();
    const path = over('injected_file_path_bytes', Math.max(...files.map((file) => file.path.length)));
    if (path !== null) throw NovaError.OnsetFilePathLimitExceeded({ allowed: path });
    const content = over('injected_file_content_bytes', Math.max(...files.map((file) => file.contents.length)));
    if (content !== null) throw NovaError.OnsetFileContentLimitExceeded({ allowed: content });
  }

  /** Throws GroupMemberLimitExceeded when so many servers are too many for one group. */
  async assertGroupMembers(tx: Tx, projectId: string, members: number): Promise<void> {
    const limit = (await this.limits(tx, projectId))['server_group_members'] ?? -1;
    if (limit >= 0 && members > limit) throw NovaError.GroupMemberLimitExceeded();
  }

  /** A project's limits: what was set for it, else its class's default, else upstream's. */
  async limits(tx: Tx, projectId: string): Promise<Limits> {
    return { ...QUOTA_DEFAULTS, ...(await this.deps.quotas.limits(tx, projectId)) };
  }

  show(projectId: string): Promise<{ readonly limits: Limits; readonly usage: ProjectUsage }> {
    return this.deps.tx.read('quota.show', async (tx) => ({
      limits: await this.limits(tx, projectId),
      usage: {
        ...(await this.deps.instances.usage(tx, projectId)),
        server_groups: await this.deps.groups.count(tx, projectId),
      },
    }));
  }

  defaults(className = 'default'): Promise<Limits> {
    return this.deps.tx.read('quota.defaults', async (tx) => ({
      ...QUOTA_DEFAULTS,
      ...(await this.deps.quotas.classLimits(tx, className)),
    }));
  }

  /** Sets limits; without `force` a limit below what is in use is refused. */
  set(projectId: string, changes: Limits, force: boolean): Promise<Limits> {
    return this.deps.tx.run('quota.set', async (tx) => {
      if (!force) {
        const usage: ProjectUsage = {
          ...(await this.deps.instances.lockUsage(tx, projectId)),
          server_groups: await this.deps.groups.lockCount(tx, projectId),
        };
        for (const [key, limit] of Object.entries(changes)) {
          const used = usage[key as keyof ProjectUsage];
          if (used !== undefined && limit >= 0 && limit < used) {
            throw NovaError.QuotaInvalid({
              reason: `Quota limit ${limit} for ${key} must be greater than or equal to already used and reserved ${used}.`,
            });
          }
        }
      }
      await this.deps.quotas.set(tx, projectId, changes);
      return this.limits(tx, projectId);
    });
  }

  setClass(className: string, changes: Limits): Promise<Limits> {
    return this.deps.tx.run('quota.set_class', async (tx) => {
      await this.deps.quotas.setClass(tx, className, changes);
      return { ...QUOTA_DEFAULTS, ...(await this.deps.quotas.classLimits(tx, className)) };
    });
  }

  clear(projectId: string): Promise<void> {
    return this.deps.tx.run('quota.clear', (tx) => this.deps.quotas.clear(tx, projectId));
  }
}
