import { Inject, Injectable } from '@nestjs/common';
import { Handles, nextLinks, type ApiRequest, type RequestOf } from '@nestack/kernel/http';
import {
  completeAttachment,
  createAttachment,
  deleteAttachment,
  listAttachments,
  listAttachmentsDetail,
  showAttachment,
  updateAttachment,
} from '@nestack/cinder/contract';
import { Attachments, type Attachment } from '@nestack/cinder/domain';
import { ATTACHMENTS } from './list-kinds';
import { listQueryOf } from './list-query';
import { attachmentSummaryView, attachmentView } from './views';

const id = (request: ApiRequest): string => request.params['attachment_id'] ?? '';

/** `/attachments` */
@Injectable()
export class AttachmentsController {
  constructor(@Inject(Attachments) private readonly attachments: Attachments) {}

  @Handles(listAttachments)
  list(request: ApiRequest) {
    return this.page(request, '/attachments', attachmentSummaryView);
  }

  @Handles(listAttachmentsDetail)
  listDetail(request: ApiRequest) {
    return this.page(request, '/attachments/detail', attachmentView);
  }

  @Handles(createAttachment)
  async create(request: RequestOf<typeof createAttachment>) {
    const wanted = request.body.attachment;
    const connector = wanted.connector ?? null;
    const attachment = await this.attachments.create(request.ctx, {
      volume_uuid: wanted.volume_uuid,
      instance_uuid: wanted.instance_uuid ?? null,
      connector: connector === null || Object.keys(connector).length === 0 ? null : connector,
      mode: wanted.mode ?? (typeof connector?.['mode'] === 'string' ? connector['mode'] : null),
    });
    return { attachment: attachmentView(attachment) };
  }

  @Handles(showAttachment)
  async show(request: ApiRequest) {
    return { attachment: attachmentView(await this.attachments.show(request.ctx, id(request))) };
  }

  @Handles(updateAttachment)
  async update(request: RequestOf<typeof updateAttachment>) {
    const { connector, mode } = request.body.attachment;
    return {
      attachment: attachmentView(await this.attachments.update(request.ctx, id(request), connector, mode ?? null)),
    };
  }

  @Handles(deleteAttachment)
  async remove(request: ApiRequest) {
    const left = await this.attachments.remove(request.ctx, id(request));
    return { attachments: left.map(attachmentSummaryView) };
  }

  @Handles(completeAttachment)
  async complete(request: ApiRequest): Promise<null> {
    await this.attachments.complete(request.ctx, id(request));
    return null;
  }

  private async page(request: ApiRequest, path: string, view: (one: Attachment) => Record<string, unknown>) {
    const { query, allProjects, empty } = listQueryOf(request, ATTACHMENTS);
    const attachments = empty ? [] : await this.attachments.list(request.ctx, query, allProjects);
    const links = nextLinks(request, path, {
      count: attachments.length,
      limit: query.limit,
      lastId: attachments.at(-1)?.id,
    });
    return { attachments: attachments.map(view), ...(links.length === 0 ? {} : { attachments_links: links }) };
  }
}
