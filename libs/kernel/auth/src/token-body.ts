import type { Actor, NamedRef } from '@nestack/kernel/context';
import type { AccessRule, VerifiedToken } from './surface';

/** The token object of keystone's `GET /v3/auth/tokens`, as far as services need it. */
export interface TokenBody {
  readonly user: { readonly id: string; readonly name: string; readonly domain: NamedRef };
  readonly project?: { readonly id: string; readonly name: string; readonly domain: NamedRef };
  readonly domain?: NamedRef;
  readonly system?: { readonly all?: boolean };
  readonly roles?: readonly NamedRef[];
  readonly audit_ids: readonly string[];
  readonly expires_at: string;
  readonly issued_at?: string;
  readonly application_credential?: { readonly access_rules?: readonly AccessRule[] };
}

/** Whom a token speaks for. */
export function actorOf(token: TokenBody): Actor {
  const roles = (token.roles ?? []).map((role) => role.name);
  return {
    userId: token.user.id,
    userName: token.user.name,
    userDomain: { id: token.user.domain.id, name: token.user.domain.name },
    projectId: token.project?.id ?? null,
    projectName: token.project?.name ?? null,
    projectDomain:
      token.project === undefined ? null : { id: token.project.domain.id, name: token.project.domain.name },
    domainId: token.domain?.id ?? null,
    systemScope: token.system?.all === true,
    roles,
    isServiceUser: roles.includes('service'),
  };
}

/** The checked token that keystone's body stands for. */
export function verifiedTokenOf(token: TokenBody): VerifiedToken {
  return {
    actor: actorOf(token),
    expiresAt: new Date(token.expires_at),
    auditIds: token.audit_ids,
    serviceRoles: [],
    ...(token.application_credential?.access_rules === undefined
      ? {}
      : { accessRules: token.application_credential.access_rules }),
  };
}
