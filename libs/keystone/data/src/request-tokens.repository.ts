import type { Tx } from '@nestack/kernel/context';
import { execute } from '@nestack/kernel/db';
import type { RequestToken, RequestTokenStore } from '@nestack/keystone/domain';
import { TableStore } from './table-store';

/** Request tokens of OAuth 1.0a in PostgreSQL. */
export class RequestTokensRepository extends TableStore<RequestToken> implements RequestTokenStore {
  constructor() {
    super({
      table: 'request_token',
      kind: 'request_token',
      columns: [
        'id',
        'consumer_id',
        'requested_project_id',
        'secret',
        'verifier',
        'authorizing_user_id',
        'role_ids',
        'expires_at',
      ],
      json: [],
      moments: ['expires_at'],
      clash: ({ id }) => `id ${id ?? ''}`,
    });
  }

  prune(tx: Tx, before: Date): Promise<number> {
    return execute(tx, 'DELETE FROM request_token WHERE expires_at < $1', [before]);
  }
}
