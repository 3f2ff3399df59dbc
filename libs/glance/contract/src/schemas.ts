import { CONTAINER_FORMATS, DISK_FORMATS, MEMBER_STATUSES, VISIBILITIES } from './image';
import { METADEF_SCHEMAS } from './metadef-schemas';

type Json = Record<string, unknown>;

const text = (description: string, more: Json = {}): Json => ({ type: 'string', description, ...more });
const maybeText = (description: string, more: Json = {}): Json => ({ type: ['null', 'string'], description, ...more });
const readOnly = { readOnly: true };

/** The properties of an image; old clients build their model from this and check answers against it. */
const IMAGE_PROPERTIES: Json = {
  id: text('An identifier for the image', {
    pattern: '^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$',
  }),
  name: maybeText('Descriptive name for the image', { maxLength: 255 }),
  status: text('Status of the image', {
    ...readOnly,
    enum: [
      'queued',
      'saving',
      'active',
      'killed',
      'deleted',
      'uploading',
      'importing',
      'pending_delete',
      'deactivated',
    ],
  }),
  visibility: text('Scope of image accessibility', { enum: [...VISIBILITIES] }),
  protected: { type: 'boolean', description: 'If true, image will not be deletable.' },
  os_hidden: { type: 'boolean', description: 'If true, image will not appear in default image list response.' },
  checksum: maybeText('md5 hash of image contents.', { ...readOnly, maxLength: 32 }),
  os_hash_algo: maybeText('Algorithm to calculate the os_hash_value', { ...readOnly, maxLength: 64 }),
  os_hash_value: maybeText('Hexdigest of the image contents using the algorithm specified by the os_hash_algo', {
    ...readOnly,
    maxLength: 128,
  }),
  owner: maybeText('Owner of the image', { maxLength: 255 }),
  size: { type: ['null', 'integer'], description: 'Size of image file in bytes', ...readOnly },
  virtual_size: { type: ['null', 'integer'], description: 'Virtual size of image in bytes', ...readOnly },
  container_format: maybeText('Format of the container', { enum: [null, ...CONTAINER_FORMATS] }),
  disk_format: maybeText('Format of the disk', { enum: [null, ...DISK_FORMATS] }),
  created_at: text('Date and time of image registration', readOnly),
  updated_at: text('Date and time of the last image modification', readOnly),
  tags: {
    type: 'array',
    description: 'List of strings related to the image',
    items: { type: 'string', maxLength: 255 },
  },
  min_ram: { type: 'integer', description: 'Amount of ram (in MB) required to boot image.' },
  min_disk: { type: 'integer', description: 'Amount of disk space (in GB) required to boot image.' },
  self: text('An image self url', readOnly),
  file: text('An image file url', readOnly),
  schema: text('An image schema url', readOnly),
};

const IMAGE: Json = {
  name: 'image',
  properties: IMAGE_PROPERTIES,
  additionalProperties: { type: 'string' },
  links: [
    { rel: 'self', href: '{self}' },
    { rel: 'enclosure', href: '{file}' },
    { rel: 'describedby', href: '{schema}' },
  ],
};

const MEMBER: Json = {
  name: 'member',
  properties: {
    member_id: text('An identifier for the image member (tenantId)'),
    image_id: text('An identifier for the image', {
      pattern: '^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$',
    }),
    created_at: text('Date and time of image member creation'),
    updated_at: text('Date and time of last modification of image member'),
    status: text('The status of this image member', { enum: [...MEMBER_STATUSES] }),
    schema: { readOnly: true, type: 'string' },
  },
};

const TASK: Json = {
  name: 'task',
  properties: {
    id: text('An identifier for the task'),
    type: text('The type of task represented by this content', { enum: ['import', 'api_image_import'] }),
    status: text('The current status of this task', { enum: ['pending', 'processing', 'success', 'failure'] }),
    input: { type: ['null', 'object'], description: 'The parameters required by task, JSON blob' },
    result: { type: ['null', 'object'], description: 'The result of current task, JSON blob' },
    owner: text('An identifier for the owner of this task'),
    message: text('Human-readable informative message only included when appropriate (usually on failure)'),
    image_id: text('Image associated with the task'),
    request_id: text('Human-readable informative request-id'),
    user_id: text('User associated with the task'),
    expires_at: maybeText('Datetime when this resource would be subject to removal'),
    created_at: text('Datetime when this resource was created'),
    updated_at: text('Datetime when this resource was updated'),
    self: { type: 'string' },
    schema: { type: 'string' },
  },
};

function collection(name: string, item: Json): Json {
  return {
    name,
    properties: {
      [name]: { type: 'array', items: item },
      first: { type: 'string' },
      next: { type: 'string' },
      schema: { type: 'string' },
    },
    links: [
      { rel: 'first', href: '{first}' },
      { rel: 'next', href: '{next}' },
      { rel: 'describedby', href: '{schema}' },
    ],
  };
}

/** The documents below `/v2/schemas/`, by path. */
export const SCHEMA_DOCUMENTS: Readonly<Record<string, Json>> = {
  image: IMAGE,
  images: collection('images', IMAGE),
  member: MEMBER,
  members: { ...collection('members', MEMBER), links: [{ rel: 'describedby', href: '{schema}' }] },
  task: TASK,
  tasks: collection('tasks', TASK),
  ...Object.fromEntries(Object.entries(METADEF_SCHEMAS).map(([name, schema]) => [`metadefs/${name}`, schema])),
};
