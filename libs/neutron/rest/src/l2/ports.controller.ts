import { Inject, Injectable } from '@nestjs/common';
import { Handles, type ApiRequest } from '@nestack/kernel/http';
import { POLICY, type PolicyEnforcer } from '@nestack/kernel/policy';
import {
  createPort,
  deletePort,
  listPorts,
  portResource,
  showPort,
  updatePort,
  type FixedIp,
} from '@nestack/neutron/contract';
import { Ports, type NeutronSettings } from '@nestack/neutron/domain';
import { revisionOf } from '../list-query';
import { Presenter } from '../presenter';
import { SETTINGS } from '../tokens';

@Injectable()
export class PortsController {
  private readonly shown;

  constructor(
    @Inject(Ports) private readonly ports: Ports,
    @Inject(POLICY) policy: PolicyEnforcer,
    @Inject(SETTINGS) settings: NeutronSettings,
  ) {
    this.shown = new Presenter(portResource, policy, {
      dns_assignment: (port) =>
        assignments(
          String(port['dns_name']),
          port['fixed_ips'] as readonly FixedIp[],
          String(port['dns_domain'] || settings.dnsDomain),
        ),
    });
  }

  @Handles(listPorts)
  async list(request: ApiRequest) {
    const query = this.shown.query(request);
    const found = this.shown.mayLook(request.ctx) ? await this.ports.list(request.ctx, query) : [];
    return this.shown.page(request, query, found);
  }

  @Handles(showPort)
  async show(request: ApiRequest) {
    this.shown.mustLook(request.ctx);
    return this.shown.one(request, await this.ports.show(request.ctx, this.shown.id(request)));
  }

  @Handles(createPort)
  async create(request: ApiRequest) {
    return this.shown.created(request, await this.ports.create(request.ctx, this.shown.creations(request)));
  }

  @Handles(updatePort)
  async update(request: ApiRequest) {
    const change = this.shown.change(request);
    const revision = revisionOf(request.headers);
    return this.shown.one(request, await this.ports.update(request.ctx, this.shown.id(request), change, revision));
  }

  @Handles(deletePort)
  async remove(request: ApiRequest): Promise<null> {
    await this.ports.remove(request.ctx, this.shown.id(request));
    return null;
  }
}

/** The names that a port's addresses have on its network. upstream: neutron/db/dns_db.py */
function assignments(name: string, ips: readonly FixedIp[], domain: string) {
  return ips.map((ip) => {
    const hostname = name === '' ? `host-${ip.ip_address.replaceAll(/[.:]/g, '-')}` : name;
    const fqdn = hostname.endsWith('.') ? hostname : `${hostname}.${domain.replace(/\.?$/, '.')}`;
    return { hostname, ip_address: ip.ip_address, fqdn };
  });
}
