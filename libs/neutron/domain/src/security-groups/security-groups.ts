import type { RequestContext, Tx } from '@nestack/kernel/context';
import { isUuidLike, newUuid } from '@nestack/kernel/ids';
import {
  NeutronError,
  type CreationOf,
  type securityGroupResource,
  type securityGroupRuleResource,
} from '@nestack/neutron/contract';
import { findOr, isAdmin, listPage, matchRevision, mustAllow, ownerOf, viewerOf, withinQuota } from '../access';
import { EVERYTHING, type ListQuery, type SecurityGroup, type SecurityGroupRule } from '../model';
import type { NeutronParts } from '../parts';
import { EGRESS, ensureDefaultGroup, plainRule } from './default-group';
import { checkRule } from './rule-checks';

export type SecurityGroupInput = CreationOf<typeof securityGroupResource>;
export type SecurityGroupRuleInput = CreationOf<typeof securityGroupRuleResource>;

/** A group with its rules, as it is shown. */
export interface GroupWithRules {
  readonly group: SecurityGroup;
  readonly rules: readonly SecurityGroupRule[];
}

/** Security groups and their rules. */
export class SecurityGroups {
  constructor(private readonly parts: NeutronParts) {}

  /** The groups that the caller sees; his own project's default one is among them always. */
  async list(ctx: RequestContext, query: ListQuery, withRules: boolean): Promise<GroupWithRules[]> {
    const { db } = this.parts;
    const viewer = viewerOf(ctx, this.parts.policy);
    await this.ensureOwnDefault(ctx, query);
    return db.read('security_group.list', async (tx) => {
      const groups = await listPage(tx, this.parts.groups, viewer, query, NeutronError.SecurityGroupNotFound, 'id');
      return this.withRules(tx, groups, withRules);
    });
  }

  private async ensureOwnDefault(ctx: RequestContext, query: ListQuery): Promise<void> {
    const { db, groups } = this.parts;
    const asked = query.filters.get('project_id') ?? [];
    // Administrators look after the groups of others as well: those projects get theirs when somebody looks for them.
    const all = viewerOf(ctx, this.parts.policy).all;
    const others = all ? asked.filter((one) => isUuidLike(one)) : [];
    const projects = [ctx.actor?.projectId ?? '', ...others].filter((one) => one !== '');
    for (const project of new Set(projects)) {
      if ((await db.read('security_group.default', (tx) => groups.defaultOf(tx, project))) !== null) continue;
      await db.run('security_group.default', (tx) => ensureDefaultGroup(tx, this.parts, project));
    }
  }

  private async withRules(tx: Tx, groups: readonly SecurityGroup[], wanted = true): Promise<GroupWithRules[]> {
    if (!wanted || groups.length === 0) return groups.map((group) => ({ group, rules: [] }));
    const rules = await this.parts.groups.rulesOf(
      tx,
      groups.map((one) => one.id),
    );
    const byGroup = new Map<string, SecurityGroupRule[]>(groups.map((one) => [one.id, []]));
    for (const rule of rules) byGroup.get(rule.security_group_id)?.push(rule);
    return groups.map((group) => ({ group, rules: byGroup.get(group.id) ?? [] }));
  }

  async show(ctx: RequestContext, id: string): Promise<GroupWithRules> {
    const viewer = viewerOf(ctx, this.parts.policy);
    return this.parts.db.read('security_group.show', async (tx) => {
      const group = await findOr(tx, this.parts.groups, id, viewer, NeutronError.SecurityGroupNotFound, 'id');
      return this.one(tx, group);
    });
  }

  private async one(tx: Tx, group: SecurityGroup): Promise<GroupWithRules> {
    const [found] = await this.withRules(tx, [group]);
    return found ?? { group, rules: [] };
  }

