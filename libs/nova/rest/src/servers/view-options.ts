import { Inject, Injectable } from '@nestjs/common';
import type { ApiRequest } from '@nestack/kernel/http';
import { POLICY, type PolicyEnforcer } from '@nestack/kernel/policy';
import { Hosts, isUp, type ComputeService, type Instance } from '@nestack/nova/domain';
import type { ServerViewOptions } from './servers.views';

/** What of servers a request's version and its caller's roles show. */
@Injectable()
export class ViewOptions {
  constructor(
    @Inject(POLICY) private readonly policy: PolicyEnforcer,
    @Inject(Hosts) private readonly hosts: Hosts,
  ) {}

  /** For one server or a list; `since` is the microversion from which on an answer has `host_status`. */
  async of(
    request: Pick<ApiRequest, 'ctx' | 'version' | 'baseUrl'>,
    { hostStatus: since = '2.16' }: { readonly hostStatus?: string } = {},
  ): Promise<ServerViewOptions> {
    const { ctx, version } = request;
    // Of the caller's own project, as upstream asks for lists.
    const target = { project_id: ctx.actor?.projectId };
    const allows = (rule: string): boolean => this.policy.allows(ctx, `os_compute_api:${rule}`, target);
    const all = allows('servers:show:host_status');
    const shows = version.atLeast(since) && (all || allows('servers:show:host_status:unknown-only'));
    return {
      request,
      admin: allows('os-extended-server-attributes'),
      extraSpecs: allows('os-flavor-extra-specs:index'),
      ...(shows ? { hostStatus: await this.hostStatuses(all) } : {}),
    };
  }

  /** The state of a server's host; one statement for a whole list. Null for what a caller who may only see unknown ones does not see. */
  private async hostStatuses(all: boolean): Promise<(instance: Instance) => string | null> {
    const services = await this.hosts.services({ binary: 'nova-compute' });
    const now = this.hosts.now();
    const byHost = new Map(services.map((service) => [service.host, hostStatus(service, now)]));
    return ({ host }) => {
      const status = byHost.get(host ?? '') ?? '';
      return all || status === 'UNKNOWN' ? status : null;
    };
  }
}

/** upstream: nova/compute/api.py get_instance_host_status */
function hostStatus(service: ComputeService, now: Date): string {
  if (service.forced_down) return 'DOWN';
  if (service.disabled) return 'MAINTENANCE';
  return isUp(service, now) ? 'UP' : 'UNKNOWN';
}
