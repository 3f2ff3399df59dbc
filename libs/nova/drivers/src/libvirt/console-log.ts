import { watch, type FSWatcher } from 'node:fs';
import { open, stat, truncate, writeFile } from 'node:fs/promises';
import type { Logger } from '@nestack/kernel/log';

/** What a client gets at most. upstream: nova/virt/libvirt/driver.py, MAX_CONSOLE_BYTES */
export const MAX_CONSOLE_BYTES = 100 * 1024;
/** Of a log larger than this, the end is set aside as `.1`; guests may write as much as they like. */
export const MAX_LOG_BYTES = 1024 * 1024;
/** How long after a write the size is looked at, however much is written meanwhile. */
const LOOK_MS = 2000;

/**
 * The end of a guest's serial console: at most so many lines (null: all) of the last MAX_CONSOLE_BYTES. What a guest
 * writes is bytes: those that are not ASCII become U+FFFD. upstream: nova/compute/manager.py, get_console_output
 */
export async function consoleTail(file: string, lines: number | null): Promise<string> {
  const now = await lastBytes(file, MAX_CONSOLE_BYTES);
  const earlier = now.length < MAX_CONSOLE_BYTES ? await lastBytes(`${file}.1`, MAX_CONSOLE_BYTES - now.length) : EMPTY;
  const text = Buffer.concat([earlier, now])
    .toString('latin1')
    .replace(/[^\x00-\x7f]/g, '\ufffd');
  return lines === null ? text : lastLines(text, lines);
}

/** The last lines of a text, counted as upstream does: what follows the final line break is a line, too. */
export function lastLines(text: string, lines: number): string {
  return lines <= 0 ? '' : text.split('\n').slice(-lines).join('\n');
}

/** Shortens a log that has grown too large. QEMU appends, so the file can be emptied under its hands. */
export async function trimLog(file: string): Promise<boolean> {
  const found = await stat(file).catch(() => null);
  if (found === null || found.size <= MAX_LOG_BYTES) return false;
  await writeFile(`${file}.1`, await lastBytes(file, MAX_CONSOLE_BYTES), { mode: 0o600 });
  await truncate(file, 0);
  return true;
}

/** Keeps the logs of running guests small. The kernel tells of writes; a guest that is silent costs nothing. */
export class ConsoleKeeper {
  private readonly watchers = new Map<string, { watcher: FSWatcher | null; timer: NodeJS.Timeout | null }>();

  constructor(private readonly log: Logger) {}

  /** Begins with a log that exists; again does nothing. */
  keep(file: string): void {
    if (!this.watchers.has(file)) this.listen(file);
  }

  forget(file: string): void {
    const entry = this.watchers.get(file);
    this.watchers.delete(file);
    entry?.watcher?.close();
    if (entry?.timer != null) clearTimeout(entry.timer);
  }

  close(): void {
    for (const file of [...this.watchers.keys()]) this.forget(file);
  }

  /** Listens for one write, then not until the size was looked at. */
  private listen(file: string): void {
    try {
      const watcher = watch(file, { persistent: false }, () => {
        watcher.close();
        const timer = setTimeout(() => void this.look(file), LOOK_MS);
        timer.unref();
        this.watchers.set(file, { watcher: null, timer });
      });
      watcher.on('error', () => this.forget(file));
      this.watchers.set(file, { watcher, timer: null });
    } catch (error) {
      this.watchers.delete(file);
      this.log.warn(null, 'console.not_watched', { file, error: String(error) });
    }
  }

  private async look(file: string): Promise<void> {
    try {
      await trimLog(file);
    } catch (error) {
      this.log.warn(null, 'console.trim_failed', { file, error: String(error) });
    }
    if (this.watchers.has(file)) this.listen(file);
  }
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
