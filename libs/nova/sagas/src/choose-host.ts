import type { RequestContext } from '@nestack/kernel/context';
import type { Alternate, RequestSpec, Selection } from '@nestack/nova/contract';
import { reachable, type SagaDeps } from './deps';

/** A claimed host, and those that are tried when it fails. */
export interface ChosenHost extends Selection {
  readonly alternates?: readonly Alternate[];
}

/**
 * Claims a host for a server. After one that failed, whose claim ends, it is the best alternate that was found with it, is up
 * and has still room; the scheduler is asked anew only when none is left. May be cut and begun again.
 * upstream: build_instances of nova/conductor/manager.py
 * @param attempt from 1
 * @param before the choice that failed
 */
export async function chooseHost(
  ctx: RequestContext,
  deps: SagaDeps,
  request_spec: RequestSpec,
  { attempt, before }: { readonly attempt: number; readonly before?: ChosenHost | undefined },
): Promise<ChosenHost> {
  if (attempt > 1) await deps.placement.release(ctx, request_spec.instance_uuid);
  const left = [...(before?.alternates ?? [])];
  for (let next = left.shift(); next !== undefined; next = left.shift()) {
    const { allocation_request, ...selection } = next;
    if (!(await reachable(deps, selection.service_host))) continue;
    const candidate = { provider_uuid: selection.compute_node_uuid, allocation_request, capacity: {} };
    if (await deps.placement.claim(ctx, request_spec, candidate)) return { ...selection, alternates: left };
  }
  const asked = { request_spec, alternates: Math.max(0, deps.maxAttempts - attempt) };
  const { selection, alternates = [] } = await deps.scheduler.select_destinations(ctx, asked);
  return { ...selection, alternates };
}
