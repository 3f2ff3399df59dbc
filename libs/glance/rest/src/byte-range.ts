import { GlanceError } from '@nestack/glance/contract';

/** Bytes from `start` to `end`, both included. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * The range of a `Range: bytes=…` header in data of this size; null when the whole is to be sent (no header, another unit, several
 * ranges). Throws 416 when nothing of it exists.
 */
export function parseRange(header: string | undefined, size: number): ByteRange | null {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '');
  if (match === null) return null;
  const [, from = '', to = ''] = match;
  if (from === '' && to === '') return null;
  const start = from === '' ? Math.max(0, size - Number(to)) : Number(from);
  const end = from === '' || to === '' ? size - 1 : Math.min(Number(to), size - 1);
  if (start > end) throw GlanceError.RangeNotSatisfiable();
  return { start, end };
}

/** `bytes 0-99/200`. */
export function contentRange(range: ByteRange, size: number): string {
  return `bytes ${String(range.start)}-${String(range.end)}/${String(size)}`;
}
