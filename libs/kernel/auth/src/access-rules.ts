import type { AccessRule } from './surface';

/**
 * Whether a rule allows the request. In its path `{name}` and `*` stand for one part, `**` for any rest.
 * upstream: keystonemiddleware/auth_token
 */
export function accessAllowed(
  rules: readonly AccessRule[],
  request: { readonly services: readonly string[]; readonly method: string; readonly path: string },
): boolean {
  return rules.some(
    (rule) =>
      request.services.includes(rule.service) &&
      rule.method === request.method &&
      patternOf(rule.path).test(request.path),
  );
}

function patternOf(path: string): RegExp {
  const source = path.replaceAll(/\{[^}]*\}|\*\*|\*|[^{*]+|\{/g, (part) => {
    if (part === '**') return '.*';
    if (part === '*' || (part.startsWith('{') && part.endsWith('}'))) return '[^/]+';
    return part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
  });
  return new RegExp(`^${source}$`, 'u');
}
