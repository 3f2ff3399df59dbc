import { copyFile, open, stat, truncate } from 'node:fs/promises';

/** What a client gets at most. upstream: nova/virt/libvirt/driver.py, MAX_CONSOLE_BYTES */
export const MAX_CONSOLE_BYTES = 100 * 1024;
/** A log larger than this is set aside, as `.1`; guests may write as much as they like. */
export const MAX_LOG_BYTES = 1024 * 1024;

/** The end of a guest's serial console: at most so many lines (null: all) of the last MAX_CONSOLE_BYTES. */
export async function consoleTail(file: string, lines: number | null): Promise<string> {
  const now = await lastBytes(file, MAX_CONSOLE_BYTES);
  const earlier = now.length < MAX_CONSOLE_BYTES ? await lastBytes(`${file}.1`, MAX_CONSOLE_BYTES - now.length) : EMPTY;
  const text = Buffer.concat([earlier, now]).toString('utf8');
  return lines === null ? text : lastLines(text, lines);
}

/** Sets a log that has grown too large aside. QEMU appends, so the file can be emptied under its hands. */
export async function trimLog(file: string): Promise<boolean> {
  const found = await stat(file).catch(() => null);
  if (found === null || found.size <= MAX_LOG_BYTES) return false;
  await copyFile(file, `${file}.1`);
  await truncate(file, 0);
  return true;
}

/** The last lines of a text; its final line break ends the last line and begins none. */
export function lastLines(text: string, lines: number): string {
  if (lines <= 0) return '';
  const end = text.endsWith('\n') ? text.length - 1 : text.length;
  let from = end;
  for (let left = lines; left > 0; left -= 1) {
    from = from === 0 ? -1 : text.lastIndexOf('\n', from - 1);
    if (from === -1) return text;
  }
  return text.slice(from + 1);
}

const EMPTY = Buffer.alloc(0);

async function lastBytes(file: string, most: number): Promise<Buffer> {
  const handle = await open(file, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (handle === null) return EMPTY;
  try {
    const { size } = await handle.stat();
    const length = Math.min(size, most);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}
