import { readFileSync } from 'node:fs';
import { DomainError } from '@nestack/kernel/errors';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { ErrorObject, ValidateFunction } from 'ajv';
import type { Static, TObject } from 'typebox';

export interface ConfigSource {
  /** Values read from a file: an app's section. */
  readonly values?: unknown;
  /** `NESTACK__DATABASE__URL=…`: single underscores belong to names, double ones separate levels. */
  readonly env?: NodeJS.ProcessEnv;
}

const PREFIX = 'NESTACK__';

/**
 * A validated configuration: the file's values under the environment's, defaults filled in. Throws with every key that is
 * unknown, missing or of a wrong type, and what would be right.
 */
export function loadConfig<S extends TObject>(schema: S, source: ConfigSource): Static<S> {
  const merged = structuredClone(source.values ?? {}) as Record<string, unknown>;
  for (const [name, text] of Object.entries(source.env ?? {})) {
    if (!name.startsWith(PREFIX) || text === undefined) continue;
    setAt(merged, name.slice(PREFIX.length).toLowerCase().split('__'), text);
  }
  const validate = validatorOf(schema);
  if (!validate(merged)) {
    const reasons = (validate.errors ?? []).map(explain);
    throw new DomainError({
      kind: 'badRequest',
      code: 'InvalidConfiguration',
      message: `The configuration is not valid:\n  ${reasons.join('\n  ')}`,
    });
  }
  return merged as Static<S>;
}

const compiled = new WeakMap<object, ValidateFunction>();

/** The validator of an app's schema. The schemas are our own: to check them as well takes longer than all the rest of a start. */
function validatorOf(schema: TObject): ValidateFunction {
  let validate = compiled.get(schema);
  if (validate === undefined) {
    const ajv = new Ajv2020({
      useDefaults: true,
      coerceTypes: 'array',
      allErrors: true,
      strict: false,
      // Errors then carry the schema that they come from, which knows the right keys.
      verbose: true,
      validateSchema: false,
      addUsedSchema: false,
    });
    validate = ajv.compile(schema);
    compiled.set(schema, validate);
  }
  return validate;
}

/** The values of a JSON file. */
export function readConfigFile(file: string): Record<string, unknown> {
  const parsed: unknown = JSON.parse(readFileSync(file, 'utf8'));
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw new Error(`${file} does not hold a JSON object`);
  return parsed as Record<string, unknown>;
}

function setAt(target: Record<string, unknown>, path: readonly string[], value: string): void {
  let at = target;
  for (const key of path.slice(0, -1)) {
    const next = at[key];
    if (typeof next !== 'object' || next === null) at[key] = {};
    at = at[key] as Record<string, unknown>;
  }
  const last = path.at(-1);
  if (last !== undefined) at[last] = value;
}

function explain(error: ErrorObject): string {
  const where = error.instancePath === '' ? 'the configuration' : error.instancePath.slice(1).replaceAll('/', '.');
  if (error.keyword === 'additionalProperties') {
    const known = Object.keys((error.parentSchema?.['properties'] as object | undefined) ?? {}).sort();
    return `${where}: unknown key '${String(error.params['additionalProperty'])}'; known are ${known.join(', ')}`;
  }
  if (error.keyword === 'required') return `${where}: '${String(error.params['missingProperty'])}' is missing`;
  return `${where} ${error.message ?? 'is wrong'}`;
}

interface SchemaNode {
  readonly type?: string;
  readonly const?: unknown;
  readonly description?: string;
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: SchemaNode;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly required?: readonly string[];
  readonly anyOf?: readonly SchemaNode[];
}

/** A table of an app's settings in Markdown, from its schema. */
export function configReference(name: string, schema: TObject): string {
  const lines = [`## ${name}`, '', '| setting | type | default | what |', '| --- | --- | --- | --- |'];
  const walk = (node: SchemaNode, prefix: string, whole: boolean): void => {
    for (const [key, child] of Object.entries(node.properties ?? {})) {
      const path = `${prefix}${key}`;
      const required = whole && node.required?.includes(key) === true;
      if (child.properties !== undefined) {
        walk(child, `${path}.`, required);
        continue;
      }
      const fallback =
        child.default === undefined ? (required ? 'required' : '') : `\`${JSON.stringify(child.default)}\``;
      lines.push(`| \`${path}\` | ${typeOf(child)} | ${fallback} | ${child.description ?? ''} |`);
    }
  };
  walk(schema as unknown as SchemaNode, '', true);
  return `${lines.join('\n')}\n`;
}

function typeOf(node: SchemaNode): string {
  if (node.const !== undefined) return `\`${JSON.stringify(node.const)}\``;
  if (node.anyOf !== undefined) return node.anyOf.map(typeOf).join(', ');
  if (node.type === 'array') return `list of ${typeOf(node.items ?? {})}`;
  const { minimum, maximum } = node;
  const range =
    minimum === undefined && maximum === undefined ? '' : ` ${String(minimum ?? '')}…${String(maximum ?? '')}`;
  return `${node.type ?? 'any'}${range}`;
}
