import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { root } from './node.mjs';

/**
 * Imports a TypeScript library of this repository, bundled on the fly, into a plain Node script.
 * @param {string} name `<scope>/<lib>`, for instance `kernel/testing`
 */
export function importLibrary(name) {
  return importSource(path.join('libs', name, 'src/index.ts'));
}

/**
 * The same with any TypeScript file of the repository.
 * @param {string} file its path from the root
 */
export async function importSource(file) {
  const folder = path.join(root, 'tmp/libraries');
  await mkdir(folder, { recursive: true });
  const outfile = path.join(folder, `${file.replace(/\W+/g, '-')}-${process.pid}.mjs`);
  await build({
    entryPoints: [path.join(root, file)],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node22',
    packages: 'external',
    sourcemap: 'inline',
    tsconfig: path.join(root, 'tsconfig.base.json'),
    logLevel: 'error',
  });
  try {
    return await import(pathToFileURL(outfile).href);
  } finally {
    await rm(outfile);
  }
}
