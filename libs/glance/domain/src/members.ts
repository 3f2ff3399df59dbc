import type { Clock } from '@nestack/kernel/clock';
import type { RequestContext, TransactionRunner, Tx } from '@nestack/kernel/context';
import { GlanceError, type MemberStatus } from '@nestack/glance/contract';
import { targetOf, viewerOf } from './access';
import type { Image, Member } from './image';
import type { GlanceLimits, ImagePolicy, ImageRepository, MemberRepository } from './ports';

export interface MembersParts {
  readonly db: TransactionRunner;
  readonly images: ImageRepository;
  readonly members: MemberRepository;
  readonly policy: ImagePolicy;
  readonly limits: GlanceLimits;
  readonly clock: Clock;
}

/** Sharing of images with projects: the owner names them, each decides for itself. */
export class Members {
  constructor(private readonly parts: MembersParts) {}

  async list(ctx: RequestContext, imageId: string): Promise<readonly Member[]> {
    return this.parts.db.read('member.list', async (tx) => {
      const image = await this.#shared(tx, ctx, imageId);
      const members = await this.parts.members.list(tx, imageId);
      return this.#isOwner(ctx, image) ? members : members.filter((one) => one.member_id === ctx.actor?.projectId);
    });
  }

  async show(ctx: RequestContext, imageId: string, memberId: string): Promise<Member> {
    return this.parts.db.read('member.show', async (tx) => {
      const image = await this.#shared(tx, ctx, imageId);
      const member = await this.parts.members.find(tx, imageId, memberId);
      if (member === null || (!this.#isOwner(ctx, image) && memberId !== ctx.actor?.projectId)) {
        throw GlanceError.MemberNotFound({ member_id: memberId, image_id: imageId });
      }
      return member;
    });
  }

  async add(ctx: RequestContext, imageId: string, memberId: string): Promise<Member> {
    return this.parts.db.run('member.add', async (tx) => {
      const image = await this.#shared(tx, ctx, imageId, true);
      if (!this.parts.policy.allows(ctx, 'add_member', targetOf(image)))
        throw GlanceError.MembersNotYours({ verb: 'create' });
      const count = (await this.parts.members.list(tx, imageId)).length + 1;
      const maximum = this.parts.limits.image_member_quota;
      if (count > maximum) throw GlanceError.TooMany({ what: 'members', attempted: count, maximum });
      const now = this.parts.clock.now();
      const member: Member = {
        image_id: imageId,
        member_id: memberId,
        status: 'pending',
        created_at: now,
        updated_at: now,
      };
      await this.parts.members.insert(tx, member);
      return member;
    });
  }

  /** Only the member itself decides (administrators may for it). */
  async setStatus(ctx: RequestContext, imageId: string, memberId: string, status: MemberStatus): Promise<Member> {
    return this.parts.db.run('member.update', async (tx) => {
      const image = await this.#shared(tx, ctx, imageId, true);
      const member = await this.parts.members.find(tx, imageId, memberId);
      const own = memberId === ctx.actor?.projectId;
      if (member === null || (!own && !this.#isOwner(ctx, image))) {
        throw GlanceError.MemberNotFound({ member_id: memberId, image_id: imageId });
      }
      if (!own && !this.parts.policy.allows(ctx, 'context_is_admin')) throw GlanceError.MemberStatusNotYours();
      if (!this.parts.policy.allows(ctx, 'modify_member', { ...targetOf(image), member_id: memberId })) {
        throw GlanceError.MemberStatusNotYours();
      }
      const now = this.parts.clock.now();
      await this.parts.members.update(tx, imageId, memberId, status, now);
      return { ...member, status, updated_at: now };
    });
  }

  async remove(ctx: RequestContext, imageId: string, memberId: string): Promise<void> {
    await this.parts.db.run('member.remove', async (tx) => {
      const image = await this.#shared(tx, ctx, imageId, true);
      if (!this.parts.policy.allows(ctx, 'delete_member', targetOf(image)))
        throw GlanceError.MembersNotYours({ verb: 'delete' });
      if (!(await this.parts.members.remove(tx, imageId, memberId))) {
        throw GlanceError.MemberNotFound({ member_id: memberId, image_id: imageId });
      }
    });
  }

  async #shared(tx: Tx, ctx: RequestContext, imageId: string, lock = false): Promise<Image> {
    const image = await this.parts.images.find(tx, imageId, viewerOf(ctx, this.parts.policy), { lock });
    if (image === null) throw GlanceError.ImageNotFound({ image_id: imageId });
    if (image.visibility !== 'shared') throw GlanceError.OnlySharedHaveMembers();
    return image;
  }

  #isOwner(ctx: RequestContext, image: Image): boolean {
    return image.owner === ctx.actor?.projectId || this.parts.policy.allows(ctx, 'context_is_admin');
  }
}
