import { Inject, Injectable } from '@nestjs/common';
import { Handles, type ApiRequest, type RequestOf } from '@nestack/kernel/http';
import { createMember, deleteMember, listMembers, showMember, updateMember } from '@nestack/glance/contract';
import { Members } from '@nestack/glance/domain';
import { memberView } from './views';

@Injectable()
export class MembersController {
  constructor(@Inject(Members) private readonly members: Members) {}

  @Handles(listMembers)
  async list(request: ApiRequest) {
    const members = await this.members.list(request.ctx, request.params['image_id'] ?? '');
    return { members: members.map(memberView), schema: '/v2/schemas/members' };
  }

  @Handles(showMember)
  async show(request: ApiRequest) {
    return memberView(
      await this.members.show(request.ctx, request.params['image_id'] ?? '', request.params['member_id'] ?? ''),
    );
  }

  @Handles(createMember)
  async add(request: RequestOf<typeof createMember>) {
    return memberView(await this.members.add(request.ctx, request.params['image_id'] ?? '', request.body.member));
  }

  @Handles(updateMember)
  async update(request: RequestOf<typeof updateMember>) {
    const { image_id: imageId = '', member_id: memberId = '' } = request.params;
    return memberView(await this.members.setStatus(request.ctx, imageId, memberId, request.body.status));
  }

  @Handles(deleteMember)
  async remove(request: ApiRequest): Promise<null> {
    await this.members.remove(request.ctx, request.params['image_id'] ?? '', request.params['member_id'] ?? '');
    return null;
  }
}
