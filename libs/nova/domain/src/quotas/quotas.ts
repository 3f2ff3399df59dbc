import type { RequestContext, TransactionRunner, Tx } from '@nestack/kernel/context';
import { NovaError, QUOTA_DEFAULTS } from '@nestack/nova/contract';
import {
  assertProject,
  type IdentityPort,
  type InstanceRepository,
  type KeyPairRepository,
  type QuotaRepository,
  type ServerGroupRepository,
  type Usage,
} from '../ports';

export interface QuotasDeps {
  readonly tx: TransactionRunner;
  readonly quotas: QuotaRepository;
  readonly instances: InstanceRepository;
  readonly keyPairs: KeyPairRepository;
  readonly groups: ServerGroupRepository;
  readonly identity: IdentityPort;
}

export type Limits = Readonly<Record<string, number>>;

/** What a project uses, or one of its users, of what is counted. */
export interface ProjectUsage extends Usage {
  readonly server_groups: number;
}

/** Whose something is. */
interface Owner {
  readonly project_id: string;
  readonly user_id: string;
}

/** What may be used in one of the two countings: of a whole project, and of one of its users. */
interface Counting<Key extends string> {
  readonly limits: Limits;
  readonly usage: Readonly<Record<Key, number>>;
}

const ownerOf = (ctx: RequestContext): Owner => ({
  project_id: ctx.actor?.projectId ?? '',
  user_id: ctx.actor?.userId ?? '',
});

