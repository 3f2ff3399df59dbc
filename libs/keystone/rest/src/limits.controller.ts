import { Inject, Injectable } from '@nestjs/common';
import { Handles, type ApiRequest, type RequestOf } from '@nestack/kernel/http';
import {
  createLimits,
  createRegisteredLimits,
  deleteLimit,
  deleteRegisteredLimit,
  listLimits,
  listRegisteredLimits,
  showLimit,
  showLimitModel,
  showRegisteredLimit,
  updateLimit,
  updateRegisteredLimit,
} from '@nestack/keystone/contract';
import { Limits, RegisteredLimits, type Filter } from '@nestack/keystone/domain';
import { Guard } from './guard';
import { filtersOf, listLinks, param } from './list-query';
import { limitView, registeredLimitView } from './views';

const PLACE = { service_id: 'text', region_id: 'text', resource_name: 'text' } as const;

/** Unified limits. upstream: keystone/api/limits.py, registered_limits.py */
@Injectable()
export class LimitsController {
  constructor(
    @Inject(Limits) private readonly limits: Limits,
    @Inject(RegisteredLimits) private readonly registered: RegisteredLimits,
    @Inject(Guard) private readonly guard: Guard,
  ) {}

  @Handles(listRegisteredLimits)
  async listRegistered(request: ApiRequest) {
    const found = await this.registered.list(request.ctx, filtersOf(request.rawQuery, PLACE));
    return {
      registered_limits: found.map((one) => registeredLimitView(request.baseUrl, one)),
      links: listLinks(request),
    };
  }

  @Handles(createRegisteredLimits)
  async createRegistered(request: RequestOf<typeof createRegisteredLimits>) {
    const wanted = request.body.registered_limits.map((one) => ({
      service_id: one.service_id,
      region_id: one.region_id ?? null,
      resource_name: one.resource_name,
      default_limit: one.default_limit,
      description: one.description ?? null,
    }));
    const made = await this.registered.create(request.ctx, wanted);
    return { registered_limits: made.map((one) => registeredLimitView(request.baseUrl, one)) };
  }

  @Handles(showRegisteredLimit)
  async showRegistered(request: ApiRequest) {
    const found = await this.registered.show(request.ctx, param(request, 'registered_limit_id'));
    return { registered_limit: registeredLimitView(request.baseUrl, found) };
  }

  @Handles(updateRegisteredLimit)
  async updateRegistered(request: RequestOf<typeof updateRegisteredLimit>) {
    const { service_id, region_id, resource_name, default_limit, description } = request.body.registered_limit;
    const changed = await this.registered.update(request.ctx, param(request, 'registered_limit_id'), {
      ...(service_id === undefined ? {} : { service_id }),
      ...(region_id === undefined ? {} : { region_id }),
      ...(resource_name === undefined ? {} : { resource_name }),
      ...(default_limit === undefined ? {} : { default_limit }),
      ...(description === undefined ? {} : { description }),
    });
    return { registered_limit: registeredLimitView(request.baseUrl, changed) };
  }

  @Handles(deleteRegisteredLimit)
  async removeRegistered(request: ApiRequest): Promise<null> {
    await this.registered.remove(request.ctx, param(request, 'registered_limit_id'));
    return null;
  }

  /** Each limit stands alone: those of a project say nothing about its children's. */
  @Handles(showLimitModel)
  async model() {
    return {
      model: {
        name: 'flat',
        description: 'Limits of projects do not depend on those of other projects, wherever these are in the tree.',
      },
    };
  }

  /** Administrators see all, others those of their project or domain. */
  @Handles(listLimits)
  async list(request: ApiRequest) {
    const filters: Filter[] = filtersOf(request.rawQuery, { ...PLACE, project_id: 'text', domain_id: 'text' });
    const found = await this.limits.list(request.ctx, filters);
    const visible = found.filter((one) => this.guard.allows(request.ctx, 'get_limit', subjectsOf(one)));
    return { limits: visible.map((one) => limitView(request.baseUrl, one)), links: listLinks(request) };
  }

  @Handles(createLimits)
  async create(request: RequestOf<typeof createLimits>) {
    const wanted = request.body.limits.map((one) => ({
      project_id: one.project_id ?? null,
      domain_id: one.domain_id ?? null,
      service_id: one.service_id,
      region_id: one.region_id ?? null,
      resource_name: one.resource_name,
      resource_limit: one.resource_limit,
      description: one.description ?? null,
    }));
    const made = await this.limits.create(request.ctx, wanted);
    return { limits: made.map((one) => limitView(request.baseUrl, one)) };
  }

  @Handles(showLimit)
  async show(request: ApiRequest) {
    const looking = this.limits.show(request.ctx, param(request, 'limit_id'));
    const found = await this.guard.found(request.ctx, 'get_limit', looking, subjectsOf);
    return { limit: limitView(request.baseUrl, found) };
  }

  @Handles(updateLimit)
  async update(request: RequestOf<typeof updateLimit>) {
    const { resource_limit, description } = request.body.limit;
    const changed = await this.limits.update(request.ctx, param(request, 'limit_id'), {
      ...(resource_limit === undefined ? {} : { resource_limit }),
      ...(description === undefined ? {} : { description }),
    });
    return { limit: limitView(request.baseUrl, changed) };
  }

  @Handles(deleteLimit)
  async remove(request: ApiRequest): Promise<null> {
    await this.limits.remove(request.ctx, param(request, 'limit_id'));
    return null;
  }
}

function subjectsOf(limit: { readonly project_id: string | null; readonly domain_id: string | null }) {
  return {
    project: limit.project_id === null ? null : { id: limit.project_id, domain_id: null },
    domain: limit.domain_id === null ? null : { id: limit.domain_id },
  };
}
