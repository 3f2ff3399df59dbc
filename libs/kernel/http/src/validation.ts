import { isIP } from 'node:net';
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import { DomainError } from '@nestack/kernel/errors';
import { isUuidLike } from '@nestack/kernel/ids';
import type { TSchema } from 'typebox';
import type { Conventions } from './conventions';
import { pyRepr, pyStr } from './python-text';
import { withClosedRecords } from './records';

const DATE_TIME = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?$/i;

let shared: Ajv2020 | null = null;

/** The validator that all schemas share, made at first use: ajv takes milliseconds to load its meta-schemas. */
function ajv(): Ajv2020 {
  if (shared === null) {
    shared = new Ajv2020({
      strict: false,
      allErrors: false,
      verbose: true,
      validateSchema: false,
      addUsedSchema: false,
      formats: {
        uuid: (text: string) => isUuidLike(text),
        'date-time': (text: string) => DATE_TIME.test(text) && !Number.isNaN(Date.parse(text.replace(' ', 'T'))),
        date: /^\d{4}-\d\d-\d\d$/,
        uri: (text: string) => URL.canParse(text),
        url: (text: string) => URL.canParse(text),
        ipv4: (text: string) => isIP(text) === 4,
        ipv6: (text: string) => isIP(text) === 6,
        ip: (text: string) => isIP(text) !== 0,
        cidr: (text: string) => {
          const [address, length, rest] = text.split('/');
          const family = isIP(address ?? '');
          if (family === 0 || rest !== undefined || !/^\d{1,3}$/.test(length ?? '')) return false;
          return Number(length) <= (family === 4 ? 32 : 128);
        },
        // Nova's names: printable, no blanks at the ends. upstream: nova/api/validation/parameter_types.py
        name: /^(?!\p{Zs})[^\p{C}\p{Zl}\p{Zp}]*(?<!\p{Zs})$/u,
        'mac-address': /^([0-9a-f]{2}[:-]){5}[0-9a-f]{2}$/i,
        hostname: /^[a-zA-Z0-9-._]{1,255}$/,
        email: /^[^@\s]+@[^@\s]+$/,
        regex: (text: string) => {
          try {
            return new RegExp(text) instanceof RegExp;
          } catch {
            return false;
          }
        },
        base64: (text: string) => /^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(text),
      },
    });
  }
  return shared;
}

const compiled = new WeakMap<object, ValidateFunction>();

/** The validator of a schema, compiled at first use and kept. */
export function validatorOf(schema: TSchema): ValidateFunction {
  let validate = compiled.get(schema);
  if (validate === undefined) {
    validate = ajv().compile(withClosedRecords(schema) as TSchema);
    compiled.set(schema, validate);
  }
  return validate;
}

export interface ValidationSource {
  readonly part: 'body' | 'query';
  readonly messages: Conventions['messages'];
  readonly status: number | undefined;
}

/** Throws upstream's error when the value does not meet the schema. */
export function validate(schema: TSchema, value: unknown, source: ValidationSource): void {
  const check = validatorOf(schema);
  if (check(value)) return;
  const error = pick(check.errors ?? []);
  throw new DomainError({
    kind: 'badRequest',
    code: source.messages === 'neutron' ? 'HTTPBadRequest' : 'ValidationError',
    message: error === null ? 'Invalid request' : tell(error, source),
    ...(source.status === undefined ? {} : { status: source.status }),
  });
}

/** Of an alternative's many errors the alternative itself comes last; when one branch got deeper, its error says more. */
function pick(errors: readonly ErrorObject[]): ErrorObject | null {
  const last = errors.at(-1);
  if (last === undefined) return null;
  if (last.keyword !== 'anyOf' && last.keyword !== 'oneOf') return last;
  const deeper = errors.filter((one) => one.instancePath.length > last.instancePath.length);
  return deeper.length === 1 && deeper[0] !== undefined ? deeper[0] : last;
}

