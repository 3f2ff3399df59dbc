import { Inject, Injectable } from '@nestjs/common';
import { Handles, type ApiRequest, type RequestOf } from '@nestack/kernel/http';
import {
  CinderError,
  cleanupWorkers,
  failoverCluster,
  failoverHost,
  listClusters,
  listClustersDetail,
  showCluster,
  updateCluster,
} from '@nestack/cinder/contract';
import { Services } from '@nestack/cinder/domain';

const FILTERS = new Set(['name', 'binary', 'is_up', 'disabled', 'num_hosts', 'num_down_hosts']);
const REPLICATION_FILTERS = new Set(['replication_status', 'frozen', 'active_backend_id']);
const CLEANABLE = new Set(['Volume', 'Snapshot']);

/** Clusters of volume services, and what belongs to replication: a backend is one service's here, and not replicated. */
@Injectable()
export class ClustersController {
  constructor(@Inject(Services) private readonly services: Services) {}

  @Handles(listClusters)
  list(request: ApiRequest) {
    const replication = request.version.atLeast('3.26');
    const refused = [...request.rawQuery.keys()].filter(
      (key) => !FILTERS.has(key) && !(replication && REPLICATION_FILTERS.has(key)),
    );
    if (refused.length > 0) throw CinderError.InvalidInput({ reason: `Invalid filter keys: ${refused.join(', ')}` });
    return Promise.resolve({ clusters: [] });
  }

  @Handles(listClustersDetail)
  listDetail(request: ApiRequest) {
    return this.list(request);
  }

  @Handles(showCluster)
  show(request: ApiRequest): Promise<never> {
    return Promise.reject(CinderError.ClusterNotFound({ id: request.params['cluster_id'] ?? '' }));
  }

  @Handles(updateCluster)
  update(request: RequestOf<typeof updateCluster>): Promise<never> {
    const verb = request.params['cluster_id'] ?? '';
    if (verb !== 'enable' && verb !== 'disable') return Promise.reject(CinderError.ExtensionNotFound());
    return Promise.reject(CinderError.ClusterNotFound({ id: request.body.name }));
  }

  /** Nothing is ever left for an administrator to start: a run whose worker has ended goes on with the next one. */
  @Handles(cleanupWorkers)
  cleanup(request: RequestOf<typeof cleanupWorkers>) {
    const { resource_type: type = null, resource_id: id = null } = request.body;
    if (type !== null && !CLEANABLE.has(type.charAt(0).toUpperCase() + type.slice(1).toLowerCase()))
      throw CinderError.InvalidInput({ reason: `Resource type ${type} not valid, must be Volume or Snapshot` });
    if (id !== null)
      throw CinderError.InvalidInput({ reason: `There is no resource with UUID ${id} pending cleanup.` });
    return Promise.resolve({ cleaning: [], unavailable: [] });
  }

  @Handles(failoverHost)
  failoverHost(request: RequestOf<typeof failoverHost>): Promise<never> {
    return this.failover(request.body.host ?? null);
  }

  @Handles(failoverCluster)
  failoverCluster(request: RequestOf<typeof failoverCluster>): Promise<never> {
    return this.failover(request.body.host ?? null);
  }

  /** upstream: cinder/volume/api.py failover */
  private async failover(host: string | null): Promise<never> {
    const services = host === null ? [] : await this.services.list({ host, binary: 'cinder-volume' });
    const [service] = services;
    if (service === undefined) throw CinderError.InvalidInput({ reason: `No service found with host=${String(host)}` });
    throw CinderError.InvalidInput({
      reason: `No service could be changed: replication_status in ['${service.host}'] must be "enabled" or "failed-over" and must be up to failover.`,
    });
  }
}
