import { Inject, Injectable } from '@nestjs/common';
import { Handles, type ApiRequest, type RequestOf } from '@nestack/kernel/http';
import { domains, KeystoneError } from '@nestack/keystone/contract';
import { Projects, type Project } from '@nestack/keystone/domain';
import { Guard } from './guard';
import { extraOf, filtersOf, listLinks, param } from './list-query';
import { domainView } from './views';

const KNOWN = ['id', 'name', 'enabled', 'description', 'tags', 'options', 'explicit_domain_id'];

/** Domains. upstream: keystone/api/domains.py */
@Injectable()
export class DomainsController {
  constructor(
    @Inject(Projects) private readonly projects: Projects,
    @Inject(Guard) private readonly guard: Guard,
  ) {}

  /** Callers with a domain's token see that domain alone. */
  @Handles(domains.list)
  async list(request: ApiRequest) {
    const own = request.ctx.actor?.domainId ?? null;
    this.guard.enforce(request.ctx, 'list_domains', { domain: own === null ? null : { id: own } });
    const filters = filtersOf(request.rawQuery, { id: 'text', name: 'text', enabled: 'boolean' });
    filters.push({ field: 'is_domain', op: 'eq', value: true });
    if (own !== null) filters.push({ field: 'id', op: 'eq', value: own });
    const found = await this.projects.list(request.ctx, filters);
    return { domains: found.map((domain) => domainView(request.baseUrl, domain)), links: listLinks(request) };
  }

  @Handles(domains.create)
  async create(request: RequestOf<typeof domains.create>) {
    this.guard.enforce(request.ctx, 'create_domain');
    const fields = request.body['domain'];
    if (fields === undefined) throw KeystoneError.ValidationError({ attribute: 'domain', target: 'body' });
    const { explicit_domain_id: id, ...rest } = fields;
    const domain = await this.projects.create(request.ctx, {
      ...rest,
      ...(id === undefined ? {} : { id }),
      is_domain: true,
      extra: extraOf(fields, KNOWN),
    });
    return { domain: domainView(request.baseUrl, domain) };
  }

  @Handles(domains.show)
  async show(request: ApiRequest) {
    return { domain: domainView(request.baseUrl, await this.allowed(request, 'get_domain')) };
  }

  @Handles(domains.update)
  async update(request: RequestOf<typeof domains.update>) {
    const fields = request.body['domain'];
    if (fields === undefined) throw KeystoneError.ValidationError({ attribute: 'domain', target: 'body' });
    const { id } = await this.allowed(request, 'update_domain');
    const domain = await this.projects.update(request.ctx, id, { ...fields, extra: extraOf(fields, KNOWN) }, true);
    return { domain: domainView(request.baseUrl, domain) };
  }

  @Handles(domains.remove)
  async remove(request: ApiRequest): Promise<null> {
    const { id } = await this.allowed(request, 'delete_domain');
    await this.projects.remove(request.ctx, id, true);
    return null;
  }

  private async allowed(request: ApiRequest, rule: string): Promise<Project> {
    const id = param(request, 'domain_id');
    const found = await this.projects.find(request.ctx, id);
    const domain = found?.is_domain === true ? found : null;
    this.guard.enforce(request.ctx, rule, { domain });
    if (domain === null) throw KeystoneError.DomainNotFound({ domain_id: id });
    return domain;
  }
}
