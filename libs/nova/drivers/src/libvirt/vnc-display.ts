import { stat } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import path from 'node:path';
import type { VncDisplay } from '@nestack/nova/domain';
import { MAX_SOCKET_PATH } from './daemon';

/**
 * The socket of a guest's screen, in a folder that root alone enters; null when its path would be too long. The name is short:
 * where libvirt's own socket has room, this one has it, too.
 */
export function vncSocket(dir: string, uuid: string): string | null {
  const name = Buffer.from(uuid.replaceAll('-', ''), 'hex').toString('base64url');
  const socket = path.join(dir, name);
  return Buffer.byteLength(socket) <= MAX_SOCKET_PATH ? socket : null;
}

/** The screen of a running guest by its definition; null when it has none. QEMU makes the socket anew for each run. */
export async function displayOf(definition: string): Promise<VncDisplay | null> {
  const named = /<graphics type='vnc'[^>]* socket='([^']*)'/.exec(definition)?.[1];
  if (named === undefined) return null;
  const socket = unescaped(named);
  try {
    const { ino, mtimeMs } = await stat(socket);
    return { run: `${ino} ${mtimeMs}`, connect: () => open(socket) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

function open(socket: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const connection = connect(socket);
    connection.once('error', reject);
    connection.once('connect', () => resolve(connection.off('error', reject)));
  });
}

function unescaped(text: string): string {
  return text
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&quot;/g, '"')
    .replace(/&apos;/g, "'")
    .replace(/&amp;/g, '&');
}
