import { Ajv2020 } from 'ajv/dist/2020.js';
import type { ErrorObject, ValidateFunction } from 'ajv';
import type { TSchema } from 'typebox';

let shared: Ajv2020 | null = null;
const compiled = new WeakMap<object, ValidateFunction>();

/** The validator of a schema: one for the whole process, compiled at its first message. */
export function validatorOf(schema: TSchema): ValidateFunction {
  let validate = compiled.get(schema);
  if (validate === undefined) {
    shared ??= new Ajv2020({ strict: false, validateFormats: false, validateSchema: false, addUsedSchema: false });
    validate = shared.compile(schema as object);
    compiled.set(schema, validate);
  }
  return validate;
}

/** What is wrong, in words. */
export function errorsText(errors: readonly ErrorObject[] | null | undefined): string {
  return (errors ?? []).map((error) => `data${error.instancePath} ${error.message ?? ''}`).join(', ');
}
