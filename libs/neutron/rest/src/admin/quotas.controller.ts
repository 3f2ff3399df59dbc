import { Inject, Injectable } from '@nestjs/common';
import { Handles, type ApiRequest, type RequestOf } from '@nestack/kernel/http';
import {
  NeutronError,
  QUOTA_RESOURCES,
  deleteQuota,
  integer,
  listQuotas,
  showDefaultQuota,
  showQuota,
  showQuotaDetails,
  showQuotaProject,
  showQuotaTenant,
  updateQuota,
  type QuotaResource,
} from '@nestack/neutron/contract';
import { Quotas } from '@nestack/neutron/domain';

const limit = integer({ min: -1 });

@Injectable()
export class QuotasController {
  constructor(@Inject(Quotas) private readonly quotas: Quotas) {}

  private project(request: ApiRequest): string {
    return request.params['project_id'] ?? '';
  }

  @Handles(listQuotas)
  async list(request: ApiRequest) {
    const all = await this.quotas.list(request.ctx);
    return {
      quotas: all.map(({ projectId, limits }) => ({ ...limits, tenant_id: projectId, project_id: projectId })),
    };
  }

  @Handles(showQuotaProject)
  async ownProject(request: ApiRequest) {
    return { project: { project_id: request.ctx.actor?.projectId ?? '' } };
  }

  @Handles(showQuotaTenant)
  async ownTenant(request: ApiRequest) {
    return { tenant: { tenant_id: request.ctx.actor?.projectId ?? '' } };
  }

  @Handles(showQuota)
  async show(request: ApiRequest) {
    return { quota: await this.quotas.show(request.ctx, this.project(request)) };
  }

  @Handles(showDefaultQuota)
  async defaults(request: ApiRequest) {
    return { quota: await this.quotas.defaults(request.ctx, this.project(request)) };
  }

  @Handles(showQuotaDetails)
  async details(request: ApiRequest) {
    return { quota: await this.quotas.details(request.ctx, this.project(request)) };
  }

  @Handles(updateQuota)
  async update(request: RequestOf<typeof updateQuota>) {
    const { force, check_limit: _check, tenant_id: _tenant, project_id: _project, ...given } = request.body.quota;
    const known: readonly string[] = QUOTA_RESOURCES;
    const unknown = Object.keys(given).filter((name) => !known.includes(name));
    if (unknown.length > 0)
      throw NeutronError.HTTPBadRequest({ reason: `Unrecognized attribute(s) '${unknown.join(', ')}'` });
    const limits: Partial<Record<QuotaResource, number>> = {};
    for (const [name, value] of Object.entries(given)) limits[name as QuotaResource] = limit.parse(value, name);
    return { quota: await this.quotas.update(request.ctx, this.project(request), limits, force === true) };
  }

  @Handles(deleteQuota)
  async remove(request: ApiRequest): Promise<null> {
    await this.quotas.remove(request.ctx, this.project(request));
    return null;
  }
}
