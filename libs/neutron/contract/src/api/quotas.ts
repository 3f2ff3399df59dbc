import { operation } from '@nestack/kernel/http';
import Type from 'typebox';

/** What is counted per project, with upstream's default limits. upstream: neutron/conf/quota.py, neutron/extensions */
export const QUOTA_DEFAULTS = {
  network: 100,
  subnet: 100,
  port: 500,
  subnetpool: -1,
  security_group: 10,
  security_group_rule: 100,
  router: 10,
  floatingip: 50,
  rbac_policy: 10,
} as const;
export type QuotaResource = keyof typeof QUOTA_DEFAULTS;
export const QUOTA_RESOURCES = Object.keys(QUOTA_DEFAULTS) as QuotaResource[];

const Limits = Type.Record(Type.String(), Type.Integer());
const Detail = Type.Record(
  Type.String(),
  Type.Object({ limit: Type.Integer(), used: Type.Integer(), reserved: Type.Integer() }),
);

export const listQuotas = operation({
  id: 'listQuotas',
  summary: 'Lists the projects that have limits of their own',
  method: 'GET',
  path: '/quotas',
  response: Type.Object({
    quotas: Type.Array(Type.Record(Type.String(), Type.Union([Type.Integer(), Type.String()]))),
  }),
  status: 200,
});
export const showQuotaProject = operation({
  id: 'showQuotaProject',
  summary: "Names the caller's project",
  method: 'GET',
  path: '/quotas/project',
  response: Type.Object({ project: Type.Object({ project_id: Type.String() }) }),
  status: 200,
});
export const showQuotaTenant = operation({
  id: 'showQuotaTenant',
  summary: "Names the caller's project in the old word",
  method: 'GET',
  path: '/quotas/tenant',
  response: Type.Object({ tenant: Type.Object({ tenant_id: Type.String() }) }),
  status: 200,
});
export const showQuota = operation({
  id: 'showQuota',
  summary: "Shows a project's limits",
  method: 'GET',
  path: '/quotas/{project_id}',
  response: Type.Object({ quota: Limits }),
  status: 200,
});
export const showDefaultQuota = operation({
  id: 'showDefaultQuota',
  summary: 'Shows the limits of projects without their own',
  method: 'GET',
  path: '/quotas/{project_id}/default',
  response: Type.Object({ quota: Limits }),
  status: 200,
});
export const showQuotaDetails = operation({
  id: 'showQuotaDetails',
  summary: "Shows a project's limits and usage",
  method: 'GET',
  path: '/quotas/{project_id}/details',
  response: Type.Object({ quota: Detail }),
  status: 200,
});
export const updateQuota = operation({
  id: 'updateQuota',
  summary: "Sets a project's limits",
  method: 'PUT',
  path: '/quotas/{project_id}',
  body: Type.Object({ quota: Type.Record(Type.String(), Type.Unknown()) }, { additionalProperties: true }),
  response: Type.Object({ quota: Limits }),
  status: 200,
});
export const deleteQuota = operation({
  id: 'deleteQuota',
  summary: 'Gives a project the default limits again',
  method: 'DELETE',
  path: '/quotas/{project_id}',
  status: 204,
});
