import type { Image, StoredData } from '@nestack/glance/domain';

export const IMAGE_COLUMNS = [
  'id',
  'name',
  'status',
  'visibility',
  'protected',
  'os_hidden',
  'owner',
  'checksum',
  'os_hash_algo',
  'os_hash_value',
  'size',
  'virtual_size',
  'container_format',
  'disk_format',
  'min_ram',
  'min_disk',
  'properties',
  'tags',
  'staged',
  'created_at',
  'updated_at',
] as const satisfies readonly (keyof Image)[];

const JSON_COLUMNS = new Set<keyof Image>(['properties', 'tags', 'staged']);

/** A row as pg gives it: bigints are text. */
export type ImageRow = Omit<Image, 'size' | 'virtual_size'> & {
  readonly size: string | null;
  readonly virtual_size: string | null;
};

export function imageOf(row: ImageRow): Image {
  return {
    ...row,
    size: numberOf(row.size),
    virtual_size: numberOf(row.virtual_size),
    staged: row.staged as StoredData | null,
  };
}

/** A column's value for a statement. */
export function columnValue(image: Image, column: keyof Image): unknown {
  const value = image[column];
  return JSON_COLUMNS.has(column) && value !== null ? JSON.stringify(value) : value;
}

function numberOf(text: string | null): number | null {
  return text === null ? null : Number(text);
}
