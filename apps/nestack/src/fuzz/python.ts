import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { run } from '@nestack/kernel/process';
import { aptInstall, requireInstallable } from '../install/apt';
import { fuzzNeeds, missingOf } from '../install/needs';

/**
 * The Python of a virtual environment below the cloud's folder that has what `requirements.txt` pins; made at first use and
 * again when the pins change. Throws UserError where the machine has no Python with venv.
 */
export async function fuzzPython(folder: string, requirements: string): Promise<string> {
  const venv = path.join(folder, 'venv');
  const python = path.join(venv, 'bin', 'python');
  const stamp = path.join(venv, 'requirements.txt');
  const wanted = readFileSync(requirements, 'utf8');
  if (existsSync(python) && existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return python;
  const missing = missingOf(fuzzNeeds());
  if (missing.length > 0) {
    requireInstallable(missing);
    await aptInstall(
      missing.map((need) => need.package),
      () => undefined,
    );
  }
  process.stderr.write(`Installing ${wanted.trim().split('\n').join(', ')} below ${folder}\n`);
  rmSync(venv, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  await run('/usr/bin/python3', ['-m', 'venv', venv], { timeoutMs: 120_000 });
  await run(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirements], {
    timeoutMs: 600_000,
  });
  writeFileSync(stamp, wanted);
  return python;
}
