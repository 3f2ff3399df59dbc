import { Controller, Inject } from '@nestjs/common';
import type { RequestContext } from '@nestack/kernel/context';
import { HandlesRpc, type RpcArgs, type RpcHandlers } from '@nestack/kernel/rpc';
import { NovaError, SchedulerRpc } from '@nestack/nova/contract';
import { PLACEMENT_PORT } from '@nestack/nova/domain';
import type { FakePlacement } from '@nestack/nova/testing';

/** The first host with room that did not fail the server before. */
@Controller()
@HandlesRpc(SchedulerRpc)
export class FakeScheduler implements RpcHandlers<typeof SchedulerRpc> {
  constructor(@Inject(PLACEMENT_PORT) private readonly placement: FakePlacement) {}

  async select_destinations(
    ctx: RequestContext,
    { request_spec: spec }: RpcArgs<(typeof SchedulerRpc)['methods']['select_destinations']>,
  ) {
    const held = await this.placement.allocatedOn(ctx, spec.instance_uuid);
    const candidates = held === null ? await this.placement.candidates(ctx, spec, 100) : [];
    for (const candidate of candidates) {
      const name = this.nameOf(candidate.provider_uuid);
      if (spec.ignore_hosts.includes(name) || (spec.force_host !== null && spec.force_host !== name)) continue;
      if (await this.placement.claim(ctx, spec, candidate)) return this.selection(candidate.provider_uuid);
    }
    if (held !== null) return this.selection(held);
    throw NovaError.NoValidHost({ reason: 'There are not enough hosts available.' });
  }

  private selection(provider: string) {
    const name = this.nameOf(provider);
    return {
      selection: { service_host: name, nodename: name, compute_node_uuid: provider, availability_zone: 'nova' },
    };
  }

  private nameOf(provider: string): string {
    return this.placement.providers.get(provider)?.name ?? '';
  }
}
