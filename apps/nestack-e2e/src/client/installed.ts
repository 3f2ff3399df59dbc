import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { program, ROOT } from '../cloud';

const PINNED = path.join(import.meta.dirname, 'newest.txt');

/** The interpreter of the distribution's client: the one that the `openstack` program of PATH names in its first line. */
export function distributionPython(): string {
  for (const folder of (process.env['PATH'] ?? '').split(path.delimiter)) {
    const file = path.join(folder, 'openstack');
    if (!existsSync(file)) continue;
    const [, python] = /^#!\s*(\S+)/.exec(readFileSync(file, 'utf8')) ?? [];
    if (python !== undefined) return python;
  }
  throw new Error('there is no openstack client; ./nestack install --for test brings it');
}

/** The interpreter of the newest client from PyPI, in the versions of newest.txt; installed at its first use below tmp/. */
export async function newestPython(): Promise<string> {
  const pins = createHash('sha256').update(readFileSync(PINNED)).digest('hex').slice(0, 12);
  const folder = path.join(ROOT, 'tmp/openstack-client', pins);
  const python = path.join(folder, 'bin/python');
  const complete = path.join(folder, 'complete');
  if (existsSync(complete)) return python;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(path.dirname(folder), { recursive: true });
  await step(distributionPython(), ['-m', 'venv', folder]);
  await step(python, [
    '-m',
    'pip',
    'install',
    '--quiet',
    '--no-compile',
    '--disable-pip-version-check',
    '--requirement',
    PINNED,
  ]);
  mkdirSync(`${complete}.new`);
  renameSync(`${complete}.new`, complete);
  return python;
}

async function step(command: string, args: readonly string[]): Promise<void> {
  const ended = await program(command, args);
  if (ended.code !== 0)
    throw new Error(
      `installing the newest client failed: ${command} ${args.join(' ')}\n${ended.stdout}${ended.stderr}`,
    );
}
