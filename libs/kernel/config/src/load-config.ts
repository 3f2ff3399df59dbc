import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { ErrorObject } from 'ajv';
import type { Static, TObject, TSchema } from 'typebox';
import { parse } from 'yaml';

/** Where settings come from; the later ones win: file, environment, overrides. */
export interface ConfigSources {
  /** A YAML or JSON file. */
  readonly file?: string | undefined;
  /** The part of the file (and of the environment's names) that is this app's: `nova-api`. */
  readonly section?: string | undefined;
  /** Variables `NESTACK__<key>__<key>=value`, with a section `NESTACK__<section>__…` too; default: none. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly overrides?: unknown;
}

/** The configuration cannot be used; the message names each key that is wrong and what is allowed there. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

const PREFIX = 'NESTACK__';

type Json = Record<string, unknown>;

/** Reads, merges and checks settings; defaults are filled in, unknown keys are errors. Throws `ConfigError`. */
export function loadConfig<S extends TObject>(schema: S, sources: ConfigSources): Static<S> {
  const settings: Json = {};
  merge(settings, readSection(sources));
  for (const [path, text] of environment(sources)) setAt(settings, path, valueOf(schema, path, text));
  if (isObject(sources.overrides)) merge(settings, sources.overrides);
  const ajv = new Ajv2020({ useDefaults: true, allErrors: true, strict: false, verbose: true, validateFormats: false });
  const validate = ajv.compile(closed(schema));
  if (!validate(settings)) {
    const where = sources.file === undefined ? 'configuration' : sources.file;
    const problems = [...new Set((validate.errors ?? []).map(describe))];
    throw new ConfigError(`${where}: ${problems.join('; ')}`);
  }
  return settings as Static<S>;
}

function readSection(sources: ConfigSources): Json {
  if (sources.file === undefined) return {};
  let content: unknown;
  try {
    content = parse(readFileSync(sources.file, 'utf8'));
  } catch (error) {
    throw new ConfigError(`${sources.file}: ${error instanceof Error ? error.message : String(error)}`);
  }
  const part = sources.section === undefined || !isObject(content) ? content : content[sources.section];
  if (part === null || part === undefined) {
    if (sources.section === undefined) return {};
    throw new ConfigError(`${sources.file} has no section ${sources.section}`);
  }
  if (!isObject(part)) throw new ConfigError(`${sources.file}: settings must be a mapping of keys to values`);
  return structuredClone(part);
}

function environment(sources: ConfigSources): [string[], string][] {
  const found: [string[], string][] = [];
  for (const [name, value] of Object.entries(sources.env ?? {})) {
    if (value === undefined || !name.startsWith(PREFIX)) continue;
    const path = name.slice(PREFIX.length).split('__');
    if (sources.section === undefined) found.push([path, value]);
    else if (path[0] === sources.section && path.length > 1) found.push([path.slice(1), value]);
  }
  return found;
}

/** A variable's text as what the schema wants at that place. */
function valueOf(schema: TSchema, path: readonly string[], text: string): unknown {
  let at: unknown = schema;
  for (const key of path) at = isObject(at) && isObject(at['properties']) ? at['properties'][key] : undefined;
  const type = isObject(at) ? at['type'] : undefined;
  if (type === 'string') return text;
  try {
    return parse(text);
  } catch {
    // Not YAML: the text itself, which validation then judges.
    return text;
  }
}

function setAt(target: Json, path: readonly string[], value: unknown): void {
  const [key, ...rest] = path;
  if (key === undefined) return;
  if (rest.length === 0) {
    target[key] = value;
    return;
  }
  const next = target[key];
  const inner = isObject(next) ? next : {};
  target[key] = inner;
  setAt(inner, rest, value);
}

function merge(target: Json, source: Json): void {
  for (const [key, value] of Object.entries(source)) {
    const existing = target[key];
    if (isObject(existing) && isObject(value)) merge(existing, value);
    else if (value !== undefined) target[key] = isObject(value) ? structuredClone(value) : value;
  }
}

/** The schema with every object of named properties closed, so that a misspelt key is an error. */
function closed(schema: unknown): Json {
  if (Array.isArray(schema)) return schema.map(closed) as unknown as Json;
  if (!isObject(schema)) return schema as unknown as Json;
  const copy: Json = {};
  for (const [key, value] of Object.entries(schema)) {
    copy[key] =
      key === 'properties' && isObject(value)
        ? Object.fromEntries(Object.entries(value).map(([name, one]) => [name, closed(one)]))
        : typeof value === 'object' && key !== 'default' && key !== 'enum' && key !== 'const'
          ? closed(value)
          : value;
  }
  if (isObject(schema['properties']) && schema['additionalProperties'] === undefined && schema['patternProperties'] === undefined)
    copy['additionalProperties'] = false;
  return copy;
}

function describe(error: ErrorObject): string {
  const at = error.instancePath.slice(1).replaceAll('/', '.');
  const key = (name: string): string => (at === '' ? name : `${at}.${name}`);
  const params = error.params as Record<string, unknown>;
  switch (error.keyword) {
    case 'additionalProperties': {
      const parent: unknown = error.parentSchema;
      const allowed = isObject(parent) && isObject(parent['properties']) ? Object.keys(parent['properties']) : [];
      return `unknown key ${key(String(params['additionalProperty']))} (allowed here: ${allowed.join(', ')})`;
    }
    case 'required':
      return `missing key ${key(String(params['missingProperty']))}`;
    case 'enum':
      return `${at} must be one of ${(params['allowedValues'] as unknown[]).join(', ')}`;
    case 'const':
      return `${at} may be ${JSON.stringify(params['allowedValue'])}`;
    default:
      return `${at === '' ? 'settings' : at} ${error.message ?? 'is wrong'}`;
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
