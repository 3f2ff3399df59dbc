import type { RequestContext } from '@nestack/kernel/context';
import { DomainError } from '@nestack/kernel/errors';
import type { PolicyEnforcer } from '@nestack/kernel/policy';
import type { Group, Project, Role, User } from '@nestack/keystone/domain';

/** What a rule looks at; an attribute that is missing matches nothing. */
export interface Subjects {
  readonly user?: Pick<User, 'id' | 'domain_id'> | null;
  readonly group?: Pick<Group, 'id' | 'domain_id'> | null;
  readonly project?: Pick<Project, 'id' | 'domain_id'> | null;
  readonly domain?: { readonly id: string } | null;
  readonly role?: Pick<Role, 'id' | 'name' | 'domain_id'> | null;
  readonly tokenUser?: string;
  readonly trustor?: string;
  readonly trustee?: string;
  /** The domain that a list is restricted to. */
  readonly domainId?: string | null;
}

/** Asks the policy about a request, with upstream's names for what it is about. */
export class Guard {
  constructor(private readonly policy: PolicyEnforcer) {}

  /** Throws `forbidden`; `rule` is without its `identity:`. */
  enforce(ctx: RequestContext, rule: string, subjects: Subjects = {}): void {
    this.policy.enforce(ctx, `identity:${rule}`, targetOf(subjects));
  }

  /**
   * What a request names, when the rule allows it for that. What is not there is refused as what belongs to others is, but for
   * those who need not own it. upstream: keystone/api/credentials.py _build_target_enforcement
   */
  async found<T>(
    ctx: RequestContext,
    rule: string,
    looking: Promise<T>,
    subjectsOf: (found: T) => Subjects,
  ): Promise<T> {
    let found: T;
    try {
      found = await looking;
    } catch (error) {
      if (error instanceof DomainError && error.kind === 'notFound') this.enforce(ctx, rule);
      throw error;
    }
    this.enforce(ctx, rule, subjectsOf(found));
    return found;
  }

  /** The same as a question. */
  allows(ctx: RequestContext, rule: string, subjects: Subjects = {}): boolean {
    return this.policy.allows(ctx, `identity:${rule}`, targetOf(subjects));
  }
}

function targetOf(subjects: Subjects): Record<string, string> {
  const { user, group, project, domain, role, tokenUser, trustor, trustee, domainId } = subjects;
  const pairs: readonly (readonly [string, string | null | undefined])[] = [
    ['target.user.id', user?.id],
    ['user_id', user?.id],
    ['target.user.domain_id', user?.domain_id],
    ['target.group.id', group?.id],
    ['target.group.domain_id', group?.domain_id],
    ['target.project.id', project?.id],
    ['target.project.domain_id', project?.domain_id],
    ['target.domain.id', domain?.id],
    ['target.role.id', role?.id],
    ['target.role.name', role?.name],
    ['target.token.user_id', tokenUser],
    ['target.trust.trustor_user_id', trustor],
    ['target.trust.trustee_user_id', trustee],
    ['target.domain_id', domainId],
  ];
  return Object.fromEntries(pairs.filter((pair): pair is [string, string] => typeof pair[1] === 'string'));
}
