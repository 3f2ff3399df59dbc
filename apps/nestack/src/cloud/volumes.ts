import { readFileSync } from 'node:fs';
import path from 'node:path';
import { alive, stopPid } from '@nestack/kernel/process';
import type { Layout } from './layout';

const PROGRAM = 'qemu-storage-daemon';

/**
 * Ends the daemons that serve volumes to guests. They outlive cinder on purpose; when the guests are off, cinder starts them
 * again with the next `up`. Those that serve other hosts first, since they use the others.
 */
export async function stopVolumeDaemons(layout: Layout): Promise<void> {
  for (const name of ['remote', 'local']) {
    const pid = pidOf(path.join(layout.cinder, name, 'pid'));
    if (pid !== null) await stopPid(pid);
  }
}

/** The process id in a file, if that process lives and is such a daemon. */
function pidOf(file: string): number | null {
  try {
    const pid = Number(readFileSync(file, 'utf8').trim());
    if (!Number.isInteger(pid) || !alive(pid)) return null;
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(PROGRAM) ? pid : null;
  } catch {
    // None was started, or it is gone.
    return null;
  }
}
