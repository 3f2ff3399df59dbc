import { DomainError } from '@nestack/kernel/errors';
import type { ApiVersion, MicroversionRange, Operation, Versioned } from './operation';
import type { TSchema } from 'typebox';

const FORMAT = /^([1-9]\d*)\.([1-9]\d*|0)$/;

/** The version of APIs that have no microversions: at least every version. */
export const NO_VERSION: ApiVersion = { major: 0, minor: 0, text: '', atLeast: () => true };

/** `2.79` as a comparable version. Throws `bug` on another form: for versions that are written in code. */
export function apiVersion(text: string): ApiVersion {
  const parsed = parse(text);
  if (parsed === null) throw new Error(`not a microversion: ${text}`);
  return parsed;
}

/** Versions that were asked for; clients choose among few. */
const known = new Map<string, ApiVersion>();
const KNOWN_LIMIT = 1000;

function parse(text: string): ApiVersion | null {
  const found = known.get(text);
  if (found !== undefined) return found;
  const match = FORMAT.exec(text);
  if (match === null) return null;
  const major = Number(match[1]);
  const minor = Number(match[2]);
  // Views of long lists ask the same for every row.
  const answers = new Map<string, boolean>();
  const atLeast = (other: string): boolean => {
    let answer = answers.get(other);
    if (answer === undefined) {
      const [m, n] = split(other);
      answer = major > m || (major === m && minor >= n);
      answers.set(other, answer);
    }
    return answer;
  };
  const version = { major, minor, text, atLeast };
  if (known.size >= KNOWN_LIMIT) known.clear();
  known.set(text, version);
  return version;
}

function split(text: string): readonly [number, number] {
  const dot = text.indexOf('.');
  return [Number(text.slice(0, dot)), Number(text.slice(dot + 1))];
}

/** Whether the text asks for this service: several services may share one comma separated header. */
function wanted(header: string | undefined, service: string): string | null {
  if (header === undefined) return null;
  let found: string | null = null;
  for (const part of header.split(',')) {
    const [name, version] = part.trim().split(/\s+/, 2);
    if (name?.toLowerCase() === service && version !== undefined) found = version;
  }
  return found;
}

/**
 * The version that a request asks for: the standard header, then the service's older one, else the default.
 * Throws 400 for a malformed and 406 for an unsupported version, with upstream's texts.
 */
export function negotiate(range: MicroversionRange, headers: Readonly<Record<string, string | undefined>>): ApiVersion {
  const legacy = range.legacyHeader === undefined ? undefined : headers[range.legacyHeader.toLowerCase()];
  const text = wanted(headers['openstack-api-version'], range.service) ?? (legacy?.trim() || null);
  if (text === null) return apiVersion(range.default ?? range.min);
  if (text.toLowerCase() === 'latest') return apiVersion(range.max);
  const placement = range.service === 'placement';
  const version = parse(text);
  if (version === null) {
    throw new DomainError({
      kind: 'badRequest',
      code: 'InvalidAPIVersionString',
      args: { version: text },
      message: placement
        ? `invalid version string: ${text}`
        : `API Version String ${text} is of invalid format. Must be of format MajorNum.MinorNum.`,
    });
  }
  if (!version.atLeast(range.min) || !apiVersion(range.max).atLeast(text)) {
    throw new DomainError({
      kind: 'notAcceptable',
      code: 'InvalidGlobalAPIVersion',
      args: { min_version: range.min, max_version: range.max },
      message: placement
        ? `Unacceptable version header: ${text}`
        : `Version ${text} is not supported by the API. Minimum is ${range.min} and maximum is ${range.max}.`,
    });
  }
  return version;
}

/** The headers that tell which version answered. */
export function versionHeaders(range: MicroversionRange, version: ApiVersion): Record<string, string> {
  const standard = 'OpenStack-API-Version';
  if (range.legacyHeader === undefined) {
    return { [standard]: `${range.service} ${version.text}`, Vary: standard };
  }
  return {
    [standard]: `${range.service} ${version.text}`,
    [range.legacyHeader]: version.text,
    Vary: `${standard}, ${range.legacyHeader}`,
  };
}

/** Whether the operation exists in a version. */
export function existsIn(operation: Operation, version: ApiVersion): boolean {
  if (version === NO_VERSION) return true;
  if (operation.minVersion !== undefined && !version.atLeast(operation.minVersion)) return false;
  return operation.maxVersion === undefined || apiVersion(operation.maxVersion).atLeast(version.text);
}

/** The schema that holds for a version, or null when there is none yet. */
export function schemaFor(versioned: Versioned | undefined, version: ApiVersion): TSchema | null {
  if (versioned === undefined) return null;
  if (!Array.isArray(versioned)) return versioned as TSchema;
  let found: TSchema | null = null;
  for (const row of versioned as readonly { since: string; schema: TSchema }[]) {
    if (version === NO_VERSION || version.atLeast(row.since)) found = row.schema;
  }
  return found;
}
