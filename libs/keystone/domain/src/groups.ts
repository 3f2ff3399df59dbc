import { KeystoneError } from '@nestack/keystone/contract';
import type { Clock } from '@nestack/kernel/clock';
import type { RequestContext, TransactionRunner, Tx } from '@nestack/kernel/context';
import { newHexId } from '@nestack/kernel/ids';
import type { Extra, Group, User } from './model';
import type { Filter, Stores } from './ports';
import { revocation } from './revocations';

/** Groups of users. upstream: keystone/identity/core.py */
export class Groups {
  constructor(
    private readonly db: TransactionRunner,
    private readonly stores: Stores,
    private readonly clock: Clock,
  ) {}

  find(_ctx: RequestContext, id: string): Promise<Group | null> {
    return this.db.read('groups.find', (tx) => this.stores.groups.find(tx, id));
  }

  list(_ctx: RequestContext, filters: readonly Filter[]): Promise<Group[]> {
    return this.db.read('groups.list', (tx) => this.stores.groups.list(tx, filters));
  }

  async create(
    ctx: RequestContext,
    fields: {
      readonly name: string;
      readonly domain_id?: string | null | undefined;
      readonly description?: string | null | undefined;
      readonly extra: Extra;
    },
  ): Promise<Group> {
    const domainId = fields.domain_id ?? ctx.actor?.domainId ?? ctx.actor?.projectDomain?.id ?? 'default';
    return this.db.run('groups.create', async (tx) => {
      const domain = await this.stores.projects.find(tx, domainId);
      if (domain === null || !domain.is_domain) throw KeystoneError.DomainNotFound({ domain_id: domainId });
      return this.stores.groups.insert(tx, {
        id: newHexId(),
        name: fields.name.trim(),
        domain_id: domainId,
        description: fields.description ?? '',
        extra: fields.extra,
      });
    });
  }

  async update(
    _ctx: RequestContext,
    id: string,
    fields: {
      readonly name?: string | undefined;
      readonly description?: string | null | undefined;
      readonly extra: Extra;
    },
  ): Promise<Group> {
    return this.db.run('groups.update', async (tx) => {
      const before = await this.require(tx, id, { lock: true });
      const after = await this.stores.groups.update(tx, id, {
        ...(fields.name === undefined ? {} : { name: fields.name.trim() }),
        ...(fields.description === undefined ? {} : { description: fields.description ?? '' }),
        extra: { ...before.extra, ...fields.extra },
      });
      if (after === null) throw KeystoneError.GroupNotFound({ group_id: id });
      return after;
    });
  }

  async remove(_ctx: RequestContext, id: string): Promise<void> {
    await this.db.run('groups.remove', async (tx) => {
      await this.require(tx, id, { lock: true });
      const members = await this.stores.groups.members(tx, [id]);
      await this.stores.assignments.forget(tx, { actor: id });
      await this.stores.groups.remove(tx, id);
      await this.changed(tx, ...members.map((member) => member.user_id));
    });
  }

  members(_ctx: RequestContext, id: string): Promise<User[]> {
    return this.db.read('groups.members', async (tx) => {
      await this.require(tx, id);
      return this.stores.groups.usersOf(tx, id);
    });
  }

  async addMember(_ctx: RequestContext, groupId: string, userId: string): Promise<void> {
    await this.db.run('groups.add_member', async (tx) => {
      await this.requireBoth(tx, groupId, userId);
      await this.stores.groups.addMember(tx, groupId, userId);
      await this.changed(tx, userId);
    });
  }

  checkMember(_ctx: RequestContext, groupId: string, userId: string): Promise<void> {
    return this.db.read('groups.check_member', async (tx) => {
      await this.requireBoth(tx, groupId, userId);
      if (!(await this.stores.groups.isMember(tx, groupId, userId))) {
        throw KeystoneError.NotInGroup({ user_id: userId, group_id: groupId });
      }
    });
  }

  /** Tokens lose the group's roles at once. */
  async removeMember(_ctx: RequestContext, groupId: string, userId: string): Promise<void> {
    await this.db.run('groups.remove_member', async (tx) => {
      await this.requireBoth(tx, groupId, userId);
      if (!(await this.stores.groups.removeMember(tx, groupId, userId))) {
        throw KeystoneError.NotInGroup({ user_id: userId, group_id: groupId });
      }
      await this.changed(tx, userId);
    });
  }

  private async changed(tx: Tx, ...userIds: readonly string[]): Promise<void> {
    const now = this.clock.now();
    await this.stores.revocations.announce(tx, ...userIds.map((userId) => revocation(now, { userId })));
  }

  private async require(tx: Tx, id: string, options?: { readonly lock?: boolean }): Promise<Group> {
    const found = await this.stores.groups.find(tx, id, options);
    if (found === null) throw KeystoneError.GroupNotFound({ group_id: id });
    return found;
  }

  private async requireBoth(tx: Tx, groupId: string, userId: string): Promise<void> {
    await this.require(tx, groupId);
    if ((await this.stores.users.find(tx, userId)) === null) throw KeystoneError.UserNotFound({ user_id: userId });
  }
}
