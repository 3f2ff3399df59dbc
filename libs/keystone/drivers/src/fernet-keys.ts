import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** How many keys are kept: the staged one, the one in use, and older ones for tokens still alive. */
const KEEP = 5;
const REREAD_MS = 5000;

/**
 * Keystone's key repository: files named by number. The highest seals; `0` is staged, so that all processes know it before
 * it is used; the others only open.
 */
export class FernetKeys {
  #keys: readonly Buffer[] = [];
  #readAt = 0;

  constructor(readonly directory: string) {}

  /** Makes the first keys when there are none. */
  async ensure(): Promise<void> {
    await mkdir(this.directory, { recursive: true, mode: 0o700 });
    const known = await this.#numbers();
    if (!known.includes(0)) await this.#put(0);
    if (!known.some((number) => number > 0)) await this.#put(1);
  }

  /** All keys, the one that seals first. */
  async all(): Promise<readonly Buffer[]> {
    if (Date.now() - this.#readAt < REREAD_MS) return this.#keys;
    const numbers = (await this.#numbers()).sort((a, b) => b - a);
    this.#keys = await Promise.all(numbers.map((number) => this.#read(number)));
    this.#readAt = Date.now();
    return this.#keys;
  }

  /** Takes the staged key into use and stages a new one when the one in use is older; its name, or null. */
  async rotateIfOld(maxAgeMs: number, now: Date): Promise<string | null> {
    const numbers = (await this.#numbers()).sort((a, b) => a - b);
    const current = numbers.at(-1) ?? 0;
    const { mtimeMs } = await stat(join(this.directory, String(current)));
    if (now.getTime() - mtimeMs <= maxAgeMs) return null;
    const next = join(this.directory, String(current + 1));
    // Its age counts from now on.
    await writeFile(`${next}.new`, await readFile(join(this.directory, '0')), { mode: 0o600 });
    await rename(`${next}.new`, next);
    await this.#put(0);
    const old = numbers.filter((number) => number > 0).slice(0, Math.max(0, numbers.length + 1 - KEEP));
    for (const number of old) await rm(join(this.directory, String(number)), { force: true });
    this.#readAt = 0;
    return String(current + 1);
  }

  async #numbers(): Promise<number[]> {
    return (await readdir(this.directory)).filter((name) => /^\d+$/.test(name)).map(Number);
  }

  async #read(number: number): Promise<Buffer> {
    const key = Buffer.from((await readFile(join(this.directory, String(number)), 'utf8')).trim(), 'base64url');
    if (key.length !== 32) throw new Error(`${join(this.directory, String(number))} is not a Fernet key`);
    return key;
  }

  async #put(number: number): Promise<void> {
    const file = join(this.directory, String(number));
    const text = randomBytes(32).toString('base64').replaceAll('+', '-').replaceAll('/', '_');
    await writeFile(`${file}.new`, text, { mode: 0o600 });
    await rename(`${file}.new`, file);
  }
}
