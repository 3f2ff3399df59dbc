import { invalidToken } from '@nestack/kernel/auth';
import type { Claims, TokenCodec } from '@nestack/keystone/domain';
import { open, seal } from './fernet';
import type { FernetKeys } from './fernet-keys';
import { pack, packFloat, unpack, type Packed } from './msgpack';

/** Numbers of upstream's payload forms. upstream: keystone/token/token_formatters.py */
const FORM = { unscoped: 0, domain: 1, project: 2, trust: 3, oauth1: 7, system: 8, appCred: 9 } as const;
/** Each has its bit, in this order. upstream: [auth] methods */
const METHODS = ['external', 'password', 'token', 'oauth1', 'mapped', 'application_credential'];

/** Tokens as Fernet: short, and readable for keystone alone. */
export class FernetCodec implements TokenCodec {
  constructor(private readonly keys: FernetKeys) {}

  async sign(claims: Claims): Promise<string> {
    const [key] = await this.keys.all();
    if (key === undefined) throw new Error(`no key in ${this.keys.directory}`);
    return seal(key, payloadOf(claims), Math.floor(claims.iat));
  }

  async verify(token: string, options: { readonly allowExpired: boolean }): Promise<Claims> {
    const claims = this.#read(await this.keys.all(), token);
    if (!options.allowExpired && claims.exp * 1000 <= Date.now()) throw invalidToken();
    return claims;
  }

  #read(keys: readonly Buffer[], token: string): Claims {
    try {
      const opened = open(keys, token);
      if (opened === null) throw invalidToken();
      return claimsOf(unpack(opened.payload), opened.seconds);
    } catch (error) {
      if (error instanceof RangeError) throw invalidToken(error);
      throw error;
    }
  }
}

function payloadOf(claims: Claims): Buffer {
  const user = idOf(claims.sub);
  const methods = claims.openstack_methods.reduce((bits, method) => bits | (1 << METHODS.indexOf(method)), 0);
  // The time of issue has whole seconds in the token: its fraction travels with the end, which has none of its own.
  const end = claims.exp + (claims.iat % 1);
  const audit = claims.openstack_audit_ids.map((id) => Buffer.from(id, 'base64url'));
  const { openstack_project_id: project, openstack_trust_id: trust, openstack_app_cred_id: appCred } = claims;
  const list = (form: number, ...parts: readonly (Packed | Float)[]): Buffer =>
    Buffer.concat([
      Buffer.from([0x90 | (parts.length + 1)]),
      ...[form, ...parts].map((part) => (part instanceof Float ? packFloat(part.value) : pack(part))),
    ]);
  const expires = new Float(end);
  const { openstack_access_token_id: accessToken } = claims;
  if (accessToken !== undefined)
    return list(FORM.oauth1, user, methods, idOf(project ?? ''), idOf(accessToken), expires, audit);
  if (appCred !== undefined)
    return list(FORM.appCred, user, methods, idOf(project ?? ''), expires, audit, idOf(appCred));
  if (trust !== undefined) return list(FORM.trust, user, methods, idOf(project ?? ''), expires, audit, idOf(trust));
  if (project !== undefined) return list(FORM.project, user, methods, idOf(project), expires, audit);
  if (claims.openstack_domain_id !== undefined) {
    return list(FORM.domain, user, methods, idOf(claims.openstack_domain_id), expires, audit);
  }
  if (claims.openstack_system !== undefined) {
    return list(FORM.system, user, methods, claims.openstack_system, expires, audit);
  }
  return list(FORM.unscoped, user, methods, expires, audit);
}

/** A number that is packed as a double even when it is whole. */
class Float {
  constructor(readonly value: number) {}
}

function claimsOf(payload: Packed, seconds: number): Claims {
  if (!Array.isArray(payload)) throw new RangeError('not a list');
  const [form, user, methods, ...rest] = payload as Packed[];
  const scope = form === FORM.unscoped ? undefined : rest.shift();
  const accessToken = form === FORM.oauth1 ? rest.shift() : undefined;
  const [end, audit, last] = rest;
  if (typeof end !== 'number' || typeof methods !== 'number' || !Array.isArray(audit)) throw new RangeError('fields');
  const project = scope === undefined || form === FORM.system || form === FORM.domain ? '' : textOf(scope);
  return {
    sub: textOf(user),
    iat: Math.round((seconds + (end % 1)) * 1000) / 1000,
    exp: Math.floor(end),
    openstack_methods: METHODS.filter((_, bit) => (methods & (1 << bit)) !== 0),
    openstack_audit_ids: (audit as Packed[]).map((id) => (Buffer.isBuffer(id) ? id.toString('base64url') : '')),
    ...(project === '' ? {} : { openstack_project_id: project }),
    ...(form === FORM.domain ? { openstack_domain_id: textOf(scope) } : {}),
    ...(form === FORM.system ? { openstack_system: 'all' } : {}),
    ...(form === FORM.trust ? { openstack_trust_id: textOf(last) } : {}),
    ...(form === FORM.oauth1 ? { openstack_access_token_id: textOf(accessToken) } : {}),
    ...(form === FORM.appCred ? { openstack_app_cred_id: textOf(last) } : {}),
  };
}

/** Ids of 32 hexadecimal digits take half the room. */
function idOf(id: string): Packed {
  return /^[0-9a-f]{32}$/.test(id) ? [true, Buffer.from(id, 'hex')] : [false, id];
}

function textOf(packed: Packed | undefined): string {
  if (Array.isArray(packed)) {
    const [, value] = packed as Packed[];
    if (Buffer.isBuffer(value)) return value.toString('hex');
    if (typeof value === 'string') return value;
  }
  throw new RangeError('not an id');
}
