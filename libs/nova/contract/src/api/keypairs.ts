import { operation } from '@nestack/kernel/http';
import Type from 'typebox';
import { Any, Links, Strict, versions } from './common';
import { AnyText, Page, closed, open } from './queries';

/** Names of few letters, no blank at the ends. upstream: parameter_types.keypair_name_special_chars */
const KeyName = Type.String({ minLength: 1, maxLength: 255, pattern: '^(?! )[a-zA-Z0-9_ -]+(?<! )$' });
const KeyName292 = Type.String({ minLength: 1, maxLength: 255, pattern: '^(?! )[a-zA-Z0-9@._ -]+(?<! )$' });
const Fields = { name: KeyName, public_key: Type.Optional(Type.String()) };
const KeyType = Type.Optional(Type.Enum(['ssh', 'x509']));
const UserId = Type.Optional(Type.String());
const ListQuery = [
  open('2.10', { user_id: AnyText }),
  open('2.35', { user_id: AnyText, ...Page }),
  closed('2.75', { user_id: AnyText, ...Page }),
];
const Query = [open('2.10', { user_id: AnyText }), closed('2.75', { user_id: AnyText })];
const KeyPair = Type.Record(Type.String(), Any);

export const listKeyPairs = operation({
  id: 'listKeyPairs',
  summary: 'List key pairs',
  method: 'GET',
  path: '/os-keypairs',
  status: 200,
  query: ListQuery,
  response: Type.Object({
    keypairs: Type.Array(Type.Object({ keypair: KeyPair })),
    keypairs_links: Type.Optional(Links),
  }),
  policy: 'os_compute_api:os-keypairs:index',
});
export const createKeyPair = operation({
  id: 'createKeyPair',
  summary: 'Create or import a key pair',
  method: 'POST',
  path: '/os-keypairs',
  status: [200, 201],
  body: versions<
    Type.TObject<{ keypair: Type.TObject<typeof Fields & { type: typeof KeyType; user_id: typeof UserId }> }>
  >([
    { since: '2.1', schema: Strict({ keypair: Strict(Fields) }) },
    { since: '2.2', schema: Strict({ keypair: Strict({ ...Fields, type: KeyType }) }) },
    { since: '2.10', schema: Strict({ keypair: Strict({ ...Fields, type: KeyType, user_id: UserId }) }) },
    {
      since: '2.92',
      schema: Strict({
        keypair: Strict({ name: KeyName292, public_key: Type.String(), type: KeyType, user_id: UserId }),
      }),
    },
  ]),
  response: Type.Object({ keypair: KeyPair }),
  policy: 'os_compute_api:os-keypairs:create',
  errors: ['KeyPairExists', 'InvalidKeypair', 'KeypairLimitExceeded'],
});
export const showKeyPair = operation({
  id: 'showKeyPair',
  summary: 'Show a key pair',
  method: 'GET',
  path: '/os-keypairs/{keypair_name}',
  status: 200,
  query: Query,
  response: Type.Object({ keypair: KeyPair }),
  policy: 'os_compute_api:os-keypairs:show',
  errors: ['KeypairNotFound'],
});
export const deleteKeyPair = operation({
  id: 'deleteKeyPair',
  summary: 'Delete a key pair',
  method: 'DELETE',
  path: '/os-keypairs/{keypair_name}',
  status: [202, 204],
  query: Query,
  policy: 'os_compute_api:os-keypairs:delete',
  errors: ['KeypairNotFound'],
});

export const keyPairOperations = [listKeyPairs, createKeyPair, showKeyPair, deleteKeyPair];
