import { randomUUID, randomBytes } from 'node:crypto';

/** A string that stands for one kind of thing only: `Id<'server'>` is not assignable to `Id<'volume'>`. */
export type Id<Kind extends string> = string & { readonly __kind: Kind };

/** A new random UUID (with dashes), as nova, glance, neutron and cinder use. */
export function newUuid(): string {
  return randomUUID();
}

/** A new id of 32 hexadecimal digits, as keystone uses for users, projects and domains. */
export function newHexId(): string {
  return randomUUID().replaceAll('-', '');
}

/** A request id in OpenStack's form, `req-<uuid>`. */
export function newRequestId(): string {
  return `req-${randomUUID()}`;
}

/** A W3C trace id: 32 hexadecimal digits. */
export function newTraceId(): string {
  return randomBytes(16).toString('hex');
}

/** A W3C span id: 16 hexadecimal digits. */
export function newSpanId(): string {
  return randomBytes(8).toString('hex');
}

const UUID = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i;

/** Whether the text is a UUID, with or without dashes (upstream's `is_uuid_like` accepts both). */
export function isUuidLike(text: unknown): text is string {
  return typeof text === 'string' && UUID.test(text);
}
