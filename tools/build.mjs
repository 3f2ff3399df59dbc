/**
 * `node tools/build.mjs [APP...]` bundles each app into `dist/apps/<app>/` as ES modules with third-party packages left
 * outside. Apps whose sources have not changed since are skipped. The stamp file's time is that of the last look at the
 * sources, so that a caller may first compare times and spare itself this script.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { root } from './node.mjs';

const STAMP = path.join(root, 'dist/apps/.stamp.json');
const LOCK = path.join(root, 'dist/apps/.lock');
const ENTRIES = ['main.ts', 'cli.ts'];
/** Next to the sources, what decides about the output. */
const SETTINGS = ['package-lock.json', 'tsconfig.base.json', 'tools/build.mjs'];

const started = new Date();
const only = process.argv.slice(2);
mkdirSync(path.dirname(STAMP), { recursive: true });
await underLock(async () => {
  const fingerprint = fingerprintOfSources();
  const done = readStamp();
  const apps = appsToBuild(only);
  const stale = apps.filter((app) => done[app.name] !== fingerprint || !app.outputs.every((file) => existsSync(file)));
  if (stale.length > 0) {
    await bundle(stale);
    console.error(
      `build: ${stale.map((app) => app.name).join(', ')} in ${((Date.now() - started) / 1000).toFixed(1)} s`,
    );
  }
  for (const app of stale) done[app.name] = fingerprint;
  writeFileSync(STAMP, `${JSON.stringify(done, null, 2)}\n`);
  // A build of some apps says nothing about the others: the old time makes the next caller look again.
  utimesSync(STAMP, started, only.length === 0 ? started : new Date(0));
});

function appsToBuild(names) {
  const found = [];
  for (const name of folders(path.join(root, 'apps'))) {
    if (names.length > 0 && !names.includes(name)) continue;
    const source = path.join(root, 'apps', name, 'src');
    const entries = ENTRIES.filter((entry) => existsSync(path.join(source, entry)));
    if (entries.length === 0) continue;
    found.push({
      name,
      inputs: entries.map((entry) => path.join(source, entry)),
      outputs: entries.map((entry) => path.join(root, 'dist/apps', name, entry.replace(/\.ts$/, '.js'))),
    });
  }
  const unknown = names.filter((name) => !found.some((app) => app.name === name));
  if (unknown.length > 0) throw new Error(`no such app: ${unknown.join(', ')}`);
  return found;
}

async function bundle(list) {
  const { build } = await import('esbuild');
  for (const app of list) {
    const outdir = path.join(root, 'dist/apps', app.name);
    await build({
      entryPoints: app.inputs,
      outdir,
      bundle: true,
      splitting: true,
      chunkNames: 'chunk-[hash]',
      platform: 'node',
      format: 'esm',
      target: 'node22',
      packages: 'external',
      sourcemap: true,
      // Class names are Nest's names of providers and controllers.
      keepNames: true,
      tsconfig: path.join(root, 'tsconfig.base.json'),
      logLevel: 'warning',
    });
    removeOldChunks(outdir);
  }
}

/** Chunks are named by content, so those of earlier builds stay until removed. An hour's grace serves running processes. */
function removeOldChunks(outdir) {
  for (const file of readdirSync(outdir)) {
    if (!file.startsWith('chunk-')) continue;
    const full = path.join(outdir, file);
    if (started - statSync(full).mtimeMs > 3_600_000) rmSync(full);
  }
}

function fingerprintOfSources() {
  const hash = createHash('sha256').update(process.platform);
  const files = [
    ...SETTINGS.map((name) => path.join(root, name)),
    ...sources(path.join(root, 'libs')),
    ...sources(path.join(root, 'apps')),
  ];
  for (const file of files) hash.update(path.relative(root, file)).update('\0').update(readFileSync(file)).update('\0');
  return hash.digest('hex');
}

function sources(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(
      (entry) =>
        entry.isFile() && /\.(ts|json|mjs|sql|html|css|txt)$/.test(entry.name) && !entry.name.endsWith('.spec.ts'),
    )
    .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}

function folders(parent) {
  if (!existsSync(parent)) return [];
  return readdirSync(parent, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
}

function readStamp() {
  try {
    return JSON.parse(readFileSync(STAMP, 'utf8'));
  } catch (error) {
    if (error.code === 'ENOENT' || error instanceof SyntaxError) return {};
    throw error;
  }
}

/** Two builds at once would write the same files; the later one waits and then finds little to do. */
async function underLock(action) {
  while (!takeLock()) await new Promise((resolve) => setTimeout(resolve, 100));
  try {
    await action();
  } finally {
    rmSync(LOCK, { force: true });
  }
}

function takeLock() {
  try {
    writeFileSync(LOCK, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
  }
  if (!isAlive(holderOfLock())) rmSync(LOCK, { force: true });
  return false;
}

/** The process that builds; null while it has not written its id yet or when it has just ended. */
function holderOfLock() {
  try {
    return Number(readFileSync(LOCK, 'utf8')) || null;
  } catch (error) {
    if (error.code === 'ENOENT') return null;
    throw error;
  }
}

function isAlive(pid) {
  if (pid === null) return true;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
