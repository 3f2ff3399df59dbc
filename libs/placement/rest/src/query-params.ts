import { isUuidLike } from '@nestack/kernel/ids';
import type { ApiVersion } from '@nestack/kernel/http';
import { PlacementError } from '@nestack/placement/contract';
import { dashed } from '@nestack/placement/domain';

const bad = (reason: string): Error => PlacementError.BadQuery({ reason });

/** `VCPU:2,MEMORY_MB:512`. Throws 400 with upstream's texts. upstream: placement/util.py */
export function resourcesOf(text: string): Record<string, number> {
  const badly = (got: string): Error =>
    bad(
      `Badly formed resources parameter. Expected resources query string parameter in form: ?resources=VCPU:2,MEMORY_MB:1024. Got: ${got}.`,
    );
  if (text.trim() === '') throw badly('empty string');
  const resources: Record<string, number> = {};
  for (const part of text.split(',')) {
    const [name, amount, more] = part.split(':');
    if (name === undefined || amount === undefined || more !== undefined) throw badly(part);
    if (!/^\s*[+-]?\d{1,15}\s*$/.test(amount))
      throw bad(`Requested resource ${name} expected positive integer amount. Got: ${amount}.`);
    if (Number(amount) < 1)
      throw bad(`Requested resource ${name} requires amount >= 1. Got: ${String(Number(amount))}.`);
    resources[name] = Number(amount);
  }
  return resources;
}

export interface TraitsWanted {
  readonly required: readonly (readonly string[])[];
  readonly forbidden: readonly string[];
}

/** All `required` parameters: `A,!B`, and since 1.39 several and `in:A,B`. */
export function traitsOf(values: readonly string[], version: ApiVersion): TraitsWanted {
  const any = version.atLeast('1.39');
  const required: string[][] = [];
  const forbidden = new Set<string>();
  for (const value of any ? values : values.slice(-1)) {
    const parsed = traitsOfOne(value, { forbidden: version.atLeast('1.22'), any });
    required.push(...parsed.required.map((one) => [...one]));
    for (const trait of parsed.forbidden) forbidden.add(trait);
  }
  return { required, forbidden: [...forbidden] };
}

/** One value of the form `A,!B` or `in:A,B`. */
export function traitsOfOne(
  value: string,
  allow: { readonly forbidden: boolean; readonly any: boolean },
): TraitsWanted {
  const invalid = (text: string): Error => bad(`Invalid query string parameters: ${text}`);
  if (value.startsWith('in:')) {
    if (!allow.any) {
      throw invalid(
        `The format 'in:HW_CPU_X86_VMX,CUSTOM_MAGIC' only supported since microversion 1.39. Got: ${value}`,
      );
    }
    const traits = value
      .slice(3)
      .split(',')
      .map((one) => one.trim());
    if (traits.includes('')) {
      throw invalid(
        `Expected 'required' parameter value of the form: in:HW_CPU_X86_VMX,CUSTOM_MAGIC. Got an empty trait in: ${value}`,
      );
    }
    if (traits.some((one) => one.startsWith('!')))
      throw invalid(`The format 'in:HW_CPU_X86_VMX,CUSTOM_MAGIC' does not support forbidden traits. Got: ${value}`);
    return { required: [traits], forbidden: [] };
  }
  const traits = value.split(',').map((one) => one.trim());
  const forbidden = traits.filter((one) => one.startsWith('!')).map((one) => one.replace(/^!+/, ''));
  const form = allow.forbidden ? 'HW_CPU_X86_VMX,!CUSTOM_MAGIC' : 'HW_CPU_X86_VMX,CUSTOM_MAGIC';
  if (traits.includes('') || forbidden.includes(''))
    throw invalid(`Expected 'required' parameter value of the form: ${form}. Got an empty trait in: ${value}`);
  if (forbidden.length > 0 && !allow.forbidden)
    throw invalid(`Expected 'required' parameter value of the form: HW_CPU_X86_VMX,CUSTOM_MAGIC. Got: ${value}`);
  return { required: traits.filter((one) => !one.startsWith('!')).map((one) => [one]), forbidden };
}

export interface AggregatesWanted {
  readonly memberOf: readonly (readonly string[])[];
  readonly forbiddenAggregates: readonly string[];
}

/** All `member_of` parameters of a group: an aggregate, `in:A,B`, and since 1.32 `!A` and `!in:A,B`. */
export function aggregatesOf(values: readonly string[], version: ApiVersion, suffix = ''): AggregatesWanted {
  if (values.length > 1 && !version.atLeast('1.24'))
    throw bad(`Multiple member_of${suffix} parameters are not supported`);
  const memberOf: string[][] = [];
  const forbiddenAggregates: string[] = [];
  for (const value of values) {
    const match = /^(!?)(in:)?(.*)$/s.exec(value);
    const list = match?.[3] ?? '';
    const forbidden = match?.[1] === '!';
    if (match?.[2] === undefined && list.includes(',')) {
      throw bad(
        `Multiple values for 'member_of' must be prefixed with the 'in:' or '!in:' keyword using the valid microversion. Got: ${value}`,
      );
    }
    const uuids = list.split(',');
    const wrong = uuids.find((uuid) => !isUuidLike(uuid));
    if (wrong !== undefined) {
      throw bad(
        `Invalid query string parameters: Expected 'member_of' parameter to contain valid UUID(s). Got: ${wrong}`,
      );
    }
    if (forbidden && !version.atLeast('1.32')) {
      throw bad(`Forbidden member_of${suffix} parameters are not supported in the specified microversion`);
    }
    if (forbidden) forbiddenAggregates.push(...uuids);
    else memberOf.push(uuids);
  }
  return { memberOf, forbiddenAggregates };
}

/** A provider of the tree that is meant. */
export function inTreeOf(value: string): string {
  const uuid = value.trim();
  if (!isUuidLike(uuid)) {
    throw bad(`Invalid query string parameters: Expected 'in_tree' parameter to be a format of uuid. Got: ${value}`);
  }
  return dashed(uuid);
}
