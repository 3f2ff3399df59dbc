import { Inject, Injectable } from '@nestjs/common';
import { Handles, type ApiRequest } from '@nestack/kernel/http';
import {
  NovaError,
  listHosts,
  rebootHost,
  showHost,
  shutdownHost,
  startupHost,
  updateHost,
} from '@nestack/nova/contract';
import { Hosts, type Hypervisor } from '@nestack/nova/domain';
import { hostResources } from '../hosts/hypervisors.views';

/** Services that are no host's. */
const API_SERVICES: readonly string[] = ['nova-osapi_compute', 'nova-metadata'];

/** Hosts as they were administered before services and hypervisors. upstream: nova/api/openstack/compute/hosts.py */
@Injectable()
export class LegacyHostsController {
  constructor(@Inject(Hosts) private readonly hosts: Hosts) {}

  @Handles(listHosts)
  async list(request: ApiRequest) {
    const zone = request.rawQuery.get('zone') ?? '';
    const services = (await this.hosts.services()).filter(
      (one) => !one.disabled && !API_SERVICES.includes(one.binary) && (zone === '' || one.availability_zone === zone),
    );
    return {
      hosts: services.map((one) => ({ host_name: one.host, service: one.topic, zone: one.availability_zone })),
    };
  }

  @Handles(showHost)
  async show(request: ApiRequest) {
    return { host: hostResources(await this.host(request)) };
  }

  @Handles(updateHost)
  async update(request: ApiRequest) {
    const body = request.body as { status?: string; maintenance_mode?: string };
    const { node } = await this.host(request);
    if (body.maintenance_mode !== undefined) throw NovaError.FeatureNotSupported();
    const enabled = body.status?.toLowerCase() === 'enable';
    await this.hosts.update(request.ctx, { host: node.host, binary: 'nova-compute' }, { disabled: !enabled });
    return { host: node.host, status: enabled ? 'enabled' : 'disabled' };
  }

  @Handles(startupHost, shutdownHost, rebootHost)
  async power(request: ApiRequest): Promise<never> {
    await this.host(request);
    throw NovaError.FeatureNotSupported();
  }

  private async host(request: ApiRequest): Promise<Hypervisor> {
    const name = request.params['host_name'] ?? '';
    const found = (await this.hosts.hypervisors()).find(({ node }) => node.host === name);
    if (found === undefined) throw NovaError.ComputeHostUnknown({ host: name });
    return found;
  }
}
