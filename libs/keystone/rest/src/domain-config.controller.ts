import { Inject, Injectable } from '@nestjs/common';
import { ApiReply, Handles, type ApiRequest, type Operation, type RequestOf } from '@nestack/kernel/http';
import { createDomainConfig, domainConfig } from '@nestack/keystone/contract';
import { defaultConfig, DomainConfigs, type ConfigPart } from '@nestack/keystone/domain';
import { param } from './list-query';

/** Configurations of domains: as a whole, by group and by option. upstream: keystone/api/domains.py */
@Injectable()
export class DomainConfigController {
  constructor(@Inject(DomainConfigs) private readonly configs: DomainConfigs) {
    for (const part of Object.values(domainConfig)) {
      this.handle(part.show, (request) => this.show(request));
      this.handle(part.update, (request) => this.update(request as RequestOf<typeof createDomainConfig>));
      this.handle(part.remove, (request) => this.remove(request));
      this.handle(part.defaults, async (request) => ({ config: defaultConfig(partOf(request)) }));
    }
  }

  @Handles(createDomainConfig)
  async create(request: RequestOf<typeof createDomainConfig>) {
    const { config, created } = await this.configs.create(
      request.ctx,
      param(request, 'domain_id'),
      request.body.config,
    );
    return new ApiReply({ config }, { status: created ? 201 : 200 });
  }

  private handle(operation: Operation, value: (request: ApiRequest) => Promise<unknown>): void {
    const descriptor = { value, configurable: true };
    Handles(operation)(this, operation.id, descriptor);
    Object.defineProperty(this, operation.id, descriptor);
  }

  private async show(request: ApiRequest) {
    return { config: await this.configs.show(request.ctx, param(request, 'domain_id'), partOf(request)) };
  }

  private async update(request: RequestOf<typeof createDomainConfig>) {
    const { config } = request.body;
    return { config: await this.configs.update(request.ctx, param(request, 'domain_id'), partOf(request), config) };
  }

  private async remove(request: ApiRequest): Promise<null> {
    await this.configs.remove(request.ctx, param(request, 'domain_id'), partOf(request));
    return null;
  }
}

function partOf(request: Pick<ApiRequest, 'params'>): ConfigPart {
  const { group, option } = request.params;
  return { ...(group === undefined ? {} : { group }), ...(option === undefined ? {} : { option }) };
}
