import { readConfigFile } from '@nestack/kernel/config';
import { runApps, startApp, type RunningApp } from '@nestack/kernel/app';
import { openGateway, openUplink } from './compose/gateway';
import { loadApp } from './compose/registry';
import type { RoleConfig } from './compose/role';

/** Starts all apps of one node role in this process: `main.js --config FILE`. */
async function startRole(): Promise<readonly RunningApp[]> {
  const at = process.argv.indexOf('--config');
  const file = process.argv[at + 1];
  if (at < 0 || file === undefined) throw new Error('usage: main.js --config FILE');
  const role = readConfigFile(file) as unknown as RoleConfig;
  if (role.uplink !== undefined) await openUplink(role.uplink);
  if (role.gateway !== undefined) await openGateway(role.gateway);
  // All at once: each waits for its own schema; what one needs of another it asks for later.
  return Promise.all(
    Object.entries(role.apps).map(async ([name, values]) => {
      try {
        return await startApp(await loadApp(name), values);
      } catch (error) {
        throw new Error(`${name} cannot start: ${error instanceof Error ? error.message : String(error)}`, {
          cause: error,
        });
      }
    }),
  );
}

void runApps(startRole);
