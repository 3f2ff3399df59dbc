import type { RequestContext } from '@nestack/kernel/context';
import { NeutronError, QUOTA_RESOURCES, type QuotaResource } from '@nestack/neutron/contract';
import { isAdmin, mustAllow } from '../access';
import type { NeutronParts } from '../parts';

export type Limits = Readonly<Record<QuotaResource, number>>;

export interface QuotaDetail {
  readonly limit: number;
  readonly used: number;
  readonly reserved: number;
}

/** Limits of projects. */
export class Quotas {
  constructor(private readonly parts: NeutronParts) {}

  private own(ctx: RequestContext, projectId: string): boolean {
    return ctx.actor?.projectId === projectId;
  }

  /** Everybody sees his own project's; those of others need the right. */
  async show(ctx: RequestContext, projectId: string): Promise<Limits> {
    if (!this.own(ctx, projectId)) this.mustAllow(ctx, 'get_quota');
    const limits = await this.parts.db.read('quota.show', (tx) => this.parts.quotas.limits(tx, projectId));
    return { ...this.parts.settings.quotas, ...limits };
  }

  async defaults(ctx: RequestContext, projectId: string): Promise<Limits> {
    if (!this.own(ctx, projectId)) this.mustAllow(ctx, 'get_quota');
    return this.parts.settings.quotas;
  }

  async details(ctx: RequestContext, projectId: string): Promise<Readonly<Record<string, QuotaDetail>>> {
    if (!this.own(ctx, projectId) && !isAdmin(ctx, this.parts.policy))
      throw NeutronError.AdminRequired({ reason: 'Only admin is authorized to access quotas for another project' });
    return this.parts.db.read('quota.details', async (tx) => {
      const limits = { ...this.parts.settings.quotas, ...(await this.parts.quotas.limits(tx, projectId)) };
      const usage = await this.parts.quotas.usage(tx, projectId);
      return Object.fromEntries(
        QUOTA_RESOURCES.map((name) => [name, { limit: limits[name], used: usage[name] ?? 0, reserved: 0 }]),
      );
    });
  }

  /** Projects with limits of their own. */
  async list(ctx: RequestContext): Promise<readonly { readonly projectId: string; readonly limits: Limits }[]> {
    this.mustAllow(ctx, 'get_quota');
    const all = await this.parts.db.read('quota.list', (tx) => this.parts.quotas.allLimits(tx));
    return [...all].map(([projectId, limits]) => ({ projectId, limits: { ...this.parts.settings.quotas, ...limits } }));
  }

  /** Sets some limits; unless forced, none below what is used. */
  async update(
    ctx: RequestContext,
    projectId: string,
    limits: Partial<Record<QuotaResource, number>>,
    force: boolean,
  ): Promise<Limits> {
    this.mustAllow(ctx, 'update_quota');
    await this.parts.db.run('quota.update', async (tx) => {
      if (!force) {
        const usage = await this.parts.quotas.usage(tx, projectId);
        for (const [name, limit] of Object.entries(limits)) {
          const used = usage[name as QuotaResource] ?? 0;
          if (limit !== -1 && used > limit)
            throw NeutronError.HTTPBadRequest({
              reason: `Quota limit ${String(limit)} for ${name} must be greater than or equal to already used ${String(used)}`,
            });
        }
      }
      await this.parts.quotas.setLimits(tx, projectId, limits);
    });
    return this.show(ctx, projectId);
  }

  async remove(ctx: RequestContext, projectId: string): Promise<void> {
    this.mustAllow(ctx, 'delete_quota');
    const had = await this.parts.db.run('quota.delete', (tx) => this.parts.quotas.removeLimits(tx, projectId));
    if (!had) throw NeutronError.TenantQuotaNotFound({ tenant_id: projectId });
  }

  private mustAllow(ctx: RequestContext, rule: string): void {
    mustAllow(ctx, this.parts.policy, rule, { project_id: ctx.actor?.projectId ?? null });
  }
}
