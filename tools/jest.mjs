// Runs jest on a maintained node with ES modules turned on; all arguments go to jest.
import { spawn } from 'node:child_process';
import path from 'node:path';
import { maintainedNode, root } from './node.mjs';

const child = spawn(
  maintainedNode(),
  [
    '--experimental-vm-modules',
    '--disable-warning=ExperimentalWarning',
    path.join(root, 'node_modules/jest/bin/jest.js'),
    '--config',
    path.join(root, 'jest.config.mjs'),
    ...process.argv.slice(2),
  ],
  { stdio: 'inherit', cwd: root },
);
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
child.on('exit', (code, signal) => {
  process.exitCode = code ?? (signal ? 1 : 0);
});
