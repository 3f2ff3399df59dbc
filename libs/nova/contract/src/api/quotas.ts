import { operation } from '@nestack/kernel/http';
import Type from 'typebox';
import { Any, LooseBoolean, Strict, versions } from './common';
import { AnyText, closedSince275 } from './queries';

const Item = Type.Record(Type.String(), Any);
const Limit = Type.Optional(
  Type.Union([Type.Integer({ minimum: -1, maximum: 0x7fffffff }), Type.String({ pattern: '^-?[0-9]+$' })]),
);

/** Defaults of nova's quotas. upstream: nova/conf/quota.py */
export const QUOTA_DEFAULTS: Readonly<Record<string, number>> = {
  instances: 10,
  cores: 20,
  ram: 51_200,
  metadata_items: 128,
  injected_files: 5,
  injected_file_content_bytes: 10_240,
  injected_file_path_bytes: 255,
  key_pairs: 100,
  server_groups: 10,
  server_group_members: 10,
};
const NAMES = ['instances', 'cores', 'ram', 'metadata_items', 'key_pairs', 'server_groups', 'server_group_members'];
/** Quotas of files that servers are given at boot, until 2.57. */
export const INJECTED_QUOTAS = ['injected_files', 'injected_file_content_bytes', 'injected_file_path_bytes'];
/** Quotas of networks, which nova has no more of; until 2.36, or 2.50 in classes. */
export const NETWORK_QUOTAS = ['floating_ips', 'fixed_ips', 'security_groups', 'security_group_rules'];
const Fields = (keys: readonly string[]): Record<string, typeof Limit> =>
  Object.fromEntries(keys.map((key) => [key, Limit]));
/** A body, without quotas of networks from `networksEnd` on. upstream: schemas/{quota_sets,quota_classes}.py */
const Rows = (wrap: string, networksEnd: string, more: Type.TProperties) => {
  const body = (names: readonly string[]) => Strict({ [wrap]: Strict({ ...Fields(names), ...more }) });
  return versions<Type.TObject>([
    { since: '2.1', schema: body([...NAMES, ...INJECTED_QUOTAS, ...NETWORK_QUOTAS]) },
    { since: networksEnd, schema: body([...NAMES, ...INJECTED_QUOTAS]) },
    { since: '2.57', schema: body(NAMES) },
  ]);
};
const UserQuery = closedSince275({ user_id: AnyText });

export const showQuotaSet = operation({
  id: 'showQuotaSet',
  summary: 'Show quotas',
  method: 'GET',
  path: '/os-quota-sets/{tenant_id}',
  status: 200,
  query: UserQuery,
  response: Type.Object({ quota_set: Item }),
  policy: 'os_compute_api:os-quota-sets:show',
});
export const showQuotaSetDetail = operation({
  id: 'showQuotaSetDetail',
  summary: 'Show quotas with usage',
  method: 'GET',
  path: '/os-quota-sets/{tenant_id}/detail',
  status: 200,
  query: UserQuery,
  response: Type.Object({ quota_set: Item }),
  policy: 'os_compute_api:os-quota-sets:detail',
});
export const showQuotaDefaults = operation({
  id: 'showQuotaDefaults',
  summary: 'Show default quotas',
  method: 'GET',
  path: '/os-quota-sets/{tenant_id}/defaults',
  status: 200,
  response: Type.Object({ quota_set: Item }),
  policy: 'os_compute_api:os-quota-sets:defaults',
});
export const updateQuotaSet = operation({
  id: 'updateQuotaSet',
  summary: 'Set quotas',
  method: 'PUT',
  path: '/os-quota-sets/{tenant_id}',
  status: 200,
  query: UserQuery,
  body: Rows('quota_set', '2.36', { force: Type.Optional(LooseBoolean) }),
  response: Type.Object({ quota_set: Item }),
  policy: 'os_compute_api:os-quota-sets:update',
  errors: ['QuotaInvalid'],
});
export const deleteQuotaSet = operation({
  id: 'deleteQuotaSet',
  summary: 'Revert quotas to the defaults',
  method: 'DELETE',
  path: '/os-quota-sets/{tenant_id}',
  status: 202,
  query: UserQuery,
  policy: 'os_compute_api:os-quota-sets:delete',
});
export const showQuotaClass = operation({
  id: 'showQuotaClass',
  summary: 'Show a quota class',
  method: 'GET',
  path: '/os-quota-class-sets/{class_name}',
  status: 200,
  response: Type.Object({ quota_class_set: Item }),
  policy: 'os_compute_api:os-quota-class-sets:show',
});
export const updateQuotaClass = operation({
  id: 'updateQuotaClass',
  summary: 'Set a quota class',
  method: 'PUT',
  path: '/os-quota-class-sets/{class_name}',
  status: 200,
  body: Rows('quota_class_set', '2.50', {}),
  response: Type.Object({ quota_class_set: Item }),
  policy: 'os_compute_api:os-quota-class-sets:update',
});
export const showLimits = operation({
  id: 'showLimits',
  summary: 'Show limits',
  method: 'GET',
  path: '/limits',
  status: 200,
  query: closedSince275({ tenant_id: AnyText }),
  response: Type.Object({ limits: Item }),
  policy: 'os_compute_api:limits',
});

export const listExtensions = operation({
  id: 'listExtensions',
  summary: 'List extensions',
  method: 'GET',
  path: '/extensions',
  status: 200,
  response: Type.Object({ extensions: Type.Array(Item) }),
  policy: 'os_compute_api:extensions',
});
export const showExtension = operation({
  id: 'showExtension',
  summary: 'Show an extension',
  method: 'GET',
  path: '/extensions/{alias}',
  status: 200,
  response: Type.Object({ extension: Item }),
  policy: 'os_compute_api:extensions',
});

export const quotaOperations = [
  showQuotaSet,
  showQuotaSetDetail,
  showQuotaDefaults,
  updateQuotaSet,
  deleteQuotaSet,
  showQuotaClass,
  updateQuotaClass,
  showLimits,
  listExtensions,
  showExtension,
];
