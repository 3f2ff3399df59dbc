import Type, { type Static } from 'typebox';

/** The states of an image. upstream: glance/domain/__init__.py ImageFactory, Image.valid_state_targets */
export type ImageStatus = 'queued' | 'saving' | 'uploading' | 'importing' | 'active' | 'deactivated';

export const VISIBILITIES = ['public', 'private', 'shared', 'community'] as const;
export type Visibility = (typeof VISIBILITIES)[number];

export const DISK_FORMATS = [
  'ami',
  'ari',
  'aki',
  'vhd',
  'vhdx',
  'vmdk',
  'raw',
  'qcow2',
  'vdi',
  'iso',
  'ploop',
  'gpt',
] as const;
export const CONTAINER_FORMATS = ['ami', 'ari', 'aki', 'bare', 'ovf', 'ova', 'docker', 'compressed'] as const;

export const MEMBER_STATUSES = ['pending', 'accepted', 'rejected'] as const;
export type MemberStatus = (typeof MEMBER_STATUSES)[number];

const nullable = <T extends Type.TSchema>(schema: T) => Type.Union([Type.Null(), schema]);

/** What a client may set. Every further key is a property of the image, text always. */
export const writableImage = {
  id: Type.Optional(
    Type.String({ pattern: '^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$' }),
  ),
  name: Type.Optional(nullable(Type.String({ maxLength: 255 }))),
  visibility: Type.Optional(Type.Enum([...VISIBILITIES])),
  protected: Type.Optional(Type.Boolean()),
  os_hidden: Type.Optional(Type.Boolean()),
  owner: Type.Optional(nullable(Type.String({ maxLength: 255 }))),
  container_format: Type.Optional(nullable(Type.Enum([...CONTAINER_FORMATS]))),
  disk_format: Type.Optional(nullable(Type.Enum([...DISK_FORMATS]))),
  min_ram: Type.Optional(Type.Integer({ minimum: 0, maximum: 2147483647 })),
  min_disk: Type.Optional(Type.Integer({ minimum: 0, maximum: 2147483647 })),
  tags: Type.Optional(Type.Array(Type.String({ maxLength: 255 }))),
};

/** An image as the API shows it, its own properties beside these keys. */
export const ImageView = Type.Object(
  {
    id: Type.String(),
    name: nullable(Type.String()),
    status: Type.String(),
    visibility: Type.Enum([...VISIBILITIES]),
    protected: Type.Boolean(),
    os_hidden: Type.Boolean(),
    checksum: nullable(Type.String()),
    os_hash_algo: nullable(Type.String()),
    os_hash_value: nullable(Type.String()),
    owner: nullable(Type.String()),
    size: nullable(Type.Integer()),
    virtual_size: nullable(Type.Integer()),
    container_format: nullable(Type.String()),
    disk_format: nullable(Type.String()),
    min_ram: Type.Integer(),
    min_disk: Type.Integer(),
    tags: Type.Array(Type.String()),
    created_at: Type.String(),
    updated_at: Type.String(),
    self: Type.String(),
    file: Type.String(),
    schema: Type.String(),
  },
  { additionalProperties: Type.String() },
);
export type ImageView = Static<typeof ImageView>;

export const MemberView = Type.Object({
  member_id: Type.String(),
  image_id: Type.String(),
  status: Type.Enum([...MEMBER_STATUSES]),
  created_at: Type.String(),
  updated_at: Type.String(),
  schema: Type.String(),
});
export type MemberView = Static<typeof MemberView>;

const ATTRIBUTES: ReadonlySet<string> = new Set([
  'id',
  'name',
  'status',
  'visibility',
  'protected',
  'checksum',
  'owner',
  'size',
  'virtual_size',
  'container_format',
  'disk_format',
  'created_at',
  'updated_at',
  'tags',
  'direct_url',
  'min_ram',
  'min_disk',
  'self',
  'file',
  'stores',
  'schema',
  'os_hash_algo',
  'os_hash_value',
  'os_hidden',
  'locations',
]);

/** Whether a member of an image, which is flat, is one of its properties and no attribute of each image. */
export function isProperty(member: string): boolean {
  return !ATTRIBUTES.has(member);
}
