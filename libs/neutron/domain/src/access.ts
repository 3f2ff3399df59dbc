import type { RequestContext, Tx } from '@nestack/kernel/context';
import { DomainError, type ErrorArgs } from '@nestack/kernel/errors';
import { NeutronError, type QuotaResource } from '@nestack/neutron/contract';
import type { ListQuery, Viewer } from './model';
import type { ResourceRepository, RowLock } from './ports';
import type { NetworkPolicy, NeutronParts } from './parts';

/** Whether the caller sees and does everything: an administrator. */
export function isAdmin(ctx: RequestContext, policy: NetworkPolicy): boolean {
  return policy.allows(ctx, 'context_is_admin');
}

/** Who the caller is to repositories. Other services see what administrators see. */
export function viewerOf(ctx: RequestContext, policy: NetworkPolicy): Viewer {
  return {
    projectId: ctx.actor?.projectId ?? null,
    all: isAdmin(ctx, policy) || policy.allows(ctx, 'service_api'),
  };
}

/** Whose a new resource will be. Others than the caller's own project are for administrators and services. */
export function ownerOf(ctx: RequestContext, policy: NetworkPolicy, asked: string | undefined): string {
  const own = ctx.actor?.projectId ?? '';
  if (asked === undefined || asked === own) return own;
  if (viewerOf(ctx, policy).all) return asked;
  throw NeutronError.HTTPBadRequest({
    reason:
      "Specifying 'project_id' or 'tenant_id' other than the authenticated project in request requires admin privileges",
  });
}

/** The attributes of a resource that policy rules look at, with those of the resource that it belongs to. */
export type Target = Readonly<Record<string, unknown>>;

/** Throws 403 when the caller may not do this to what he sees. upstream: neutron/pecan_wsgi/hooks/policy_enforcement.py */
export function mustAllow(ctx: RequestContext, policy: NetworkPolicy, rule: string, target: Target): void {
  if (policy.allows(ctx, rule, target)) return;
  throw new DomainError({
    kind: 'forbidden',
    code: 'PolicyNotAuthorized',
    args: { action: rule },
    message: `rule:${rule} is disallowed by policy`,
  });
}

/**
 * Checks the rules of single attributes: of those that were given and have one (`create_network:shared`).
 * `defaults` are values that everybody may write down, as they change nothing.
 */
export function mustAllowAttributes(
  ctx: RequestContext,
  policy: NetworkPolicy,
  action: string,
  given: Readonly<Record<string, unknown>>,
  ruled: ReadonlySet<string>,
  target: Target,
  defaults: Readonly<Record<string, unknown>> = {},
): void {
  for (const [name, value] of Object.entries(given)) {
    const rule = `${action}:${name}`;
    if (!ruled.has(rule)) continue;
    if (name in defaults && JSON.stringify(defaults[name]) === JSON.stringify(value)) continue;
    mustAllow(ctx, policy, rule, target);
  }
}

/** Refuses a change of another revision than the client thinks it changes. */
export function matchRevision(current: number, expected: number | null): void {
  if (expected !== null && expected !== current)
    throw NeutronError.RevisionNumberConstraintFailed({ expected, current });
}

type NotFound = (args: ErrorArgs) => DomainError;

/** The resource, or upstream's 404 of its kind. */
export async function findOr<T>(
  tx: Tx,
  repository: ResourceRepository<T>,
  id: string,
  viewer: Viewer,
  notFound: NotFound,
  key: string,
  lock?: RowLock,
): Promise<T> {
  const found = await repository.find(tx, id, viewer, lock === undefined ? {} : { lock });
  if (found === null) throw notFound({ [key]: id });
  return found;
}

/** A list in one statement; with a marker in two, since its own values are where the page begins. */
export async function listPage<T>(
  tx: Tx,
  repository: ResourceRepository<T>,
  viewer: Viewer,
  query: ListQuery,
  notFound: NotFound,
  key: string,
): Promise<T[]> {
  const after = query.marker === null ? null : await findOr(tx, repository, query.marker, viewer, notFound, key);
  return repository.list(tx, viewer, query, after);
}

/** Throws 409 `OverQuota` when what this transaction inserted is more than the project may have. */
export async function withinQuota(
  tx: Tx,
  parts: Pick<NeutronParts, 'quotas' | 'settings'>,
  projectId: string,
  resources: readonly QuotaResource[],
): Promise<void> {
  const standing = await parts.quotas.standing(tx, projectId, resources);
  const overs = standing
    .filter(({ resource, used, limit }) => {
      const most = limit ?? parts.settings.quotas[resource];
      return most >= 0 && used > most;
    })
    .map(({ resource }) => `'${resource}'`);
  if (overs.length > 0) throw NeutronError.OverQuota({ overs: `[${overs.join(', ')}]` });
}
