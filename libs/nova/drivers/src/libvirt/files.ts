import { open } from 'node:fs/promises';

/** Brings a file's (or folder's) contents to the disk. */
export async function sync(file: string): Promise<void> {
  const handle = await open(file, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
