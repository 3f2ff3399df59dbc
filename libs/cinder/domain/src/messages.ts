import type { RequestContext } from '@nestack/kernel/context';
import { isUuidLike } from '@nestack/kernel/ids';
import { CinderError } from '@nestack/cinder/contract';
import { enforceOn, scopeOf } from './access';
import type { Message } from './model';
import type { CinderParts, ListQuery } from './ports';

/** What users are told about work that failed after its request had been accepted. */
export class Messages {
  constructor(private readonly parts: Pick<CinderParts, 'db' | 'messages' | 'policy'>) {}

  list(ctx: RequestContext, query: ListQuery): Promise<readonly Message[]> {
    return this.parts.db.read('message.list', (tx) => this.parts.messages.list(tx, ctx.actor?.projectId ?? '', query));
  }

  show(ctx: RequestContext, id: string): Promise<Message> {
    return this.parts.db.read('message.show', async (tx) => {
      const message = isUuidLike(id) ? await this.parts.messages.find(tx, id, scopeOf(ctx)) : null;
      if (message === null) throw CinderError.MessageNotFound({ message_id: id });
      enforceOn(this.parts.policy, ctx, 'message:get', message);
      return message;
    });
  }

  async remove(ctx: RequestContext, id: string): Promise<void> {
    const message = await this.show(ctx, id);
    enforceOn(this.parts.policy, ctx, 'message:delete', message);
    await this.parts.db.run('message.delete', (tx) => this.parts.messages.remove(tx, id));
  }
}

/** Upstream's numbers of what was being done. upstream: cinder/message/message_field.py Action */
const ACTIONS: Readonly<Record<string, readonly [string, string]>> = {
  'volume.create': ['001', 'schedule allocate volume'],
  'volume.upload_image': ['003', 'copy volume to image'],
  'volume.extend': ['007', 'extend volume'],
  'snapshot.create': ['009', 'create snapshot'],
  'snapshot.delete': ['010', 'delete snapshot'],
  'volume.delete': ['019', 'delete volume'],
  'backup.create': ['013', 'create backup'],
  'backup.delete': ['014', 'delete backup'],
  'backup.restore': ['015', 'restore backup'],
  'volume.reimage': ['024', 'reimage volume'],
};

/** Upstream's numbers of what went wrong; 001 stands for all else. */
const DETAILS: Readonly<Record<string, string>> = { NoValidBackend: '003' };

/** A message about a failed operation: which kind, and why. */
export function failureMessage(
  kind: string,
  failure: { readonly code: string; readonly message: string },
): { readonly event: string; readonly text: string } {
  const [action, words] = ACTIONS[kind] ?? ['000', kind];
  const type = resourceType(kind);
  return {
    event: `VOLUME_${type}_${action}_${DETAILS[failure.code] ?? '001'}`,
    text: `${words}:${failure.message}`,
  };
}

/** What an operation is about, in upstream's words. */
export function resourceType(kind: string): Message['resource_type'] {
  if (kind.startsWith('snapshot.')) return 'VOLUME_SNAPSHOT';
  return kind.startsWith('backup.') ? 'VOLUME_BACKUP' : 'VOLUME';
}