  /** Creates groups, each with rules that let everything out. Throws 409 `OverQuota`. */
  async create(ctx: RequestContext, asked: readonly SecurityGroupInput[]): Promise<GroupWithRules[]> {
    const { parts } = this;
    return parts.db.run('security_group.create', async (tx) => {
      const made: GroupWithRules[] = [];
      for (const input of asked) {
        const projectId = ownerOf(ctx, parts.policy, input.project_id);
        mustAllow(ctx, parts.policy, 'create_security_group', { ...input, project_id: projectId });
        await ensureDefaultGroup(tx, parts, projectId);
        const now = parts.clock.now();
        const group: SecurityGroup = {
          id: newUuid(),
          project_id: projectId,
          name: input.name ?? '',
          description: input.description ?? '',
          tags: [],
          revision_number: 1,
          created_at: now,
          updated_at: now,
          stateful: input.stateful ?? true,
          is_default: false,
          shared: false,
        };
        await parts.groups.insert(tx, group);
        await parts.rules.insertAll(
          tx,
          EGRESS.map((seed) => plainRule(group, seed)),
        );
        await withinQuota(tx, parts, projectId, ['security_group', 'security_group_rule']);
        made.push(await this.one(tx, group));
      }
      return made;
    });
  }

  async update(
    ctx: RequestContext,
    id: string,
    input: SecurityGroupInput,
    revision: number | null,
  ): Promise<GroupWithRules> {
    const { parts } = this;
    const viewer = viewerOf(ctx, parts.policy);
    return parts.db.run('security_group.update', async (tx) => {
      const before = await findOr(tx, parts.groups, id, viewer, NeutronError.SecurityGroupNotFound, 'id', 'change');
      mustAllow(ctx, parts.policy, 'update_security_group', { ...before });
      matchRevision(before.revision_number, revision);
      if (before.is_default && input.name !== undefined && input.name !== before.name)
        throw NeutronError.SecurityGroupCannotUpdateDefault();
      if (input.stateful !== undefined && input.stateful !== before.stateful && (await parts.groups.inUse(tx, id)))
        throw NeutronError.SecurityGroupInUse({ id });
      await parts.groups.update(tx, id, input as Partial<SecurityGroup>, parts.clock.now());
      return this.one(tx, await findOr(tx, parts.groups, id, viewer, NeutronError.SecurityGroupNotFound, 'id'));
    });
  }

  /** Throws 409 while ports are in it; a project's default group goes only by an administrator's hand. */
  async remove(ctx: RequestContext, id: string): Promise<void> {
    const { parts } = this;
    const viewer = viewerOf(ctx, parts.policy);
    await parts.db.run('security_group.delete', async (tx) => {
      const group = await findOr(tx, parts.groups, id, viewer, NeutronError.SecurityGroupNotFound, 'id', 'remove');
      mustAllow(ctx, parts.policy, 'delete_security_group', { ...group });
      if (await parts.groups.inUse(tx, id)) throw NeutronError.SecurityGroupInUse({ id });
      if (group.is_default && !isAdmin(ctx, parts.policy)) throw NeutronError.SecurityGroupCannotRemoveDefault();
      const referring = await parts.groups.referring(tx, id);
      await parts.groups.remove(tx, id);
      await parts.rbac.removeOf(tx, id);
      if (referring.length > 0) await this.announce(ctx, tx, referring);
    });
  }

  async listRules(ctx: RequestContext, query: ListQuery): Promise<SecurityGroupRule[]> {
    const { db, rules, policy } = this.parts;
    const viewer = viewerOf(ctx, policy);
    await this.ensureOwnDefault(ctx, query);
    return db.read('security_group_rule.list', (tx) =>
      listPage(tx, rules, viewer, query, NeutronError.SecurityGroupRuleNotFound, 'id'),
    );
  }

  async showRule(ctx: RequestContext, id: string): Promise<SecurityGroupRule> {
    const { db, rules, policy } = this.parts;
    const viewer = viewerOf(ctx, policy);
    return db.read('security_group_rule.show', (tx) =>
      findOr(tx, rules, id, viewer, NeutronError.SecurityGroupRuleNotFound, 'id'),
    );
  }