/**
 * Limits of projects and of single users in them, and their atomic enforcement. A user with limits of his own is bound by both.
 * upstream: nova/quota.py
 */
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
    const owner = ownerOf(ctx);
    const { project, user } = await this.limitsOf(tx, owner.project_id, owner.user_id);
    const items = tighter(project, user)['metadata_items'] ?? -1;
    if (items >= 0 && wanted.metadataItems > items) throw NovaError.MetadataLimitExceeded({ allowed: items });
    const each: Usage = { instances: 1, cores: wanted.vcpus, ram: wanted.ram };
    let fits = wanted.max;
    for (const { limits, usage } of await this.countings(tx, owner, project, user)) {
      const overs: (keyof Usage)[] = [];
      for (const key of COUNTED) {
        const limit = limits[key] ?? -1;
        if (limit < 0 || each[key] === 0) continue;
        const room = Math.max(0, Math.floor((limit - usage[key]) / each[key]));
        if (room < wanted.min) overs.push(key);
        fits = Math.min(fits, room);
      }
      if (overs.length > 0) throw tooMany(overs, (key) => each[key] * wanted.min, { limits, usage });
    }
    return fits;
  }

  /** Takes room for what another flavor has more; usage is locked until the transaction ends. Throws TooManyInstances. */
  async takeResize(
    tx: Tx,
    server: Owner & { readonly flavor: { readonly vcpus: number; readonly memory_mb: number } },
    flavor: { readonly vcpus: number; readonly memory_mb: number },
  ): Promise<void> {
    const { project, user } = await this.limitsOf(tx, server.project_id, server.user_id);
    const more = {
      cores: flavor.vcpus - server.flavor.vcpus,
      ram: flavor.memory_mb - server.flavor.memory_mb,
    };
    for (const { limits, usage } of await this.countings(tx, server, project, user)) {
      const overs = (['cores', 'ram'] as const).filter((key) => {
        const limit = limits[key] ?? -1;
        return limit >= 0 && more[key] > 0 && usage[key] + more[key] > limit;
      });
      if (overs.length > 0) throw tooMany(overs, (key) => more[key], { limits, usage });
    }
  }

  /** Takes room for one more server group of the caller's project. Throws ServerGroupLimitExceeded. */
  async takeServerGroup(ctx: RequestContext, tx: Tx): Promise<void> {
    const { project_id: projectId, user_id: userId } = ownerOf(ctx);
    const { groups } = this.deps;
    const { project, user } = await this.limitsOf(tx, projectId, userId);
    const full = (limit = -1, used: number): boolean => limit >= 0 && used >= limit;
    if (full(project['server_groups'], await groups.lockCount(tx, projectId)))
      throw NovaError.ServerGroupLimitExceeded();
    const own = user['server_groups'];
    if (own !== undefined && full(own, await groups.count(tx, projectId, userId)))
      throw NovaError.ServerGroupLimitExceeded();
  }

  /**
   * Throws OnsetFileLimitExceeded and its kin for files that a server is given at boot; their content counts as it was sent.
   * upstream: nova/compute/api.py _check_injected_file_quota
   */
  async assertInjectedFiles(
    ctx: RequestContext,
    tx: Tx,
    files: readonly { readonly path: string; readonly contents: string }[],
  ): Promise<void> {
    if (files.length === 0) return;
    const limits = await this.allowed(ctx, tx);
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

  /** Throws GroupMemberLimitExceeded when so many more servers are too many of the caller's in one group. */
  async assertGroupMembers(ctx: RequestContext, tx: Tx, groupId: string, more: number): Promise<void> {
    const limit = (await this.allowed(ctx, tx))['server_group_members'] ?? -1;
    if (limit < 0) return;
    const members = await this.deps.groups.countMembers(tx, groupId, ownerOf(ctx).user_id);
    if (members + more > limit) throw NovaError.GroupMemberLimitExceeded();
  }

  /** What a caller may have of what is not counted for projects, such as metadata items. */
  async allowed(ctx: RequestContext, tx: Tx): Promise<Limits> {
    const { project_id: projectId, user_id: userId } = ownerOf(ctx);
    const { project, user } = await this.limitsOf(tx, projectId, userId);
    return tighter(project, user);
  }

  /** The limits of a project, or of one of its users, and what is in use of them. */
  show(
    projectId: string,
    userId: string | null = null,
  ): Promise<{ readonly limits: Limits; readonly usage: ProjectUsage }> {
    return this.deps.tx.read('quota.show', async (tx) => {
      const { project, user } = await this.limitsOf(tx, projectId, userId);
      return {
        limits: { ...project, ...user },
        usage: {
          ...(await this.deps.instances.usage(tx, projectId, userId)),
          server_groups: await this.deps.groups.count(tx, projectId, userId),
        },
      };
    });
  }

  /** Throws BadRequest for a project that does not exist. */
  assertProject(ctx: RequestContext, projectId: string): Promise<void> {
    return assertProject(ctx, this.deps.identity, projectId);
  }

  defaults(className = 'default'): Promise<Limits> {
    return this.deps.tx.read('quota.defaults', async (tx) => ({
      ...QUOTA_DEFAULTS,
      ...(await this.deps.quotas.classLimits(tx, className)),
    }));
  }

  /**
   * Sets limits of a project or of one of its users. Without `force` they must leave room for what is in use, a project's for what its
   * users were given too, and a user's must fit into what the project has not given to others. Throws QuotaInvalid.
   * upstream: nova/quota.py (get_settable_quotas)
   */
  set(projectId: string, userId: string | null, changes: Limits, force: boolean): Promise<Limits> {
    const { deps } = this;
    return deps.tx.run('quota.set', async (tx) => {
      if (!force) {
        // Locks the project, for a user's limits as well: they are measured by what the others have.
        await deps.instances.lockUsage(tx, projectId);
        await deps.groups.lockCount(tx, projectId);
        const used: Limits = {
          ...(await deps.instances.usage(tx, projectId, userId)),
          server_groups: await deps.groups.count(tx, projectId, userId),
        };
        const { project, user } = await this.limitsOf(tx, projectId, userId);
        const given = await deps.quotas.givenToUsers(tx, projectId);
        for (const [key, limit] of Object.entries(changes)) {
          const minimum = Math.max(used[key] ?? 0, userId === null ? (given[key] ?? 0) : 0);
          if (limit >= 0 && limit < minimum)
            throw NovaError.QuotaInvalid({
              reason: `Quota limit ${limit} for ${key} must be greater than or equal to already used and reserved ${minimum}.`,
            });
          const maximum = userId === null ? -1 : leftFor(project[key] ?? -1, given[key] ?? 0, user[key] ?? 0);
          if (maximum >= 0 && (limit < 0 || limit > maximum))
            throw NovaError.QuotaInvalid({
              reason: `Quota limit ${limit} for ${key} must be less than or equal to ${maximum}.`,
            });
        }
      }
      await deps.quotas.set(tx, projectId, userId, changes);
      const { project, user } = await this.limitsOf(tx, projectId, userId);
      return { ...project, ...user };
    });
  }

  setClass(className: string, changes: Limits): Promise<Limits> {
    return this.deps.tx.run('quota.set_class', async (tx) => {
      await this.deps.quotas.setClass(tx, className, changes);
      return { ...QUOTA_DEFAULTS, ...(await this.deps.quotas.classLimits(tx, className)) };
    });
  }

  /** Forgets what was set for a project and all its users, or for one user in it. */
  clear(projectId: string, userId: string | null): Promise<void> {
    return this.deps.tx.run('quota.clear', (tx) => this.deps.quotas.clear(tx, projectId, userId));
  }

  /** A project's limits (what was set for it, else its class's, else upstream's defaults), and what was set for one of its users. */
  private async limitsOf(
    tx: Tx,
    projectId: string,
    userId: string | null,
  ): Promise<{ readonly project: Limits; readonly user: Limits }> {
    const { project, user } = await this.deps.quotas.limits(tx, projectId, userId);
    return { project: { ...QUOTA_DEFAULTS, ...project }, user };
  }

  /** Locks a project's usage and tells it, and before it what a user with limits of his own uses. */
  private async countings(tx: Tx, owner: Owner, project: Limits, user: Limits): Promise<Counting<keyof Usage>[]> {
    const { instances } = this.deps;
    const whole = { limits: project, usage: await instances.lockUsage(tx, owner.project_id) };
    if (!COUNTED.some((key) => user[key] !== undefined)) return [whole];
    const usage = await instances.usage(tx, owner.project_id, owner.user_id);
    return [{ limits: { ...project, ...user }, usage }, whole];
  }
}

const COUNTED = ['cores', 'instances', 'ram'] as const;

/** Each project's limit, or the user's where that is less. */
function tighter(project: Limits, user: Limits): Limits {
  const less = Object.entries(user).filter(([key, limit]) => {
    const other = project[key] ?? -1;
    return limit >= 0 && (other < 0 || limit < other);
  });
  return { ...project, ...Object.fromEntries(less) };
}

/** The most that a user can be given: what no user has yet, and what he has; -1 for no end. */
function leftFor(projectLimit: number, given: number, own: number): number {
  if (projectLimit < 0 || own < 0) return -1;
  const left = projectLimit - given;
  return left < 0 ? -1 : left + own;
}

function tooMany<Key extends string>(
  overs: readonly Key[],
  requested: (key: Key) => number,
  { limits, usage }: Counting<Key>,
): Error {
  const list = (of: (key: Key) => number): string => overs.map(of).join(', ');
  return NovaError.TooManyInstances({
    overs: overs.join(', '),
    req: list(requested),
    used: list((key) => usage[key]),
    allowed: list((key) => limits[key] ?? -1),
  });
}
