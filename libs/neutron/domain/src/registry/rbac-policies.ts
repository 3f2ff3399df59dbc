import type { RequestContext, Tx } from '@nestack/kernel/context';
import { newUuid } from '@nestack/kernel/ids';
import {
  NeutronError,
  RBAC_ACTIONS,
  type CreationOf,
  type RbacObjectType,
  type rbacPolicyResource,
} from '@nestack/neutron/contract';
import { isAdmin, listPage, mustAllow, ownerOf, viewerOf, withinQuota } from '../access';
import { EVERYTHING, type ListQuery, type RbacPolicy } from '../model';
import type { NeutronParts } from '../parts';

export type RbacInput = CreationOf<typeof rbacPolicyResource>;

/** Who may use what of others. upstream: neutron/db/rbac_db_mixin.py */
export class RbacPolicies {
  constructor(private readonly parts: NeutronParts) {}

  async list(ctx: RequestContext, query: ListQuery): Promise<RbacPolicy[]> {
    const { db, rbac, policy } = this.parts;
    const viewer = viewerOf(ctx, policy);
    return db.read('rbac_policy.list', (tx) => listPage(tx, rbac, viewer, query, notFound, 'id'));
  }

  async show(ctx: RequestContext, id: string): Promise<RbacPolicy> {
    return this.parts.db.read('rbac_policy.show', (tx) => this.find(ctx, tx, id));
  }

  private async find(ctx: RequestContext, tx: Tx, id: string): Promise<RbacPolicy> {
    const found = await this.parts.rbac.find(tx, id, viewerOf(ctx, this.parts.policy), { lock: 'use' });
    if (found === null) throw notFound({ id });
    return found;
  }

  async create(ctx: RequestContext, asked: readonly RbacInput[]): Promise<RbacPolicy[]> {
    const { parts } = this;
    return parts.db.run('rbac_policy.create', async (tx) => {
      const made: RbacPolicy[] = [];
      for (const input of asked) {
        const policy: RbacPolicy = {
          id: newUuid(),
          project_id: ownerOf(ctx, parts.policy, input.project_id),
          object_type: input.object_type ?? 'network',
          object_id: input.object_id ?? '',
          action: input.action ?? '',
          target_tenant: input.target_tenant ?? '',
        };
        mustAllow(ctx, parts.policy, 'create_rbac_policy', { ...policy });
        this.checkTarget(ctx, 'create_rbac_policy', policy);
        this.checkAction(policy);
        await this.mustOwn(ctx, tx, policy);
        if (!(await parts.rbac.insert(tx, policy))) throw NeutronError.DuplicateRbacPolicy();
        await withinQuota(tx, parts, policy.project_id, ['rbac_policy']);
        if (policy.action === 'access_as_external') await this.setExternal(tx, policy.object_id, true);
        made.push(policy);
      }
      return made;
    });
  }

  /** Everybody at once is for administrators to let in. */
  private checkTarget(ctx: RequestContext, action: string, policy: RbacPolicy): void {
    mustAllow(ctx, this.parts.policy, `${action}:target_tenant`, {
      ...policy,
      everybody: policy.target_tenant === '*',
    });
  }

  private checkAction(policy: RbacPolicy): void {
    const valid: readonly string[] = RBAC_ACTIONS[policy.object_type];
    if (!valid.includes(policy.action))
      throw NeutronError.InvalidInput({
        error_message: `Invalid action '${policy.action}' for object type '${policy.object_type}'. Valid actions: ${valid.join(', ')}`,
      });
  }

  /** Policies on an object are for its owner and administrators; who does not see it hears that there is none. */
  private async mustOwn(ctx: RequestContext, tx: Tx, policy: RbacPolicy): Promise<void> {
    const { parts } = this;
    const object = await this.object(tx, policy);
    const admin = isAdmin(ctx, parts.policy);
    if (
      object === null ||
      (!admin && object.project_id !== ctx.actor?.projectId && !(await this.sees(ctx, tx, policy)))
    )
      throw notFoundObject(policy);
    if (!admin && object.project_id !== ctx.actor?.projectId)
      throw NeutronError.InvalidInput({
        error_message: 'Only admins can manipulate policies on objects they do not own',
      });
    if (policy.action === 'access_as_external' && !admin)
      throw NeutronError.InvalidInput({
        error_message: 'Only admins can manipulate policies on networks as external',
      });
  }

