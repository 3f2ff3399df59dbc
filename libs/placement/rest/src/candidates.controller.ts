import { Inject, Injectable } from '@nestjs/common';
import { Handles, type ApiReply, type ApiRequest } from '@nestack/kernel/http';
import { listAllocationCandidates } from '@nestack/placement/contract';
import {
  FindCandidates,
  type AllocationCandidate,
  type CandidateProvider,
  type CandidatesQuery,
} from '@nestack/placement/domain';
import { candidatesQueryOf } from './candidates-query';
import { replyWith } from './replies';

@Injectable()
export class CandidatesController {
  constructor(@Inject(FindCandidates) private readonly finder: FindCandidates) {}

  @Handles(listAllocationCandidates)
  async list(request: ApiRequest): Promise<ApiReply> {
    const query = candidatesQueryOf(request.rawQuery, request.version);
    const { candidates, summaries } = await this.finder.find(request.ctx, query);
    return replyWith(request, {
      allocation_requests: candidates.map((one) => requestView(request, one)),
      provider_summaries: Object.fromEntries(summaries.map((one) => [one.uuid, summaryView(request, query, one)])),
    });
  }
}

/** What a client can PUT as it is: a list of providers before 1.12, a map since. */
function requestView(request: ApiRequest, { allocations, mappings }: AllocationCandidate): object {
  if (!request.version.atLeast('1.12')) {
    return {
      allocations: [...allocations].map(([uuid, resources]) => ({ resource_provider: { uuid }, resources })),
    };
  }
  const map = Object.fromEntries([...allocations].map(([uuid, resources]) => [uuid, { resources }]));
  return { allocations: map, ...(request.version.atLeast('1.34') ? { mappings } : {}) };
}

function summaryView(request: ApiRequest, query: CandidatesQuery, provider: CandidateProvider): object {
  const asked = request.version.atLeast('1.27')
    ? null
    : new Set(query.groups.flatMap((group) => Object.keys(group.resources)));
  const resources: Record<string, object> = {};
  for (const [name, { capacity, used }] of Object.entries(provider.resources)) {
    if (asked === null || asked.has(name)) resources[name] = { capacity, used };
  }
  return {
    resources,
    ...(request.version.atLeast('1.17') ? { traits: provider.traits } : {}),
    ...(request.version.atLeast('1.29')
      ? { parent_provider_uuid: provider.parent_uuid, root_provider_uuid: provider.root_uuid }
      : {}),
  };
}
