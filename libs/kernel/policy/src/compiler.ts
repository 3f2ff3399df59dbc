import type { RequestContext } from '@nestack/kernel/context';
import { parseCheck, PolicySyntaxError, type Check } from './parser';
import type { PolicyTarget } from './surface';

/** What a request's credentials look like to a check: oslo.policy's own names. */
export type Credentials = Readonly<Record<string, unknown>>;

export type CompiledCheck = (credentials: Credentials, target: PolicyTarget) => boolean;

/** The caller's credentials. Without an actor nothing matches but `@`. */
export function credentialsOf(ctx: RequestContext): Credentials {
  const actor = ctx.actor;
  if (actor === null) return { roles: [] };
  return {
    roles: actor.roles.map((role) => role.toLowerCase()),
    user_id: actor.userId,
    user_name: actor.userName,
    user_domain_id: actor.userDomain.id,
    project_id: actor.projectId,
    project_name: actor.projectName,
    tenant_id: actor.projectId,
    tenant: actor.projectId,
    project_domain_id: actor.projectDomain?.id ?? null,
    domain_id: actor.domainId,
    system_scope: actor.systemScope ? 'all' : null,
    is_admin: actor.roles.some((role) => role.toLowerCase() === 'admin'),
    // There is no admin project here: as in upstream without one, every project counts.
    is_admin_project: true,
    // What keystone's own rules look at.
    token: { project: { domain: { id: actor.projectDomain?.id ?? null } } },
  };
}

/**
 * Compiles all rules of a service together. `rule:x` of an unknown rule never holds (oslo's behaviour), and a cycle is
 * refused here, not met at run time.
 */
export function compileRules(rules: Readonly<Record<string, string>>): ReadonlyMap<string, CompiledCheck> {
  const parsed = new Map(Object.entries(rules).map(([name, text]) => [name, parseRule(name, text)] as const));
  const compiled = new Map<string, CompiledCheck>();
  const path: string[] = [];
  const resolve = (name: string): CompiledCheck => {
    const done = compiled.get(name);
    if (done !== undefined) return done;
    const check = parsed.get(name);
    if (check === undefined) return () => false;
    if (path.includes(name))
      throw new PolicySyntaxError(`the policy rules go in a circle: ${[...path, name].join(' -> ')}`);
    path.push(name);
    const made = compile(check, resolve);
    path.pop();
    compiled.set(name, made);
    return made;
  };
  for (const name of parsed.keys()) resolve(name);
  return compiled;
}

function parseRule(name: string, text: string): Check {
  try {
    return parseCheck(text);
  } catch (error) {
    if (!(error instanceof PolicySyntaxError)) throw error;
    throw new PolicySyntaxError(`the policy rule ${name}: ${error.message}`);
  }
}

function compile(check: Check, resolve: (name: string) => CompiledCheck): CompiledCheck {
  switch (check.op) {
    case 'true':
      return () => true;
    case 'false':
      return () => false;
    case 'not': {
      const inner = compile(check.check, resolve);
      return (credentials, target) => !inner(credentials, target);
    }
    case 'and': {
      const all = check.checks.map((one) => compile(one, resolve));
      return (credentials, target) => all.every((one) => one(credentials, target));
    }
    case 'or': {
      const any = check.checks.map((one) => compile(one, resolve));
      return (credentials, target) => any.some((one) => one(credentials, target));
    }
    case 'match':
      return leaf(check.kind, check.match, resolve);
  }
}

function leaf(kind: string, match: string, resolve: (name: string) => CompiledCheck): CompiledCheck {
  if (kind === 'rule') return resolve(match);
  const right = template(match);
  if (kind === 'role') {
    return (credentials, target) => {
      const role = right(target);
      return role !== null && (credentials['roles'] as readonly string[]).includes(role.toLowerCase());
    };
  }
  const literal = literalOf(kind);
  if (literal !== undefined) return (_credentials, target) => right(target) === literal;
  const path = kind.split('.');
  return (credentials, target) => {
    const wanted = right(target);
    return wanted !== null && lookup(credentials, path).some((value) => textOf(value) === wanted);
  };
}

const PLACEHOLDER = /%\(([^)]+)\)s/g;

/** The right side with the target's attributes filled in; null when one of them is missing (then nothing matches). */
function template(match: string): (target: PolicyTarget) => string | null {
  if (!match.includes('%(')) return () => match;
  return (target) => {
    let missing = false;
    const text = match.replaceAll(PLACEHOLDER, (_, name: string) => {
      const value = Object.hasOwn(target, name) ? target[name] : lookup(target, name.split('.'))[0];
      if (value === undefined) missing = true;
      return textOf(value);
    });
    return missing ? null : text;
  };
}

/** `'x'`, `True`, `None`, `12`: Python literals on the left compare with the target. */
function literalOf(kind: string): string | undefined {
  const quoted = /^(['"])(.*)\1$/.exec(kind);
  if (quoted !== null) return quoted[2];
  if (kind === 'True' || kind === 'False' || kind === 'None' || /^-?\d+(\.\d+)?$/.test(kind)) return kind;
  return undefined;
}

/** Values at a dotted path; lists on the way are searched through. */
function lookup(from: unknown, path: readonly string[]): unknown[] {
  let found: unknown[] = [from];
  for (const name of path) {
    const next: unknown[] = [];
    for (const item of found.flatMap((one) => (Array.isArray(one) ? (one as unknown[]) : [one]))) {
      if (typeof item === 'object' && item !== null && Object.hasOwn(item, name))
        next.push((item as Record<string, unknown>)[name]);
    }
    found = next;
  }
  return found.flatMap((one) => (Array.isArray(one) ? (one as unknown[]) : [one]));
}

/** As Python's `str`: the text that oslo compares. */
function textOf(value: unknown): string {
  if (value === null || value === undefined) return 'None';
  if (value === true) return 'True';
  if (value === false) return 'False';
  return typeof value === 'object' ? JSON.stringify(value) : String(value as string | number | bigint);
}
