import { existsSync } from 'node:fs';
import path from 'node:path';

/** The top folder of the repository. */
export const root = path.resolve(import.meta.dirname, '..');

const OLDEST_MAJOR = 22;

/** Path of a maintained node: the one that runs this, or the npm package's where this one is older than 22. */
export function maintainedNode() {
  if (Number(process.versions.node.split('.')[0]) >= OLDEST_MAJOR) return process.execPath;
  const packaged = path.join(root, 'node_modules/node/bin/node');
  if (existsSync(packaged)) return packaged;
  throw new Error(`node ${process.versions.node} is too old and ${packaged} is missing: run 'npm ci' first`);
}
