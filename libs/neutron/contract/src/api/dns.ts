import Type from 'typebox';
import { invalid, quoted, text, type Kind } from './kinds';

const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

function problem(name: string): string | null {
  const trimmed = name.endsWith('.') ? name.slice(0, -1) : name;
  if (trimmed.length > 255) return `'${name}' exceeds the 255 character FQDN limit`;
  if (trimmed.split('.').some((label) => !LABEL.test(label)))
    return `'${name}' not a valid PQDN or FQDN. Reason: Name '${name}' must be 1-63 characters long, each of which can only be alphanumeric or a hyphen`;
  return null;
}

function lower(value: unknown, name: string): string {
  if (typeof value !== 'string') return invalid(name, `'${quoted(value)}' is not a valid string`);
  return text(255).parse(value, name).toLowerCase();
}

/** A host name, perhaps with its domain; empty for none. Lower case. */
export const dnsName: Kind<string, ReturnType<typeof Type.String>> = {
  schema: Type.String(),
  parse: (value, name) => {
    const word = lower(value, name);
    const found = word === '' ? null : problem(word);
    return found === null ? word : invalid(name, found);
  },
};

/** A domain; it ends with a dot. */
export const dnsDomain: Kind<string, ReturnType<typeof Type.String>> = {
  schema: Type.String(),
  parse: (value, name) => {
    const word = lower(value, name);
    if (word === '') return word;
    if (!word.endsWith('.')) return invalid(name, `'${word}' is not a FQDN`);
    const found = problem(word);
    return found === null ? word : invalid(name, found);
  },
};
