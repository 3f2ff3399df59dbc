import { Inject, Injectable } from '@nestjs/common';
import { ApiReply, Handles, type ApiRequest, type ApiVersion } from '@nestack/kernel/http';
import { POLICY, type PolicyEnforcer } from '@nestack/kernel/policy';
import {
  INJECTED_QUOTAS,
  NETWORK_QUOTAS,
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
import { Quotas, type Limits } from '@nestack/nova/domain';
import { EXTENSIONS, extensionView } from './extensions.views';

const project = (request: ApiRequest): string => request.params['tenant_id'] ?? '';
/** The user whose limits are asked for, if it is not the whole project's. */
const user = (request: ApiRequest): string | null => request.rawQuery.get('user_id') || null;

/**
 * Limits that a microversion shows; those of networks, which nova does not enforce, before `networksEnd`.
 * upstream: nova/api/openstack/compute/quota_sets.py
 */
function shown(limits: Limits, version: ApiVersion, networksEnd = '2.36'): Record<string, number> {
  const hidden = [
    ...(version.atLeast(networksEnd) ? NETWORK_QUOTAS : []),
    ...(version.atLeast('2.57') ? INJECTED_QUOTAS : []),
  ];
  const all = { ...Object.fromEntries(NETWORK_QUOTAS.map((key) => [key, -1])), ...limits };
  return Object.fromEntries(Object.entries(all).filter(([key]) => !hidden.includes(key)));
}

/** Classes lack the server groups' limits before 2.50. upstream: nova/api/openstack/compute/quota_classes.py */
function shownClass(limits: Limits, version: ApiVersion): Record<string, number> {
  const all = Object.entries(shown(limits, version, '2.50'));
  return Object.fromEntries(version.atLeast('2.50') ? all : all.filter(([key]) => !key.startsWith('server_group')));
}

/** Quotas, limits and the extension list. */
@Injectable()
export class QuotasController {
  constructor(
    @Inject(Quotas) private readonly quotas: Quotas,
    @Inject(POLICY) private readonly policy: PolicyEnforcer,
  ) {}

  @Handles(showQuotaSet)
  async show(request: ApiRequest) {
    await this.assertVisible(request, 'show');
    const { limits } = await this.quotas.show(project(request), user(request));
    return { quota_set: { id: project(request), ...shown(limits, request.version) } };
  }

  @Handles(showQuotaSetDetail)
  async detail(request: ApiRequest) {
    await this.assertVisible(request, 'detail');
    const { limits, usage } = await this.quotas.show(project(request), user(request));
    const used = usage as unknown as Readonly<Record<string, number>>;
    const rows = Object.entries(shown(limits, request.version)).map(([key, limit]) => [
      key,
      { limit, in_use: used[key] ?? 0, reserved: 0 },
    ]);
    return { quota_set: { id: project(request), ...Object.fromEntries(rows) } };
  }

  @Handles(showQuotaDefaults)
  async defaults(request: ApiRequest) {
    await this.quotas.assertProject(request.ctx, project(request));
    return { quota_set: { id: project(request), ...shown(await this.quotas.defaults(), request.version) } };
  }

  @Handles(updateQuotaSet)
  async update(request: ApiRequest) {
    await this.quotas.assertProject(request.ctx, project(request));
    const { quota_set: body } = request.body as { quota_set: Record<string, number | string> };
    const limits = await this.quotas.set(
      project(request),
      user(request),
      changesOf(body),
      isTrue(body['force'] ?? false),
    );
    return { quota_set: shown(limits, request.version) };
  }

  @Handles(deleteQuotaSet)
  async delete(request: ApiRequest) {
    await this.quotas.clear(project(request), user(request));
    return new ApiReply(null, { status: 202 });
  }

  @Handles(showQuotaClass)
  async showClass(request: ApiRequest) {
    const name = request.params['class_name'] ?? '';
    return { quota_class_set: { id: name, ...shownClass(await this.quotas.defaults(name), request.version) } };
  }

  @Handles(updateQuotaClass)
  async updateClass(request: ApiRequest) {
    const { quota_class_set: body } = request.body as { quota_class_set: Record<string, number | string> };
    return {
      quota_class_set: shownClass(
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
    // As upstream, even where it is his own.
    if (asked !== null) this.policy.enforce(request.ctx, 'os_compute_api:limits:other_project');
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

  private async assertVisible(request: ApiRequest, action: 'show' | 'detail'): Promise<void> {
    this.policy.enforce(request.ctx, `os_compute_api:os-quota-sets:${action}`, { project_id: project(request) });
    await this.quotas.assertProject(request.ctx, project(request));
  }
}

function changesOf(body: Readonly<Record<string, number | string>>): Record<string, number> {
  const entries = Object.entries(body).filter(([key]) => key !== 'force');
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
