import { Inject, Injectable } from '@nestjs/common';
import { Handles, type ApiRequest, type RequestOf } from '@nestack/kernel/http';
import {
  CinderError,
  deleteQuota,
  disableService,
  disableServiceLogReason,
  enableService,
  freezeHost,
  listAvailabilityZones,
  listServices,
  showLimits,
  showQuota,
  showQuotaClass,
  showQuotaDefaults,
  thawHost,
  updateQuota,
  updateQuotaClass,
} from '@nestack/cinder/contract';
import { isPrivileged, Quotas, Services } from '@nestack/cinder/domain';
import { flagOf } from './list-query';
import { serviceView } from './views';

const target = (request: ApiRequest): string => request.params['target_project_id'] ?? '';

/** Names of the absolute limits. upstream: cinder/api/views/limits.py, cinder/api/contrib/used_limits.py */
const ABSOLUTE: readonly (readonly [string, string, string])[] = [
  ['volumes', 'maxTotalVolumes', 'totalVolumesUsed'],
  ['gigabytes', 'maxTotalVolumeGigabytes', 'totalGigabytesUsed'],
  ['snapshots', 'maxTotalSnapshots', 'totalSnapshotsUsed'],
  ['backups', 'maxTotalBackups', 'totalBackupsUsed'],
  ['backup_gigabytes', 'maxTotalBackupGigabytes', 'totalBackupGigabytesUsed'],
];

/** Services, quotas, limits, zones, pools. */
@Injectable()
export class InfoController {
  constructor(
    @Inject(Services) private readonly services: Services,
    @Inject(Quotas) private readonly quotas: Quotas,
  ) {}

  @Handles(listServices)
  async list(request: ApiRequest) {
    const { rawQuery: raw } = request;
    const services = await this.services.list({
      host: raw.get('host') ?? undefined,
      binary: raw.get('binary') ?? raw.get('service') ?? undefined,
    });
    return { services: services.map((one) => serviceView(one, request)) };
  }

  @Handles(enableService)
  async enable(request: RequestOf<typeof enableService>) {
    const { host, binary } = named(request.body);
    const service = await this.services.setDisabled(host, binary, false, null);
    return {
      host: service.host,
      service: binary,
      binary,
      disabled: false,
      status: 'enabled',
      disabled_reason: null,
    };
  }

  @Handles(disableService)
  async disable(request: RequestOf<typeof disableService>) {
    const { host, binary } = named(request.body);
    const service = await this.services.setDisabled(host, binary, true, null);
    return { host: service.host, service: binary, binary, disabled: true, status: 'disabled' };
  }

  @Handles(disableServiceLogReason)
  async disableWithReason(request: RequestOf<typeof disableServiceLogReason>) {
    const { host, binary } = named(request.body);
    const reason = request.body.disabled_reason?.trim() ?? '';
    if (reason === '')
      throw CinderError.InvalidInput({ reason: 'Disabled reason contains invalid characters or is too long' });
    const service = await this.services.setDisabled(host, binary, true, reason);
    return { host: service.host, service: binary, binary, disabled: true, status: 'disabled', disabled_reason: reason };
  }

  @Handles(freezeHost)
  async freeze(request: RequestOf<typeof freezeHost>): Promise<null> {
    await this.services.setFrozen(request.body.host, true);
    return null;
  }

  @Handles(thawHost)
  async thaw(request: RequestOf<typeof thawHost>): Promise<null> {
    await this.services.setFrozen(request.body.host, false);
    return null;
  }

  @Handles(showLimits)
  async limits(request: ApiRequest) {
    const asked = request.version.atLeast('3.39') ? request.rawQuery.get('project_id') : null;
    const own = request.ctx.actor?.projectId ?? '';
    const project = asked !== null && isPrivileged(request.ctx) ? asked : own;
    const uses = await this.quotas.limitsOf(project);
    const absolute: Record<string, number> = {};
    for (const [resource, max, used] of ABSOLUTE) {
      absolute[max] = uses[resource]?.limit ?? -1;
      absolute[used] = uses[resource]?.in_use ?? 0;
    }
    return { limits: { rate: [], absolute } };
  }

  @Handles(showQuota)
  async quota(request: ApiRequest) {
    const uses = await this.quotas.show(request.ctx, target(request));
    const usage = flagOf(request.rawQuery, 'usage');
    return {
      quota_set: {
        id: target(request),
        ...Object.fromEntries(
          Object.entries(uses).map(([resource, use]) => [resource, usage ? { ...use, allocated: 0 } : use.limit]),
        ),
      },
    };
  }

  @Handles(showQuotaDefaults)
  async quotaDefaults(request: ApiRequest) {
    const id = target(request);
    return { quota_set: { id, ...(await this.quotas.defaultsFor(request.ctx, id)) } };
  }

  @Handles(updateQuota)
  async updateQuota(request: RequestOf<typeof updateQuota>) {
    return { quota_set: await this.quotas.update(request.params['target_project_id'] ?? '', request.body.quota_set) };
  }

  @Handles(deleteQuota)
  async deleteQuota(request: ApiRequest): Promise<null> {
    await this.quotas.clear(target(request));
    return null;
  }

  @Handles(showQuotaClass)
  async quotaClass(request: ApiRequest) {
    const name = request.params['class_name'] ?? '';
    return { quota_class_set: { id: name, ...(await this.quotas.defaults()) } };
  }

  @Handles(updateQuotaClass)
  async updateQuotaClass(request: RequestOf<typeof updateQuotaClass>) {
    const { class_name: given, id: _, ...limits } = request.body.quota_class_set;
    const name = request.params['class_name'] ?? (typeof given === 'string' ? given : '');
    if (name !== 'default') throw CinderError.QuotaClassNotFound({ class_name: name });
    return { quota_class_set: await this.quotas.update('default', limits) };
  }

  @Handles(listAvailabilityZones)
  async zones() {
    const services = await this.services.list({ binary: 'cinder-volume' });
    const zones = new Map<string, boolean>();
    for (const one of services)
      zones.set(one.availability_zone, (zones.get(one.availability_zone) ?? false) || !one.disabled);
    return {
      availabilityZoneInfo: [...zones].map(([zoneName, available]) => ({ zoneName, zoneState: { available } })),
    };
  }
}

function named(body: { host: string; binary?: string | null; service?: string | null }): {
  host: string;
  binary: string;
} {
  const binary = body.binary ?? body.service ?? null;
  if (binary === null) throw CinderError.InvalidInput({ reason: 'Missing required element "binary" in request body.' });
  return { host: body.host, binary };
}
