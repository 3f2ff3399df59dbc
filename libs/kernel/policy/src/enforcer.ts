import { readFileSync } from 'node:fs';
import { parse as parseYaml } from 'yaml';
import type { RequestContext } from '@nestack/kernel/context';
import { DomainError } from '@nestack/kernel/errors';
import { BASE_RULES } from './base-rules';
import { compileRules, credentialsOf, type CompiledCheck } from './compiler';
import { PolicySyntaxError } from './parser';
import type { PolicyEnforcer, PolicyRule, PolicyTarget } from './surface';

export interface PolicyOptions {
  /** Rules of a file in YAML or JSON, `name: check`; each replaces the default of its name. */
  readonly file?: string | undefined;
  readonly overrides?: Readonly<Record<string, string>>;
  /** Told of rules in the file that nothing asks for: misspelt, most likely. */
  readonly warn?: (names: readonly string[]) => void;
}

/** An enforcer of a service's rules on top of the common ones. Throws PolicySyntaxError for what it cannot read. */
export function createPolicy(rules: readonly PolicyRule[], options: PolicyOptions = {}): PolicyEnforcer {
  const texts: Record<string, string> = {};
  for (const rule of [...BASE_RULES, ...rules]) texts[rule.name] = rule.check;
  const known = new Set(Object.keys(texts));
  const own = { ...(options.file === undefined ? {} : readPolicyFile(options.file)), ...options.overrides };
  Object.assign(texts, own);
  const idle = Object.keys(own).filter((name) => !known.has(name) && !isReferred(name, Object.values(texts)));
  if (idle.length > 0) options.warn?.(idle);
  return new CompiledPolicy(compileRules(texts));
}

function isReferred(name: string, checks: readonly string[]): boolean {
  return name === 'default' || checks.some((check) => check.split(/[\s()]+/).includes(`rule:${name}`));
}

/** The rules of a policy file. A list of alternatives (oslo's oldest form) is not accepted. */
export function readPolicyFile(path: string): Record<string, string> {
  // YAML is a superset of JSON.
  const content: unknown = parseYaml(readFileSync(path, 'utf8'));
  if (content === null || content === undefined) return {};
  if (typeof content !== 'object' || Array.isArray(content))
    throw new PolicySyntaxError(`${path}: not a mapping of rules`);
  for (const [name, check] of Object.entries(content)) {
    if (typeof check !== 'string') throw new PolicySyntaxError(`${path}: the rule ${name} is not text`);
  }
  return content as Record<string, string>;
}

class CompiledPolicy implements PolicyEnforcer {
  /** Contexts are immutable and asked many times while a list is filtered. */
  readonly #credentials = new WeakMap<RequestContext, ReturnType<typeof credentialsOf>>();

  constructor(private readonly rules: ReadonlyMap<string, CompiledCheck>) {}

  allows(ctx: RequestContext, rule: string, target: PolicyTarget = {}): boolean {
    const check = this.rules.get(rule) ?? this.rules.get('default');
    if (check === undefined) return false;
    let credentials = this.#credentials.get(ctx);
    if (credentials === undefined) {
      credentials = credentialsOf(ctx);
      this.#credentials.set(ctx, credentials);
    }
    return check(credentials, target);
  }

  enforce(ctx: RequestContext, rule: string, target: PolicyTarget = {}): void {
    if (this.allows(ctx, rule, target)) return;
    throw new DomainError({
      kind: 'forbidden',
      code: 'PolicyNotAuthorized',
      args: { action: rule },
      message: `Policy doesn't allow ${rule} to be performed.`,
    });
  }
}
