import type { Revocation } from './model';

/** A revocation of everything issued up to a moment that matches the given fields. */
export function revocation(now: Date, fields: Partial<Omit<Revocation, 'issuedBefore'>>): Revocation {
  return {
    auditId: null,
    userId: null,
    projectId: null,
    domainId: null,
    roleId: null,
    ...fields,
    issuedBefore: now.toISOString(),
  };
}
