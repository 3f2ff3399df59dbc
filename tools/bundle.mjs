/** `node tools/bundle.mjs ENTRY OUTFILE` bundles one TypeScript file for plain Node: tests start such bundles as processes. */
import path from 'node:path';
import { build } from 'esbuild';
import { root } from './node.mjs';

const [entry, outfile] = process.argv.slice(2);
if (entry === undefined || outfile === undefined) throw new Error('usage: bundle ENTRY OUTFILE');
await bundle(path.resolve(entry), path.resolve(outfile));

/** Third-party packages stay outside, so the bundle must lie below the repository's folder. */
export async function bundle(from, to) {
  await build({
    entryPoints: [from],
    outfile: to,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node22',
    packages: 'external',
    keepNames: true,
    sourcemap: 'inline',
    tsconfig: path.join(root, 'tsconfig.base.json'),
    logLevel: 'error',
  });
}
