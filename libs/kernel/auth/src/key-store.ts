import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { importPKCS8, importSPKI, type CryptoKey } from 'jose';

/** Tokens' signature algorithm, keystone's own. */
export const TOKEN_ALGORITHM = 'ES256';

/** Public keys by kid: the file `<kid>.pem` of a directory. Each is imported once; unknown kids make it look again. */
export class PublicKeys {
  readonly #keys = new Map<string, CryptoKey>();
  #readAt = 0;
  #reading: Promise<void> | null = null;

  constructor(
    readonly directory: string,
    /** An attacker chooses kids: the directory is read again at most this often (milliseconds). */
    private readonly rereadMs = 1000,
  ) {}

  /** The key of a kid, or null. */
  async get(kid: string): Promise<CryptoKey | null> {
    const known = this.#keys.get(kid);
    if (known !== undefined) return known;
    if (this.#reading === null && Date.now() - this.#readAt < this.rereadMs) return null;
    // Requests that come together wait for the one look that is under way.
    this.#reading ??= this.#read().finally(() => {
      this.#readAt = Date.now();
      this.#reading = null;
    });
    await this.#reading;
    return this.#keys.get(kid) ?? null;
  }

  async #read(): Promise<void> {
    for (const name of await pemFiles(this.directory)) {
      if (this.#keys.has(name)) continue;
      this.#keys.set(
        name,
        await importSPKI(await readFile(join(this.directory, `${name}.pem`), 'utf8'), TOKEN_ALGORITHM),
      );
    }
  }
}

/** The kid that signs: names sort by the moment they were made, the newest is current. */
export async function currentKid(privateDirectory: string): Promise<string | null> {
  return (await pemFiles(privateDirectory)).sort().at(-1) ?? null;
}

/** The private key of a kid. */
export async function privateKey(privateDirectory: string, kid: string): Promise<CryptoKey> {
  return importPKCS8(await readFile(join(privateDirectory, `${kid}.pem`), 'utf8'), TOKEN_ALGORITHM);
}

/**
 * Makes a new signing key and returns its kid. The public half is in place before the private one, so that no service ever
 * meets a token whose key it cannot find.
 */
export async function createKey(privateDirectory: string, publicDirectory: string): Promise<string> {
  await mkdir(privateDirectory, { recursive: true, mode: 0o700 });
  await mkdir(publicDirectory, { recursive: true });
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const spki = pair.publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const pkcs8 = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const stamp = new Date().toISOString().replaceAll(/[-:.TZ]/g, '');
  const kid = `${stamp}-${createHash('sha256').update(spki).digest('hex').slice(0, 12)}`;
  await put(publicDirectory, kid, spki, 0o644);
  await put(privateDirectory, kid, pkcs8, 0o600);
  return kid;
}

/** Removes all but the newest `keep` keys of a directory. */
export async function pruneKeys(directory: string, keep: number): Promise<void> {
  const names = (await pemFiles(directory)).sort();
  for (const name of names.slice(0, Math.max(0, names.length - keep)))
    await rm(join(directory, `${name}.pem`), { force: true });
}

async function put(directory: string, kid: string, pem: string, mode: number): Promise<void> {
  const temporary = join(directory, `.${kid}.${randomBytes(4).toString('hex')}`);
  await writeFile(temporary, pem, { mode });
  await rename(temporary, join(directory, `${kid}.pem`));
}

async function pemFiles(directory: string): Promise<string[]> {
  try {
    return (await readdir(directory))
      .filter((name) => name.endsWith('.pem') && !name.startsWith('.'))
      .map((name) => name.slice(0, -4));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
