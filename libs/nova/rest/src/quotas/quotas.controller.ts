import { Inject, Injectable } from '@nestjs/common';
import { ApiReply, Handles, type ApiRequest, type ApiVersion } from '@nestack/kernel/http';
import {
  NovaError,
  deleteQuotaSet,
  isTrue,
  listExtensions,
  showExtension,
  showLimits,
  showQuotaClass,
  showQuotaDefaults,
  showQuotaSet,
  showQuotaSetDetail,
  toInteger,
  updateQuotaClass,
  updateQuotaSet,
} from '@nestack/nova/contract';
import { Quotas, callerOf, type Limits } from '@nestack/nova/domain';
import { EXTENSIONS, extensionView } from './extensions.views';

const INJECTED = ['injected_files', 'injected_file_content_bytes', 'injected_file_path_bytes'];
const NETWORK = { floating_ips: -1, fixed_ips: -1, security_groups: -1, security_group_rules: -1 };
const project = (request: ApiRequest): string => request.params['tenant_id'] ?? '';

/** Limits that a microversion shows. upstream: nova/api/openstack/compute/quota_sets.py */
function shown(limits: Limits, version: ApiVersion): Record<string, number> {
  const networks = !version.atLeast('2.36');
  const kept = Object.entries(limits).filter(
    ([key]) => (networks || !Object.hasOwn(NETWORK, key)) && (!version.atLeast('2.57') || !INJECTED.includes(key)),
  );
  return { ...(networks ? NETWORK : {}), ...Object.fromEntries(kept) };
}

/** Quotas, limits and the extension list. */
@Injectable()
export class QuotasController {
  constructor(@Inject(Quotas) private readonly quotas: Quotas) {}

  @Handles(showQuotaSet)
  async show(request: ApiRequest) {
    this.assertOwn(request);
    const { limits } = await this.quotas.show(project(request));
    return { quota_set: { id: project(request), ...shown(limits, request.version) } };
  }

  @Handles(showQuotaSetDetail)
  async detail(request: ApiRequest) {
    this.assertOwn(request);
    const { limits, usage } = await this.quotas.show(project(request));
    const used = usage as unknown as Readonly<Record<string, number>>;
    const rows = Object.entries(shown(limits, request.version)).map(([key, limit]) => [
      key,
      { limit, in_use: used[key] ?? 0, reserved: 0 },
    ]);
    return { quota_set: { id: project(request), ...Object.fromEntries(rows) } };
  }

  @Handles(showQuotaDefaults)
  async defaults(request: ApiRequest) {
    return { quota_set: { id: project(request), ...shown(await this.quotas.defaults(), request.version) } };
  }

  @Handles(updateQuotaSet)
  async update(request: ApiRequest) {
    const { quota_set: body } = request.body as { quota_set: Record<string, number | string> };
    const limits = await this.quotas.set(project(request), changesOf(body), isTrue(body['force'] ?? false));
    return { quota_set: shown(limits, request.version) };
  }

  @Handles(deleteQuotaSet)
  async delete(request: ApiRequest) {
    await this.quotas.clear(project(request));
    return new ApiReply(null, { status: 202 });
  }

  @Handles(showQuotaClass)
  async showClass(request: ApiRequest) {
    const name = request.params['class_name'] ?? '';
    return { quota_class_set: { id: name, ...shown(await this.quotas.defaults(name), request.version) } };
  }

  @Handles(updateQuotaClass)
  async updateClass(request: ApiRequest) {
    const { quota_class_set: body } = request.body as { quota_class_set: Record<string, number | string> };
    return {
      quota_class_set: shown(
        await this.quotas.setClass(request.params['class_name'] ?? '', changesOf(body)),
        request.version,
      ),
    };
  }

  /** upstream: nova/api/openstack/compute/views/limits.py */
  @Handles(showLimits)
  async limits(request: ApiRequest) {
    const own = request.ctx.actor?.projectId ?? '';
    const asked = request.rawQuery.get('tenant_id');
    if (asked !== null && asked !== own && !callerOf(request.ctx).isAdmin)
      throw NovaError.PolicyForbidden({ rule: 'os_compute_api:limits:other_project' });
    const { limits, usage } = await this.quotas.show(asked ?? own);
    const { version } = request;
    const of = (key: string): number => limits[key] ?? -1;
    return {
      limits: {
        rate: [],
        absolute: {
          maxTotalInstances: of('instances'),
          maxTotalCores: of('cores'),
          maxTotalRAMSize: of('ram'),
          maxServerMeta: of('metadata_items'),
          ...(version.atLeast('2.39') ? {} : { maxImageMeta: of('metadata_items') }),
          maxTotalKeypairs: of('key_pairs'),
          maxServerGroups: of('server_groups'),
          maxServerGroupMembers: of('server_group_members'),
          ...(version.atLeast('2.57')
            ? {}
            : { maxPersonality: of('injected_files'), maxPersonalitySize: of('injected_file_content_bytes') }),
          ...(version.atLeast('2.36')
            ? {}
            : {
                maxTotalFloatingIps: -1,
                maxSecurityGroups: -1,
                maxSecurityGroupRules: -1,
                totalFloatingIpsUsed: 0,
                totalSecurityGroupsUsed: 0,
              }),
          totalInstancesUsed: usage.instances,
          totalCoresUsed: usage.cores,
          totalRAMUsed: usage.ram,
          totalServerGroupsUsed: usage.server_groups,
        },
      },
    };
  }

  @Handles(listExtensions)
  async extensions() {
    await Promise.resolve();
    return { extensions: EXTENSIONS.map(extensionView) };
  }

  @Handles(showExtension)
  async extension(request: ApiRequest) {
    await Promise.resolve();
    const found = EXTENSIONS.find(({ alias }) => alias === request.params['alias']);
    if (found === undefined) throw NovaError.NotFound({ reason: 'The resource could not be found.' });
    return { extension: extensionView(found) };
  }

  private assertOwn(request: ApiRequest): void {
    const caller = callerOf(request.ctx);
    if (!caller.isAdmin && caller.projectId !== project(request))
      throw NovaError.PolicyForbidden({ rule: 'os_compute_api:os-quota-sets:show' });
  }
}

function changesOf(body: Readonly<Record<string, number | string>>): Record<string, number> {
  const entries = Object.entries(body).filter(([key]) => key !== 'force' && key !== 'tenant_id');
  return Object.fromEntries(
    entries.map(([key, value]) => {
      const limit = toInteger(value);
      if (limit < -1)
        throw NovaError.QuotaInvalid({
          reason: `Quota limit ${limit} for ${key} must be in the range of -1 and 2147483647.`,
        });
      return [key, limit];
    }),
  );
}
