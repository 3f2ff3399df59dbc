// Runs jest on a maintained node with ES modules turned on; all arguments go to jest.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
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

/** How long jest may take to end once it was asked to. */
const GRACE_MS = 10_000;
const registry = path.join(root, 'tmp/test-servers', String(process.pid));

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
  { stdio: 'inherit', cwd: root, env: { ...process.env, NESTACK_TEST_REGISTRY: registry } },
);
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    child.kill(signal);
    setTimeout(() => child.kill('SIGKILL'), GRACE_MS).unref();
  });
}
child.on('exit', (code, signal) => {
  endLeftServers();
  process.exitCode = code ?? (signal ? 1 : 0);
});

/** Ends the servers of a run that could not end them itself, because it was killed or has crashed. */
function endLeftServers() {
  if (!existsSync(registry)) return;
  for (const name of readdirSync(registry)) {
    const { pid, began, dir, afterStop } = JSON.parse(readFileSync(path.join(registry, name), 'utf8'));
    // A number may have gone to another process since.
    if (beginOf(pid) !== began) continue;
    console.error(`ending a server that the tests left running: process ${pid} in ${dir}`);
    process.kill(-pid, 'SIGKILL');
    if (afterStop) spawnSync(afterStop[0], afterStop.slice(1), { stdio: 'ignore', timeout: 5000 });
    const top = path.dirname(dir);
    const folder = path.basename(top).startsWith('nestack-test-') ? top : dir;
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
  rmSync(registry, { recursive: true, force: true });
}

/** When a process began, in the system's ticks; null when it is gone, and where there is no /proc. */
function beginOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch (error) {
    if (error.code !== 'ENOENT' && error.code !== 'ESRCH') throw error;
    return null;
  }
}
