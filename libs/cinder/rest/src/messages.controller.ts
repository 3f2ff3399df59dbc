import { Inject, Injectable } from '@nestjs/common';
import { Handles, nextLinks, type ApiRequest } from '@nestack/kernel/http';
import { deleteMessage, listMessages, showMessage } from '@nestack/cinder/contract';
import { Messages, type Message } from '@nestack/cinder/domain';
import { MESSAGES } from './list-kinds';
import { listQueryOf } from './list-query';
import { linksOf, timeOf } from './views';

const id = (request: ApiRequest): string => request.params['message_id'] ?? '';

/** `/messages`: why work failed after it had been accepted. */
@Injectable()
export class MessagesController {
  constructor(@Inject(Messages) private readonly messages: Messages) {}

  @Handles(listMessages)
  async list(request: ApiRequest) {
    const { query, empty } = listQueryOf(request, MESSAGES);
    const messages = empty ? [] : await this.messages.list(request.ctx, query);
    const links = nextLinks(request, '/messages', {
      count: messages.length,
      limit: query.limit,
      lastId: messages.at(-1)?.id,
    });
    return {
      messages: messages.map((one) => view(one, request)),
      ...(links.length === 0 ? {} : { messages_links: links }),
    };
  }

  @Handles(showMessage)
  async show(request: ApiRequest) {
    return { message: view(await this.messages.show(request.ctx, id(request)), request) };
  }

  @Handles(deleteMessage)
  async remove(request: ApiRequest): Promise<null> {
    await this.messages.remove(request.ctx, id(request));
    return null;
  }
}

function view(message: Message, request: ApiRequest): Record<string, unknown> {
  return {
    id: message.id,
    request_id: message.request_id,
    resource_type: message.resource_type,
    resource_uuid: message.resource_uuid,
    event_id: message.event_id,
    message_level: message.message_level,
    user_message: message.user_message,
    created_at: timeOf(message.created_at),
    guaranteed_until: timeOf(message.expires_at),
    links: linksOf(request, 'messages', message.id),
  };
}
