// Runs jest on a maintained node with ES modules turned on; all arguments go to jest.
import { spawn } from 'node:child_process';
import path from 'node:path';
import { maintainedNode, root } from './node.mjs';

const PROJECTS = new Set(['unit', 'integration', 'e2e', 'guests']);

/** Jest takes whatever follows `--selectProjects` for a project: paths that stand there are meant as paths. */
function inOrder(args) {
  const at = args.indexOf('--selectProjects');
  if (at < 0) return args;
  const rest = args.slice(at + 1);
  const end = rest.findIndex((argument) => !PROJECTS.has(argument));
  const names = end < 0 ? rest : rest.slice(0, end);
  return [...args.slice(0, at), ...(end < 0 ? [] : rest.slice(end)), '--selectProjects', ...names];
}

const child = spawn(
  maintainedNode(),
  [
    '--experimental-vm-modules',
    '--disable-warning=ExperimentalWarning',
    path.join(root, 'node_modules/jest/bin/jest.js'),
    '--config',
    path.join(root, 'jest.config.mjs'),
    ...inOrder(process.argv.slice(2)),
  ],
  { stdio: 'inherit', cwd: root },
);
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
child.on('exit', (code, signal) => {
  process.exitCode = code ?? (signal ? 1 : 0);
});
