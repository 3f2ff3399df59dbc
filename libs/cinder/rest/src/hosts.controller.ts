import { Inject, Injectable } from '@nestjs/common';
import { Handles, type ApiRequest } from '@nestack/kernel/http';
import {
  CinderError,
  listExtensions,
  listHosts,
  listPools,
  listResourceFilters,
  showCapabilities,
  showExtension,
  showHost,
  showVersion,
  versionsDocument,
} from '@nestack/cinder/contract';
import { poolOf, Services, type HostUse, type Service } from '@nestack/cinder/domain';
import { EXTENSIONS } from './extensions';
import { RESOURCE_FILTERS } from './list-kinds';
import { flagOf } from './list-query';
import { timeOf } from './views';

/** What there is: version, extensions, hosts, pools and their capabilities. */
@Injectable()
export class HostsController {
  constructor(@Inject(Services) private readonly services: Services) {}

  @Handles(showVersion)
  version(request: ApiRequest) {
    return Promise.resolve(versionsDocument(request.baseUrl.replace(/\/v3(\/[^/]*)?$/, '')));
  }

  @Handles(listExtensions)
  extensions() {
    return Promise.resolve({ extensions: EXTENSIONS });
  }

  @Handles(showExtension)
  extension(request: ApiRequest) {
    const found = EXTENSIONS.find((one) => one.alias === request.params['alias']);
    if (found === undefined) throw CinderError.ExtensionNotFound();
    return Promise.resolve({ extension: found });
  }

  @Handles(listResourceFilters)
  filters(request: ApiRequest) {
    const wanted = request.rawQuery.get('resource');
    const found = RESOURCE_FILTERS.filter((one) => wanted === null || one.resource === wanted);
    return Promise.resolve({ resource_filters: found });
  }

  @Handles(listHosts)
  async hosts(request: ApiRequest) {
    const zone = request.rawQuery.get('zone');
    const services = await this.services.list({});
    return {
      hosts: services
        .filter((one) => zone === null || one.availability_zone === zone)
        .map((one) => ({
          'service-status': one.up ? 'available' : 'unavailable',
          service: one.binary,
          zone: one.availability_zone,
          'service-state': one.disabled ? 'disabled' : 'enabled',
          host_name: one.host,
          'last-update': timeOf(one.updated_at),
        })),
    };
  }

  @Handles(showHost)
  async host(request: ApiRequest) {
    const host = request.params['host_name'] ?? '';
    const uses = await this.services.useOf(host);
    const sum = (key: Exclude<keyof HostUse, 'project_id'>): number => uses.reduce((all, one) => all + one[key], 0);
    const total: HostUse = {
      project_id: '(total)',
      volume_count: sum('volume_count'),
      total_volume_gb: sum('total_volume_gb'),
      snapshot_count: sum('snapshot_count'),
      total_snapshot_gb: sum('total_snapshot_gb'),
    };
    return { host: [total, ...uses].map((use) => ({ resource: useView(host, use) })) };
  }

  @Handles(listPools)
  async pools(request: ApiRequest) {
    const pools = await this.services.pools();
    const detail = flagOf(request.rawQuery, 'detail');
    const wanted = request.version.atLeast('3.28') ? request.rawQuery.get('name') : null;
    return {
      pools: pools
        .filter(({ service }) => service.up && (wanted === null || poolOf(service) === wanted))
        .map(({ service, provisioned }) => ({
          name: poolOf(service),
          ...(detail ? { capabilities: this.capabilitiesOf(service, provisioned) } : {}),
        })),
    };
  }

  @Handles(showCapabilities)
  async capabilities(request: ApiRequest) {
    const host = request.params['host_name'] ?? '';
    const service = (await this.services.pools()).map((one) => one.service).find((one) => one.host === host);
    if (service === undefined) throw CinderError.ServiceNotFound({ service_id: 'cinder-volume', host });
    const { capabilities } = service;
    return {
      namespace: `OS::Storage::Capabilities::${host}`,
      vendor_name: capabilities?.vendor_name,
      volume_backend_name: capabilities?.volume_backend_name,
      pool_name: null,
      driver_version: capabilities?.driver_version,
      storage_protocol: capabilities?.storage_protocol,
      display_name: null,
      description: null,
      visibility: null,
      replication_targets: [],
      properties: {},
    };
  }

  private capabilitiesOf(service: Service, provisioned: number): Record<string, unknown> {
    return {
      ...service.capabilities,
      pool_name: service.capabilities?.volume_backend_name,
      allocated_capacity_gb: provisioned,
      provisioned_capacity_gb: provisioned,
      max_over_subscription_ratio: this.services.ratio,
      thin_provisioning_support: true,
      thick_provisioning_support: false,
      reserved_percentage: 0,
      QoS_support: false,
      backend_state: 'up',
      timestamp: timeOf(service.updated_at),
    };
  }
}

function useView(host: string, use: HostUse): Record<string, unknown> {
  return {
    host,
    project: use.project_id,
    volume_count: String(use.volume_count),
    total_volume_gb: String(use.total_volume_gb),
    snapshot_count: String(use.snapshot_count),
    total_snapshot_gb: String(use.total_snapshot_gb),
  };
}
