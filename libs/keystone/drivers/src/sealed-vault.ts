import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Vault } from '@nestack/keystone/domain';

const NONCE = 12;
const TAG = 16;

/** Seals texts with AES-256-GCM under the key of a file. */
export class SealedVault implements Vault {
  constructor(private readonly key: Buffer) {}

  seal(text: string): string {
    const nonce = randomBytes(NONCE);
    const cipher = createCipheriv('aes-256-gcm', this.key, nonce);
    const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
    return Buffer.concat([nonce, cipher.getAuthTag(), body]).toString('base64');
  }

  /** Throws when the text was sealed under another key or changed since. */
  open(sealed: string): string {
    const bytes = Buffer.from(sealed, 'base64');
    const cipher = createDecipheriv('aes-256-gcm', this.key, bytes.subarray(0, NONCE));
    cipher.setAuthTag(bytes.subarray(NONCE, NONCE + TAG));
    return Buffer.concat([cipher.update(bytes.subarray(NONCE + TAG)), cipher.final()]).toString('utf8');
  }
}

/** The vault's key; made when the file is not there. Of several processes that start at once all get the same. */
export async function vaultKey(file: string): Promise<Buffer> {
  const known = await read(file);
  if (known !== null) return known;
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const temporary = `${file}.${randomBytes(4).toString('hex')}`;
  await writeFile(temporary, randomBytes(32), { mode: 0o600 });
  try {
    await link(temporary, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await rm(temporary, { force: true });
  }
  const made = await read(file);
  if (made === null) throw new Error(`${file} has gone`);
  return made;
}

async function read(file: string): Promise<Buffer | null> {
  try {
    const key = await readFile(file);
    if (key.length !== 32) throw new Error(`${file} is not a key of 32 bytes`);
    return key;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
