import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { CommandError, run, tryRun } from '@nestack/kernel/process';
import { UserError } from '../user-error';
import { findProgram, type Need } from './needs';

const POLICY = '/usr/sbin/policy-rc.d';
const MARK = '# made by nestack for the time of an installation';
const LISTS = '/var/lib/apt/lists';
const LISTS_GOOD_MS = 7 * 24 * 3_600_000;
const INSTALL_MS = 20 * 60_000;

/** Why packages cannot be installed here, or null when they can. */
export function whyNoApt(): string | null {
  if (process.platform !== 'linux') return 'this is not Linux';
  if (findProgram('apt-get') === null) return 'there is no apt-get here';
  if (process.getuid?.() !== 0) return 'that needs root';
  return null;
}

/** Lines that say what is missing, why it is needed and what works without it; one line per purpose. */
export function explainMissing(missing: readonly Need[]): string[] {
  const purposes = new Map<string, string[]>();
  for (const need of missing) {
    const purpose = `${need.why}. Without: ${need.without}.`;
    purposes.set(purpose, [...(purposes.get(purpose) ?? []), need.package]);
  }
  return [...purposes].map(([purpose, packages]) => `${packages.join(', ')}: ${purpose}`);
}

/** Throws with all that is missing where nothing may be installed. */
export function requireInstallable(missing: readonly Need[]): void {
  const reason = missing.length === 0 ? null : whyNoApt();
  if (reason === null) return;
  throw new UserError(
    [
      `The machine lacks what follows, and it cannot be installed: ${reason}.`,
      ...explainMissing(missing).map((line) => `  ${line}`),
    ].join('\n'),
    `On Debian or Ubuntu, as root: apt-get install ${missing.map((need) => need.package).join(' ')}`,
  );
}

/**
 * Installs packages with one call of apt-get. No service is started by it: a policy file forbids that for the time, and
 * is removed afterwards, also one that an earlier, killed run left behind.
 */
export async function aptInstall(packages: readonly string[], say: (text: string) => void): Promise<void> {
  const guarded = guard();
  try {
    if (!listsAreGood()) {
      say('reading package lists');
      await apt(['update']);
    }
    const install = ['install', '-y', '--no-install-recommends', ...packages];
    try {
      await apt(install);
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      // The lists may name versions that the mirror no longer has.
      say('reading package lists again');
      await apt(['update']);
      await apt(install);
    }
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const lines = error.result.stderr.trim().split('\n').slice(-8).join('\n  ');
    throw new UserError(
      `apt-get could not install ${packages.join(' ')}:\n  ${lines}`,
      'Correct the cause and run this again.',
    );
  } finally {
    if (guarded) rmSync(POLICY, { force: true });
  }
}

async function apt(args: readonly string[]): Promise<void> {
  await run('apt-get', ['-q', '-o', 'Dpkg::Use-Pty=0', '-o', 'DPkg::Lock::Timeout=300', ...args], {
    timeoutMs: INSTALL_MS,
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' },
  });
}

/** Forbids starting services; says whether the file is ours to remove. */
function guard(): boolean {
  if (existsSync(POLICY)) return readFileSync(POLICY, 'utf8').includes(MARK);
  writeFileSync(POLICY, `#!/bin/sh\n${MARK}\nexit 101\n`, { mode: 0o755 });
  return true;
}

function listsAreGood(): boolean {
  try {
    const lists = readdirSync(LISTS).filter((name) => name.includes('_Packages'));
    return lists.some((name) => Date.now() - statSync(path.join(LISTS, name)).mtimeMs < LISTS_GOOD_MS);
  } catch {
    // No lists at all.
    return false;
  }
}

/** Whether a package is installed, by dpkg. */
export async function isInstalled(name: string): Promise<boolean> {
  const result = await tryRun('dpkg-query', ['-W', '-f', '${Status}', name]);
  return result.code === 0 && result.stdout.includes('ok installed');
}
