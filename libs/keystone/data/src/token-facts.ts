import type { Tx } from '@nestack/kernel/context';
import { sql } from '@nestack/kernel/db';
import type { AccessRuleRef, NamedRef, RoleRef, TokenFacts, TokenQuestion } from '@nestack/keystone/domain';
import { ROLES_OF, scopeParams } from './roles-of';

interface Row {
  readonly user_id: string;
  readonly user_name: string;
  readonly user_enabled: boolean;
  readonly password_expires_at: Date | null;
  readonly user_domain: NamedRef & { readonly enabled: boolean };
  readonly target: (NamedRef & { readonly enabled: boolean; readonly is_domain: boolean }) | null;
  readonly target_domain: (NamedRef & { readonly enabled: boolean }) | null;
  readonly credential: {
    readonly id: string;
    readonly name: string;
    readonly project_id: string;
    readonly unrestricted: boolean;
    /** Milliseconds. */
    readonly expires_at: number | null;
    readonly access_rules: AccessRuleRef[] | null;
  } | null;
  readonly roles: RoleRef[];
  readonly revoked: boolean;
}

/**
 * All that decides about one token and all that it says, in one statement: $1 user, $2 and $3 scope, $4 application
 * credential, $5 audit id, $6 moment of issue.
 */
const FACTS = `WITH RECURSIVE ${ROLES_OF}, credential AS (
    SELECT * FROM application_credential WHERE id = $4 AND user_id = $1
  ), allowed AS (
    SELECT unnest(role_ids) AS role_id FROM credential
    UNION SELECT i.implied_role_id FROM implied_role i JOIN allowed ON allowed.role_id = i.prior_role_id
  )
  SELECT u.id AS user_id, u.name AS user_name, u.enabled AS user_enabled, u.password_expires_at,
    jsonb_build_object('id', d.id, 'name', d.name, 'enabled', d.enabled) AS user_domain,
    CASE WHEN t.id IS NOT NULL THEN
      jsonb_build_object('id', t.id, 'name', t.name, 'enabled', t.enabled, 'is_domain', t.is_domain) END AS target,
    CASE WHEN td.id IS NOT NULL THEN
      jsonb_build_object('id', td.id, 'name', td.name, 'enabled', td.enabled) END AS target_domain,
    (SELECT jsonb_build_object('id', c.id, 'name', c.name, 'project_id', c.project_id, 'unrestricted', c.unrestricted,
       'expires_at', floor(extract(epoch FROM c.expires_at) * 1000),
       'access_rules', CASE WHEN c.access_rule_ids IS NOT NULL THEN
         (SELECT COALESCE(jsonb_agg(jsonb_build_object('id', ar.id, 'service', ar.service, 'path', ar.path, 'method', ar.method)
            ORDER BY ar.seq), '[]') FROM access_rule ar WHERE ar.id = ANY (c.access_rule_ids)) END)
       FROM credential c) AS credential,
    (SELECT COALESCE(jsonb_agg(jsonb_build_object('id', r.id, 'name', r.name, 'domain_id', NULL) ORDER BY r.seq), '[]')
       FROM role r JOIN held ON held.role_id = r.id
       WHERE r.domain_id IS NULL AND ($4::text IS NULL OR r.id IN (SELECT role_id FROM allowed))) AS roles,
    EXISTS (SELECT 1 FROM revocation v
       WHERE (v.key, v.kind) IN (($5, 'audit'), ($1, 'user'), ($3, 'project'), (d.id, 'domain'), (td.id, 'domain'))
         AND (v.kind = 'audit' OR v.issued_before >= $6)) AS revoked
  FROM local_user u JOIN project d ON d.id = u.domain_id
    LEFT JOIN project t ON t.id = $3
    LEFT JOIN project td ON td.id = COALESCE(t.domain_id, t.id)
  WHERE u.id = $1`;

/** What the tables say about a token, or null when its user is gone. */
export async function tokenFacts(tx: Tx, question: TokenQuestion): Promise<TokenFacts | null> {
  const { userId, scope, appCredId, auditId, issuedAt } = question;
  const [row] = await sql<Row>(tx, FACTS, [userId, ...scopeParams(scope), appCredId, auditId, issuedAt]);
  if (row === undefined) return null;
  const { credential } = row;
  return {
    user: {
      id: row.user_id,
      name: row.user_name,
      enabled: row.user_enabled,
      password_expires_at: row.password_expires_at,
      domain: row.user_domain,
    },
    target: row.target === null || row.target_domain === null ? null : { ...row.target, domain: row.target_domain },
    appCred:
      credential === null
        ? null
        : { ...credential, expires_at: credential.expires_at === null ? null : new Date(credential.expires_at) },
    roles: row.roles,
    revoked: row.revoked,
  };
}
