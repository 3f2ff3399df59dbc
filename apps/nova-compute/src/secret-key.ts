import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const BYTES = 32;

/** A key that is kept in a file which its owner alone reads; made where there is none, or a broken one. */
export function secretKey(file: string): Buffer {
  const found = read(file);
  if (found?.length === BYTES) return found;
  const key = randomBytes(BYTES);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(`${file}.new`, key, { mode: 0o600 });
  renameSync(`${file}.new`, file);
  return key;
}

function read(file: string): Buffer | null {
  try {
    return readFileSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
