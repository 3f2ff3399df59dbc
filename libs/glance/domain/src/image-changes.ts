import { CONTAINER_FORMATS, DISK_FORMATS, GlanceError, VISIBILITIES, type Visibility } from '@nestack/glance/contract';
import type { Image } from './image';
import type { PatchOperation } from './json-patch';

const READ_ONLY = new Set([
  'id',
  'status',
  'checksum',
  'os_hash_algo',
  'os_hash_value',
  'size',
  'virtual_size',
  'direct_url',
  'self',
  'file',
  'schema',
  'created_at',
  'updated_at',
  'stores',
]);
const RESERVED = new Set(['deleted', 'deleted_at', 'is_public', 'location', 'image_id', 'locations']);
const WRITABLE = new Set([
  'name',
  'visibility',
  'protected',
  'os_hidden',
  'owner',
  'container_format',
  'disk_format',
  'min_ram',
  'min_disk',
  'tags',
]);

/** Why a client must not set a property of this name, or null. */
export function reserved(name: string): Error | null {
  if (READ_ONLY.has(name)) return GlanceError.AttributeReadOnly({ name });
  if (RESERVED.has(name) || name.startsWith('os_glance')) return GlanceError.AttributeReserved({ name });
  if (name.length > 255)
    return GlanceError.InvalidInput({ reason: 'Property names may not be longer than 255 characters.' });
  return null;
}

/** The image after all changes of a patch; nothing is kept when one of them is refused. */
export function applyPatch(image: Image, patch: readonly PatchOperation[], admin: boolean): Image {
  return patch.reduce((current, change) => apply(current, change, admin), image);
}

function apply(image: Image, change: PatchOperation, admin: boolean): Image {
  const name = change.path[0] ?? '';
  if (name === 'locations') throw GlanceError.LocationsForbidden({ verb: change.op });
  const problem = reserved(name);
  if (problem !== null) throw problem;
  if (WRITABLE.has(name)) {
    if (change.op === 'remove') throw GlanceError.AttributeNotRemovable({ name });
    return setAttribute(image, name, change.value, admin);
  }
  const exists = Object.hasOwn(image.properties, name);
  if (change.op !== 'add' && !exists) throw GlanceError.PropertyMissing({ name });
  const properties = { ...image.properties };
  if (change.op === 'remove') {
    delete properties[name];
    return { ...image, properties };
  }
  if (typeof change.value !== 'string') throw mismatch(name, change.value, 'string');
  return { ...image, properties: { ...properties, [name]: change.value } };
}

function setAttribute(image: Image, name: string, value: unknown, admin: boolean): Image {
  switch (name) {
    case 'name':
      return { ...image, name: textOrNull(name, value) };
    case 'owner': {
      const owner = textOrNull(name, value);
      if (owner !== image.owner && !admin) throw GlanceError.Forbidden({ action: 'modify_image' });
      return { ...image, owner };
    }
    case 'visibility':
      if (!VISIBILITIES.includes(value as Visibility)) throw notOneOf(name, value, VISIBILITIES);
      return { ...image, visibility: value as Visibility };
    case 'protected':
    case 'os_hidden':
      if (typeof value !== 'boolean') throw mismatch(name, value, 'boolean');
      return { ...image, [name]: value };
    case 'min_ram':
    case 'min_disk':
      if (typeof value !== 'number' || !Number.isInteger(value)) throw mismatch(name, value, 'integer');
      if (value < 0) throw invalid(`${String(value)} is less than the minimum of 0`);
      if (value > 2147483647) throw invalid(`${String(value)} is greater than the maximum of 2147483647`);
      return { ...image, [name]: value };
    case 'tags':
      if (!Array.isArray(value) || !value.every((tag): tag is string => typeof tag === 'string' && tag.length <= 255)) {
        throw mismatch(name, value, 'array');
      }
      return { ...image, tags: [...new Set(value)] };
    default: {
      const allowed: readonly string[] = name === 'disk_format' ? DISK_FORMATS : CONTAINER_FORMATS;
      if (value !== null && !allowed.includes(value as string)) throw notOneOf(name, value, allowed);
      if (value !== image[name as 'disk_format'] && image.status !== 'queued')
        throw GlanceError.FormatOnlyWhenQueued({ name });
      return { ...image, [name]: value };
    }
  }
}

function textOrNull(name: string, value: unknown): string | null {
  if (value === null) return null;
  if (typeof value !== 'string') throw mismatch(name, value, 'string');
  if (value.length > 255) throw invalid(`'${value}' is too long`);
  return value;
}

function mismatch(name: string, value: unknown, type: string): Error {
  return invalid(`${JSON.stringify(value)} is not of type '${type}' (${name})`);
}

function notOneOf(name: string, value: unknown, allowed: readonly string[]): Error {
  return invalid(`${JSON.stringify(value)} is not one of [${allowed.map((one) => `'${one}'`).join(', ')}] (${name})`);
}

function invalid(reason: string): Error {
  return GlanceError.InvalidInput({ reason: `Provided object does not match schema 'image': ${reason}` });
}
