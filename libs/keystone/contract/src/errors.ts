import { defineErrors } from '@nestack/kernel/errors';

const UNAUTHORIZED = 'The request you have made requires authentication.';

/** Keystone's errors. upstream: keystone/exception.py */
export const KeystoneError = defineErrors({
  Unauthorized: { kind: 'unauthenticated', template: UNAUTHORIZED },
  PasswordExpired: {
    kind: 'unauthenticated',
    template: 'The password is expired and needs to be changed for user: {user_id}.',
  },
  AuthMethodNotSupported: {
    kind: 'unauthenticated',
    template: 'Attempted to authenticate with an unsupported method.',
  },
  AppCredScope: {
    kind: 'unauthenticated',
    template: 'Error authenticating with application credential: Application credentials cannot request a scope.',
  },
  ForbiddenAction: { kind: 'forbidden', template: 'You are not authorized to perform the requested action: {action}.' },
  ValidationError: {
    kind: 'badRequest',
    template:
      'Expecting to find {attribute} in {target}. The server could not comply with the request since it is either malformed or otherwise incorrect. The client is assumed to be in error.',
  },
  InvalidInput: { kind: 'badRequest', template: '{reason}' },
  TokenNotFound: { kind: 'notFound', template: 'Failed to validate token' },
  UserNotFound: { kind: 'notFound', template: 'Could not find user: {user_id}.' },
  GroupNotFound: { kind: 'notFound', template: 'Could not find group: {group_id}.' },
  ProjectNotFound: { kind: 'notFound', template: 'Could not find project: {project_id}.' },
  DomainNotFound: { kind: 'notFound', template: 'Could not find domain: {domain_id}.' },
  RoleNotFound: { kind: 'notFound', template: 'Could not find role: {role_id}.' },
  ServiceNotFound: { kind: 'notFound', template: 'Could not find service: {service_id}.' },
  EndpointNotFound: { kind: 'notFound', template: 'Could not find endpoint: {endpoint_id}.' },
  RegionNotFound: { kind: 'notFound', template: 'Could not find region: {region_id}.' },
  CredentialNotFound: { kind: 'notFound', template: 'Could not find credential: {credential_id}.' },
  ApplicationCredentialNotFound: {
    kind: 'notFound',
    template: 'Could not find Application Credential: {application_credential_id}.',
  },
  RoleAssignmentNotFound: {
    kind: 'notFound',
    template:
      'Could not find role assignment with role: {role_id}, user or group: {actor_id}, project, domain, or system: {target_id}.',
  },
  ImpliedRoleNotFound: { kind: 'notFound', template: '{prior_role_id} does not imply {implied_role_id}.' },
  NotInGroup: { kind: 'notFound', template: "User '{user_id}' not found in group '{group_id}'." },
  ProjectTagNotFound: { kind: 'notFound', template: 'Could not find project tag: {project_tag}.' },
  Duplicate: {
    kind: 'conflict',
    template: 'Conflict occurred attempting to store {type} - Duplicate entry found with {what}.',
  },
  Forbidden: { kind: 'forbidden', template: '{reason}' },
  Immutable: {
    kind: 'forbidden',
    template: "Unable to {verb} immutable {type} resource: `{id}. Set resource option 'immutable' to false first.",
  },
  BadTimestamp: {
    kind: 'badRequest',
    template:
      "The 'expires_at' must be in a valid ISO 8601 format. The server could not comply with the request since it is either malformed or otherwise incorrect. The client is assumed to be in error.",
  },
  ExpirationInPast: {
    kind: 'badRequest',
    template:
      "The 'expires_at' must not be before now. The server could not comply with the request since it is either malformed or otherwise incorrect. The client is assumed to be in error.",
  },
  ConsumerNotFound: { kind: 'notFound', template: 'Consumer not found' },
  RequestTokenNotFound: { kind: 'notFound', template: 'Request token not found' },
  AccessTokenNotFound: { kind: 'notFound', template: 'Access token not found' },
  TrustNotFound: { kind: 'notFound', template: 'Could not find trust: {trust_id}.' },
  PolicyNotFound: { kind: 'notFound', template: 'Could not find policy: {policy_id}.' },
  RegisteredLimitNotFound: { kind: 'notFound', template: 'Could not find registered limit for {id}.' },
  LimitNotFound: { kind: 'notFound', template: 'Could not find limit for {id}.' },
  EndpointGroupNotFound: { kind: 'notFound', template: 'Could not find Endpoint Group: {id}.' },
  DomainConfigNotFound: {
    kind: 'notFound',
    template: 'Could not find {what} in domain configuration for domain {domain_id}.',
  },
  AccessRuleNotFound: { kind: 'notFound', template: 'Could not find Access Rule: {access_rule_id}.' },
});
