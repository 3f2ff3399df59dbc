import { Inject, Injectable } from '@nestjs/common';
import { Handles, type ApiRequest, type RequestOf } from '@nestack/kernel/http';
import { KeystoneError, policies } from '@nestack/keystone/contract';
import { Policies } from '@nestack/keystone/domain';
import { extraOf, filtersOf, listLinks, param } from './list-query';
import { policyView } from './views';

const KNOWN = ['id', 'type', 'blob'];

/** Documents kept for others. upstream: keystone/api/policy.py */
@Injectable()
export class PoliciesController {
  constructor(@Inject(Policies) private readonly policies: Policies) {}

  @Handles(policies.list)
  async list(request: ApiRequest) {
    const found = await this.policies.list(request.ctx, filtersOf(request.rawQuery, { type: 'text' }));
    return { policies: found.map((one) => policyView(request.baseUrl, one)), links: listLinks(request) };
  }

  @Handles(policies.create)
  async create(request: RequestOf<typeof policies.create>) {
    const fields = request.body['policy'];
    if (fields === undefined) throw KeystoneError.ValidationError({ attribute: 'policy', target: 'body' });
    const { type, blob } = fields;
    const made = await this.policies.create(request.ctx, { type, blob, extra: extraOf(fields, KNOWN) });
    return { policy: policyView(request.baseUrl, made) };
  }

  @Handles(policies.show)
  async show(request: ApiRequest) {
    return { policy: policyView(request.baseUrl, await this.policies.show(request.ctx, param(request, 'policy_id'))) };
  }

  @Handles(policies.update)
  async update(request: RequestOf<typeof policies.update>) {
    const fields = request.body['policy'];
    if (fields === undefined) throw KeystoneError.ValidationError({ attribute: 'policy', target: 'body' });
    const { type, blob } = fields;
    const changed = await this.policies.update(request.ctx, param(request, 'policy_id'), {
      ...(type === undefined ? {} : { type }),
      ...(blob === undefined ? {} : { blob }),
      extra: extraOf(fields, KNOWN),
    });
    return { policy: policyView(request.baseUrl, changed) };
  }

  @Handles(policies.remove)
  async remove(request: ApiRequest): Promise<null> {
    await this.policies.remove(request.ctx, param(request, 'policy_id'));
    return null;
  }
}