  /** Adds rules, of one group when there are several. Throws 409 for a rule that is there. */
  async createRules(ctx: RequestContext, asked: readonly SecurityGroupRuleInput[]): Promise<SecurityGroupRule[]> {
    const { parts } = this;
    if (new Set(asked.map((one) => one.security_group_id)).size > 1)
      throw NeutronError.SecurityGroupNotSingleGroupRules();
    return parts.db.run('security_group_rule.create', async (tx) => {
      const made: SecurityGroupRule[] = [];
      for (const input of asked) {
        const rule = await this.createRule(ctx, tx, input);
        if (made.some((one) => one.id === rule.id)) throw NeutronError.DuplicateSecurityGroupRuleInPost();
        made.push(rule);
      }
      const [first] = made;
      if (first !== undefined) {
        await withinQuota(tx, parts, first.project_id, ['security_group_rule']);
        await parts.groups.update(tx, first.security_group_id, {}, parts.clock.now());
        await this.announce(ctx, tx, [first.security_group_id]);
      }
      return made;
    });
  }

  private async createRule(ctx: RequestContext, tx: Tx, input: SecurityGroupRuleInput): Promise<SecurityGroupRule> {
    const { parts } = this;
    const viewer = viewerOf(ctx, parts.policy);
    const projectId = ownerOf(ctx, parts.policy, input.project_id);
    const id = input.security_group_id ?? '';
    const group = await findOr(tx, parts.groups, id, viewer, NeutronError.SecurityGroupNotFound, 'id', 'change');
    const target = { ...input, project_id: projectId, 'security_group:project_id': group.project_id };
    mustAllow(ctx, parts.policy, 'create_security_group_rule', target);
    const remote = input.remote_group_id ?? null;
    const now = parts.clock.now();
    const rule: SecurityGroupRule = {
      id: newUuid(),
      project_id: projectId,
      description: input.description ?? '',
      revision_number: 0,
      created_at: now,
      updated_at: now,
      security_group_id: group.id,
      direction: input.direction ?? 'ingress',
      ethertype: input.ethertype ?? 'IPv4',
      protocol: input.protocol ?? null,
      port_range_min: input.port_range_min ?? null,
      port_range_max: input.port_range_max ?? null,
      remote_ip_prefix: input.remote_ip_prefix ?? null,
      remote_group_id: remote,
      belongs_to_default_sg: group.is_default,
    };
    checkRule(rule);
    if (remote !== null)
      await findOr(tx, parts.groups, remote, viewer, NeutronError.SecurityGroupNotFound, 'id', 'use');
    if (await parts.rules.insert(tx, rule)) return rule;
    throw NeutronError.SecurityGroupRuleExists({ rule_id: await parts.rules.equal(tx, rule) });
  }

  async removeRule(ctx: RequestContext, id: string): Promise<void> {
    const { parts } = this;
    const viewer = viewerOf(ctx, parts.policy);
    await parts.db.run('security_group_rule.delete', async (tx) => {
      const rule = await findOr(tx, parts.rules, id, viewer, NeutronError.SecurityGroupRuleNotFound, 'id', 'remove');
      const group = await findOr(
        tx,
        parts.groups,
        rule.security_group_id,
        EVERYTHING,
        NeutronError.SecurityGroupNotFound,
        'id',
      );
      mustAllow(ctx, parts.policy, 'delete_security_group_rule', {
        ...rule,
        'security_group:project_id': group.project_id,
      });
      await parts.rules.remove(tx, id);
      await parts.groups.update(tx, group.id, {}, parts.clock.now());
      await this.announce(ctx, tx, [group.id]);
    });
  }

  private async announce(ctx: RequestContext, tx: Tx, groupIds: readonly string[]): Promise<void> {
    await this.parts.messages.add(ctx, tx, {
      agents: [{ method: 'security_groups_rule_updated', args: { security_groups: [...groupIds] } }],
    });
  }
}
