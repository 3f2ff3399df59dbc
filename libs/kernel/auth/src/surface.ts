import type { Actor } from '@nestack/kernel/context';

/** A token that was checked. */
export interface VerifiedToken {
  readonly actor: Actor;
  readonly expiresAt: Date;
  readonly auditIds: readonly string[];
  /** Roles of the X-Service-Token when one came along. */
  readonly serviceRoles: readonly string[];
  /** The requests that the token is good for, when its application credential names some; absent for all. */
  readonly accessRules?: readonly AccessRule[];
}

/** A request that an application credential allows. */
export interface AccessRule {
  /** Type of the service in the catalogue. */
  readonly service: string;
  readonly path: string;
  readonly method: string;
}

/**
 * Authenticates a request's tokens. The signature and the expiry are verified locally (ES256 public keys, reread when an
 * unknown kid comes); roles and names come from a bounded cache, filled from keystone's GET /v3/auth/tokens; revocation
 * messages (fanout exchange `keystone.revocations`) purge it within a second. Keystone itself implements this on its own tables.
 */
export interface Authenticator {
  /** Throws `unauthenticated` (401 with `WWW-Authenticate: Keystone uri="…"`). */
  authenticate(token: string, serviceToken: string | null): Promise<VerifiedToken>;
  /** Keystone's URL for clients, told in `WWW-Authenticate`; the requested host's own when absent (keystone). */
  readonly authUri?: string;
}

/** Nest injection token of `Authenticator`. */
export const AUTHENTICATOR = Symbol('Authenticator');

/** What keystone announces by fanout when tokens stop being valid. Null fields match everything. */
export interface RevocationEvent {
  readonly auditId: string | null;
  readonly userId: string | null;
  readonly projectId: string | null;
  readonly domainId: string | null;
  readonly roleId: string | null;
  /** Tokens issued before this moment (ISO 8601) are dead. */
  readonly issuedBefore: string;
}

/** Claims of a JWS token: keystone's own names. */
export interface TokenClaims {
  readonly sub: string;
  readonly iat: number;
  readonly exp: number;
  readonly openstack_methods: readonly string[];
  readonly openstack_audit_ids: readonly string[];
  readonly openstack_project_id?: string;
  readonly openstack_domain_id?: string;
  readonly openstack_system?: string;
}
