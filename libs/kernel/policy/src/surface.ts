import type { RequestContext } from '@nestack/kernel/context';

/** One rule of a service, in oslo.policy's language. */
export interface PolicyRule {
  /** `os_compute_api:servers:create`. */
  readonly name: string;
  /** `rule:project_member_or_admin`, `role:admin and system_scope:all`, `project_id:%(project_id)s`, `@`, `!`. */
  readonly check: string;
  readonly description?: string;
}

/** Attributes of what is acted upon; `project_id`, `user_id` … */
export type PolicyTarget = Readonly<Record<string, unknown>>;

/** Injected under `POLICY`. A file given by configuration (YAML or JSON) overrides single rules. */
export interface PolicyEnforcer {
  allows(ctx: RequestContext, rule: string, target?: PolicyTarget): boolean;
  /** Throws `PolicyNotAuthorized` (forbidden): "Policy doesn't allow RULE to be performed." */
  enforce(ctx: RequestContext, rule: string, target?: PolicyTarget): void;
}

/** Nest injection token of `PolicyEnforcer`. */
export const POLICY = Symbol('Policy');
