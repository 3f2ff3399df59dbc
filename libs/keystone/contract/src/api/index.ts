import { defineApi, keystoneEnvelope, type ErrorEnvelope } from '@nestack/kernel/http';
import { KeystoneError } from '../errors';
import { authOperations } from './auth';
import { catalogOperations } from './catalog';
import { domainConfigOperations } from './domain-config';
import { ec2Operations } from './ec2';
import { endpointFilterOperations } from './endpoint-filter';
import { limitOperations } from './limits';
import { oauth1Operations } from './oauth1';
import { policyOperations } from './policies';
import { projectOperations } from './projects';
import { roleOperations } from './roles';
import { trustOperations } from './trusts';
import { userOperations } from './users';
import { keystoneDocuments } from './versions';

export * from './auth';
export * from './catalog';
export * from './domain-config';
export * from './ec2';
export * from './endpoint-filter';
export * from './limits';
export * from './oauth1';
export * from './policies';
export * from './projects';
export * from './roles';
export * from './trusts';
export * from './users';

/** Keystone tells a policy's refusal in its own words. upstream: keystone/exception.py ForbiddenAction */
const envelope: ErrorEnvelope = (error, status, requestId, request) => {
  const answer = keystoneEnvelope(error, status, requestId, request);
  if (error.code !== 'PolicyNotAuthorized') return answer;
  const message = `You are not authorized to perform the requested action: ${String(error.args['action'])}.`;
  return { ...answer, body: { error: { code: status, message, title: 'Forbidden' } } };
};

/** Keystone's REST API. */
export const keystoneApi = defineApi({
  service: 'keystone',
  type: 'identity',
  title: 'Identity API',
  prefixes: ['/v3'],
  envelope,
  errors: KeystoneError.declarations,
  operations: [
    ...authOperations,
    ...userOperations,
    ...projectOperations,
    ...roleOperations,
    ...catalogOperations,
    ...trustOperations,
    ...domainConfigOperations,
    ...ec2Operations,
    ...limitOperations,
    ...policyOperations,
    ...endpointFilterOperations,
    ...oauth1Operations,
  ],
  documents: keystoneDocuments,
});
