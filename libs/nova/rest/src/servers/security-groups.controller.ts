import { Inject, Injectable } from '@nestjs/common';
import { Handles, type ApiRequest } from '@nestack/kernel/http';
import {
  NovaError,
  listSecurityGroupProxies,
  listServerSecurityGroups,
  showSecurityGroupProxy,
} from '@nestack/nova/contract';
import { NETWORK_PORT, Servers, type NetworkPort } from '@nestack/nova/domain';
import { securityGroupView, securityGroupViews } from './security-groups.views';

/** Neutron's security groups as nova's older API shows them, which clients still read to find one by its name. */
@Injectable()
export class SecurityGroupsController {
  constructor(
    @Inject(Servers) private readonly servers: Servers,
    @Inject(NETWORK_PORT) private readonly networks: NetworkPort,
  ) {}

  @Handles(listSecurityGroupProxies)
  async list(request: ApiRequest) {
    return { security_groups: securityGroupViews(await this.networks.securityGroups(request.ctx)) };
  }

  @Handles(showSecurityGroupProxy)
  async show(request: ApiRequest) {
    const id = request.params['security_group_id'] ?? '';
    const groups = await this.networks.securityGroups(request.ctx);
    const group = groups.find((one) => one.id === id);
    if (group === undefined) throw NovaError.SecurityGroupUnknown({ security_group_id: id });
    return { security_group: securityGroupView(group, groups) };
  }

  @Handles(listServerSecurityGroups)
  async ofServer(request: ApiRequest) {
    const { uuid, nics } = await this.servers.get(request.ctx, request.params['server_id'] ?? '');
    const groups = await this.networks.securityGroupsOf(request.ctx, uuid, nics);
    return { security_groups: securityGroupViews(groups) };
  }
}
