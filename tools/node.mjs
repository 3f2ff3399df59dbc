import { existsSync } from 'node:fs';
import path from 'node:path';

/** The top folder of the repository. */
export const root = path.resolve(import.meta.dirname, '..');

/** The oldest version that all our packages run on. */
const OLDEST = { major: 22, minor: 19 };

/** Path of a maintained node: the one that runs this, or the npm package's where this one is older than our packages ask for. */
export function maintainedNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > OLDEST.major || (major === OLDEST.major && minor >= OLDEST.minor)) return process.execPath;
  const packaged = path.join(root, 'node_modules/node/bin/node');
  if (existsSync(packaged)) return packaged;
  throw new Error(`node ${process.versions.node} is too old and ${packaged} is missing: run 'npm ci' first`);
}
