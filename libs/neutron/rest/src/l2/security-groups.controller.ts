import { Inject, Injectable } from '@nestjs/common';
import { Handles, parseFields, type ApiRequest } from '@nestack/kernel/http';
import { POLICY, type PolicyEnforcer } from '@nestack/kernel/policy';
import {
  createSecurityGroup,
  createSecurityGroupRule,
  deleteSecurityGroup,
  deleteSecurityGroupRule,
  formatCidr,
  listSecurityGroupRules,
  listSecurityGroups,
  parseCidr,
  securityGroupResource,
  securityGroupRuleResource,
  showSecurityGroup,
  showSecurityGroupRule,
  updateSecurityGroup,
} from '@nestack/neutron/contract';
import { SecurityGroups, type GroupWithRules } from '@nestack/neutron/domain';
import { revisionOf } from '../list-query';
import { Presenter } from '../presenter';

@Injectable()
export class SecurityGroupsController {
  private readonly shown;
  private readonly rules;

  constructor(
    @Inject(SecurityGroups) private readonly groups: SecurityGroups,
    @Inject(POLICY) policy: PolicyEnforcer,
  ) {
    this.shown = new Presenter(securityGroupResource, policy);
    this.rules = new Presenter(securityGroupRuleResource, policy, { normalized_cidr: normalized });
  }

  @Handles(listSecurityGroups)
  async list(request: ApiRequest) {
    const query = this.shown.query(request);
    const fields = parseFields(request.rawQuery);
    const withRules = fields === null || fields.has('security_group_rules');
    const look = this.shown.mayLook(request.ctx);
    const found = look ? await this.groups.list(request.ctx, query, withRules) : [];
    return this.shown.page(
      request,
      query,
      found.map((one) => this.whole(request, one)),
    );
  }

  /** The group with its rules as views. */
  private whole(request: ApiRequest, { group, rules }: GroupWithRules) {
    return { ...group, security_group_rules: rules.map((rule) => this.rules.view(request.ctx, rule)) };
  }

  @Handles(showSecurityGroup)
  async show(request: ApiRequest) {
    this.shown.mustLook(request.ctx);
    const found = await this.groups.show(request.ctx, this.shown.id(request));
    return this.shown.one(request, this.whole(request, found));
  }

  @Handles(createSecurityGroup)
  async create(request: ApiRequest) {
    const made = await this.groups.create(request.ctx, this.shown.creations(request));
    return this.shown.created(
      request,
      made.map((one) => this.whole(request, one)),
    );
  }

  @Handles(updateSecurityGroup)
  async update(request: ApiRequest) {
    const change = this.shown.change(request);
    const revision = revisionOf(request.headers);
    const after = await this.groups.update(request.ctx, this.shown.id(request), change, revision);
    return this.shown.one(request, this.whole(request, after));
  }

  @Handles(deleteSecurityGroup)
  async remove(request: ApiRequest): Promise<null> {
    await this.groups.remove(request.ctx, this.shown.id(request));
    return null;
  }

  @Handles(listSecurityGroupRules)
  async listRules(request: ApiRequest) {
    const query = this.rules.query(request);
    const found = this.rules.mayLook(request.ctx) ? await this.groups.listRules(request.ctx, query) : [];
    return this.rules.page(request, query, found);
  }

  @Handles(showSecurityGroupRule)
  async showRule(request: ApiRequest) {
    this.rules.mustLook(request.ctx);
    return this.rules.one(request, await this.groups.showRule(request.ctx, this.rules.id(request)));
  }

  @Handles(createSecurityGroupRule)
  async createRules(request: ApiRequest) {
    return this.rules.created(request, await this.groups.createRules(request.ctx, this.rules.creations(request)));
  }

  @Handles(deleteSecurityGroupRule)
  async removeRule(request: ApiRequest): Promise<null> {
    await this.groups.removeRule(request.ctx, this.rules.id(request));
    return null;
  }
}

/** The prefix without host bits, beside the one that was written. */
function normalized(rule: Readonly<Record<string, unknown>>) {
  const prefix = parseCidr(rule['remote_ip_prefix']);
  return prefix === null ? null : formatCidr(prefix);
}