  private async object(tx: Tx, policy: RbacPolicy): Promise<{ readonly project_id: string } | null> {
    return this.repository(policy.object_type).find(tx, policy.object_id, EVERYTHING, { lock: 'use' });
  }

  private async sees(ctx: RequestContext, tx: Tx, policy: RbacPolicy): Promise<boolean> {
    const viewer = viewerOf(ctx, this.parts.policy);
    return (await this.repository(policy.object_type).find(tx, policy.object_id, viewer)) !== null;
  }

  private repository(type: RbacObjectType) {
    const { networks, groups, pools, scopes } = this.parts;
    return { network: networks, security_group: groups, subnetpool: pools, address_scope: scopes }[type];
  }

  private async setExternal(tx: Tx, networkId: string, external: boolean): Promise<void> {
    await this.parts.networks.update(tx, networkId, { 'router:external': external }, this.parts.clock.now());
  }

  async update(ctx: RequestContext, id: string, input: RbacInput): Promise<RbacPolicy> {
    const { parts } = this;
    return parts.db.run('rbac_policy.update', async (tx) => {
      const before = await this.find(ctx, tx, id);
      mustAllow(ctx, parts.policy, 'update_rbac_policy', { ...before });
      const after: RbacPolicy = { ...before, target_tenant: input.target_tenant ?? before.target_tenant };
      if (after.target_tenant === before.target_tenant) return before;
      this.checkTarget(ctx, 'update_rbac_policy', after);
      await this.mustBeUnused(tx, before, after.target_tenant);
      if (!(await parts.rbac.update(tx, id, { target_tenant: after.target_tenant }, parts.clock.now())))
        throw NeutronError.DuplicateRbacPolicy();
      return after;
    });
  }

  async remove(ctx: RequestContext, id: string): Promise<void> {
    const { parts } = this;
    await parts.db.run('rbac_policy.delete', async (tx) => {
      const policy = await this.find(ctx, tx, id);
      mustAllow(ctx, parts.policy, 'delete_rbac_policy', { ...policy });
      await this.mustBeUnused(tx, policy, null);
      await parts.rbac.remove(tx, id);
      if (policy.action !== 'access_as_external') return;
      if ((await parts.rbac.ofObject(tx, policy.object_id, policy.action)).length === 0)
        await this.setExternal(tx, policy.object_id, false);
    });
  }

  /** Nobody may lose what he uses. */
  private async mustBeUnused(tx: Tx, policy: RbacPolicy, instead: string | null): Promise<void> {
    const object = await this.object(tx, policy);
    if (object === null || instead === '*') return;
    const users = (await this.parts.rbac.dependents(tx, policy, object.project_id)).filter((one) => one !== instead);
    if (users.length > 0)
      throw NeutronError.RbacPolicyInUse({
        object_id: policy.object_id,
        details: `projects that use it: ${users.join(', ')}`,
      });
  }
}

function notFound(args: Readonly<Record<string, unknown>> = {}) {
  return NeutronError.RbacPolicyNotFound({ object_type: 'network', ...args });
}

function notFoundObject(policy: RbacPolicy): Error {
  switch (policy.object_type) {
    case 'network':
      return NeutronError.NetworkNotFound({ net_id: policy.object_id });
    case 'security_group':
      return NeutronError.SecurityGroupNotFound({ id: policy.object_id });
    case 'subnetpool':
      return NeutronError.SubnetPoolNotFound({ subnetpool_id: policy.object_id });
    case 'address_scope':
      return NeutronError.AddressScopeNotFound({ address_scope_id: policy.object_id });
  }
}
