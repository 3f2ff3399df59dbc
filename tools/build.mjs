/**
 * `node tools/build.mjs [APP...]` bundles each app into `dist/apps/<app>/` as ES modules with third-party packages left
 * outside. Skipped when no source has changed since; `--check` only tells (exit code 1) whether a build is needed.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { root } from './node.mjs';

const STAMP = path.join(root, 'dist/apps/.stamp.json');
const ENTRIES = ['main.ts', 'cli.ts'];
/** Next to the sources, what decides about the output. */
const SETTINGS = ['package-lock.json', 'tsconfig.base.json', 'tools/build.mjs'];

const args = process.argv.slice(2);
const only = args.filter((argument) => !argument.startsWith('--'));
const fingerprint = fingerprintOfSources();
const done = readStamp();
const apps = appsToBuild(only);
const stale = apps.filter((app) => done[app.name] !== fingerprint || !app.outputs.every((file) => existsSync(file)));

if (args.includes('--check')) process.exitCode = stale.length > 0 ? 1 : 0;
else if (stale.length > 0) await bundle(stale);
else if (!args.includes('--quiet')) console.log('build: nothing has changed');

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
  const started = Date.now();
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
    removeOldChunks(outdir, started);
    done[app.name] = fingerprint;
  }
  mkdirSync(path.dirname(STAMP), { recursive: true });
  writeFileSync(STAMP, `${JSON.stringify({ ...readStamp(), ...done }, null, 2)}\n`);
  console.error(`build: ${list.map((app) => app.name).join(', ')} in ${((Date.now() - started) / 1000).toFixed(1)} s`);
}

/** Chunks are named by content, so those of earlier builds stay until removed. An hour's grace serves running processes. */
function removeOldChunks(outdir, started) {
  for (const file of readdirSync(outdir)) {
    if (!file.startsWith('chunk-')) continue;
    const full = path.join(outdir, file);
    if (started - statSync(full).mtimeMs > 3_600_000) rmSync(full);
  }
}

function fingerprintOfSources() {
  const hash = createHash('sha256').update(process.platform);
  const files = [...SETTINGS.map((name) => path.join(root, name)), ...sources(path.join(root, 'libs')), ...sources(path.join(root, 'apps'))];
  for (const file of files) hash.update(path.relative(root, file)).update('\0').update(readFileSync(file)).update('\0');
  return hash.digest('hex');
}

function sources(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(ts|json|mjs|sql|html|css|txt)$/.test(entry.name) && !entry.name.endsWith('.spec.ts'))
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
