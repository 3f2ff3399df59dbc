/** The tree of a check in oslo.policy's language. */
export type Check =
  | { readonly op: 'true' }
  | { readonly op: 'false' }
  | { readonly op: 'not'; readonly check: Check }
  | { readonly op: 'and' | 'or'; readonly checks: readonly Check[] }
  /** `kind:match`: `role:admin`, `rule:x`, `project_id:%(project_id)s`, `'literal':%(attr)s`. */
  | { readonly op: 'match'; readonly kind: string; readonly match: string };

/** A rule that cannot be read. */
export class PolicySyntaxError extends Error {
  override readonly name = 'PolicySyntaxError';
}

type Token = { readonly type: '(' | ')' | 'and' | 'or' | 'not' } | { readonly type: 'check'; readonly check: Check };

/**
 * Reads one check. `not` binds closest, then `and`, then `or`; the empty text and `@` always hold, `!` never.
 * Keywords are of any case. Throws PolicySyntaxError.
 */
export function parseCheck(text: string): Check {
  if (text.trim() === '') return { op: 'true' };
  const tokens = tokenize(text);
  let at = 0;
  const fail = (): never => {
    throw new PolicySyntaxError(`cannot read the policy check: ${text}`);
  };
  const or = (): Check => {
    const checks = [and()];
    while (tokens[at]?.type === 'or') {
      at += 1;
      checks.push(and());
    }
    return single('or', checks);
  };
  const and = (): Check => {
    const checks = [not()];
    while (tokens[at]?.type === 'and') {
      at += 1;
      checks.push(not());
    }
    return single('and', checks);
  };
  const not = (): Check => {
    if (tokens[at]?.type !== 'not') return primary();
    at += 1;
    return { op: 'not', check: not() };
  };
  const primary = (): Check => {
    const token = tokens[at];
    at += 1;
    if (token?.type === 'check') return token.check;
    if (token?.type !== '(') return fail();
    const inner = or();
    if (tokens[at]?.type !== ')') return fail();
    at += 1;
    return inner;
  };
  const check = or();
  return at === tokens.length ? check : fail();
}

function single(op: 'and' | 'or', checks: readonly Check[]): Check {
  return checks.length === 1 && checks[0] !== undefined ? checks[0] : { op, checks };
}

function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  for (const word of text.trim().split(/\s+/)) {
    // Parentheses stick to words: `(role:a`, `%(x)s)`. A word's own ones belong to `%(…)s`.
    let rest = word;
    while (rest.startsWith('(')) {
      tokens.push({ type: '(' });
      rest = rest.slice(1);
    }
    let closing = 0;
    while (rest.endsWith(')')) {
      closing += 1;
      rest = rest.slice(0, -1);
    }
    if (rest !== '') {
      const keyword = rest.toLowerCase();
      if (keyword === 'and' || keyword === 'or' || keyword === 'not') tokens.push({ type: keyword });
      else tokens.push({ type: 'check', check: leaf(rest, text) });
    }
    for (let index = 0; index < closing; index += 1) tokens.push({ type: ')' });
  }
  return tokens;
}

function leaf(word: string, text: string): Check {
  if (word === '@') return { op: 'true' };
  if (word === '!') return { op: 'false' };
  const colon = separator(word);
  if (colon < 1) throw new PolicySyntaxError(`cannot read "${word}" in the policy check: ${text}`);
  return { op: 'match', kind: word.slice(0, colon), match: word.slice(colon + 1) };
}

/** The colon between kind and match: the first, or behind the closing quote of a literal that may hold colons itself. */
function separator(word: string): number {
  const quote = word[0];
  if (quote !== "'" && quote !== '"') return word.indexOf(':');
  const end = word.indexOf(quote, 1);
  return end === -1 ? -1 : word.indexOf(':', end);
}
