type Comparison = (value: string, wanted: string, words: readonly string[]) => boolean;

const COMPARISONS: Readonly<Record<string, Comparison>> = {
  '=': (value, wanted) => Number(value) >= Number(wanted),
  '==': (value, wanted) => Number(value) === Number(wanted),
  '!=': (value, wanted) => Number(value) !== Number(wanted),
  '>=': (value, wanted) => Number(value) >= Number(wanted),
  '<=': (value, wanted) => Number(value) <= Number(wanted),
  's==': (value, wanted) => value === wanted,
  's!=': (value, wanted) => value !== wanted,
  's<': (value, wanted) => value < wanted,
  's<=': (value, wanted) => value <= wanted,
  's>': (value, wanted) => value > wanted,
  's>=': (value, wanted) => value >= wanted,
  '<in>': (value, wanted) => value.includes(wanted),
  '<all-in>': (value, _wanted, words) => words.every((word) => value.includes(word)),
  '<or>': (value, _wanted, words) => words.some((word, index) => index % 2 === 0 && word === value),
};

/**
 * Whether a host's value meets an extra spec: equal, or compared by the operator before it (`>= 4`, `s== x`,
 * `<in> avx`, `<or> a <or> b`). `=` means at least, for old flavors. upstream: nova/scheduler/filters/extra_specs_ops.py
 */
export function matchesExtraSpec(value: string, spec: string): boolean {
  const [operator = '', ...words] = spec.split(/\s+/).filter((word) => word !== '');
  const compare = Object.hasOwn(COMPARISONS, operator) ? COMPARISONS[operator] : undefined;
  if (compare === undefined) return value === spec;
  const [wanted] = words;
  return wanted !== undefined && compare(value, wanted, words);
}