function tell(error: ErrorObject, source: ValidationSource): string {
  const path = pathOf(error);
  const message = explain(error);
  const name = (source.part === 'query' ? path[0] : path.at(-1)) ?? '';
  switch (source.messages) {
    case 'nova': {
      if (path.length === 0) return message;
      const where = source.part === 'query' ? 'query parameters' : 'field/attribute';
      return `Invalid input for ${where} ${name}. Value: ${pyStr(error.data)}. ${message}`;
    }
    case 'keystone':
      return path.length === 0 ? message : `Invalid input for field '${path.join('/')}': ${message}`;
    case 'glance':
      return source.part === 'query'
        ? `Invalid value for ${name}: ${message}`
        : `Provided object does not match schema 'image': ${message}`;
    case 'placement':
      return source.part === 'query'
        ? `Invalid query string parameters: ${message}`
        : `JSON does not validate: ${message}`;
    case 'neutron':
      if (error.keyword === 'additionalProperties') {
        return `Unrecognized attribute(s) '${String(error.params['additionalProperty'])}'`;
      }
      if (error.keyword === 'required') {
        const missing = String(error.params['missingProperty']);
        return path.length === 0
          ? `Unable to find '${missing}' in request body`
          : `Failed to parse request. Required attribute '${missing}' not specified`;
      }
      return `Invalid input for ${name}. Reason: ${message}.`;
  }
}

function pathOf(error: ErrorObject): string[] {
  return error.instancePath
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** The failure in python-jsonschema's words. */
function explain(error: ErrorObject): string {
  const value = pyRepr(error.data);
  const params = error.params as Record<string, unknown>;
  switch (error.keyword) {
    case 'type': {
      const types = Array.isArray(params['type']) ? params['type'] : [params['type']];
      return `${value} is not of type ${types.map((type) => `'${String(type)}'`).join(', ')}`;
    }
    case 'required':
      return `'${String(params['missingProperty'])}' is a required property`;
    case 'additionalProperties':
    case 'unevaluatedProperties':
      return `Additional properties are not allowed ('${String(params['additionalProperty'] ?? params['unevaluatedProperty'])}' was unexpected)`;
    case 'enum':
      return `${value} is not one of ${pyRepr(params['allowedValues'])}`;
    case 'const':
      return `${pyRepr(params['allowedValue'])} was expected`;
    case 'minLength':
      return params['limit'] === 1 ? `${value} should be non-empty` : `${value} is too short`;
    case 'maxLength':
      return `${value} is too long`;
    case 'minItems':
      return params['limit'] === 1 ? `${value} should be non-empty` : `${value} is too short`;
    case 'maxItems':
      return `${value} is too long`;
    case 'uniqueItems':
      return `${value} has non-unique elements`;
    case 'minimum':
      return `${value} is less than the minimum of ${String(params['limit'])}`;
    case 'maximum':
      return `${value} is greater than the maximum of ${String(params['limit'])}`;
    case 'exclusiveMinimum':
      return `${value} is less than or equal to the minimum of ${String(params['limit'])}`;
    case 'exclusiveMaximum':
      return `${value} is greater than or equal to the maximum of ${String(params['limit'])}`;
    case 'pattern':
      return `${value} does not match ${pyRepr(params['pattern'])}`;
    case 'format':
      if (params['format'] === 'name') {
        return "An invalid 'name' value was provided. The name must be: printable characters. Can not start or end with whitespace.";
      }
      return `${value} is not a ${pyRepr(params['format'])}`;
    case 'minProperties':
      return `${value} does not have enough properties`;
    case 'maxProperties':
      return `${value} has too many properties`;
    case 'anyOf':
      return `${value} is not valid under any of the given schemas`;
    case 'oneOf':
      return Array.isArray(params['passingSchemas'])
        ? `${value} is valid under each of the given schemas`
        : `${value} is not valid under any of the given schemas`;
    case 'not':
      return `${value} is not allowed for the given schema`;
    default:
      return `${value} ${error.message ?? 'is invalid'}`;
  }
}
