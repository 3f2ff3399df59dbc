import { requireSettings } from '../cloud/settings';
import { memoryOf, processTree } from '../bench/processes';
import { supervisorStatus } from '../supervisor/client';
import { placeOf, type CommonOptions } from './cloud';
import { serviceHealth } from './health';
import { table } from '../text-table';

/** Tells the health of each part; the exit code is 0 only when all is well. */
export async function status(options: CommonOptions & { readonly json?: boolean }): Promise<void> {
  const { layout } = placeOf(options);
  const settings = requireSettings(layout);
  const view = await supervisorStatus(layout);
  const services = await serviceHealth(settings);
  const processes = (view?.processes ?? []).map((one) => ({
    ...one,
    memoryMib: one.pid === null ? null : Math.round(memoryOf(processTree([one.pid])).pss / 1024 / 1024),
  }));
  const well =
    view !== null && processes.every((one) => one.state === 'running') && services.every((one) => one.healthy);
  process.exitCode = well ? 0 : 1;
  if (options.json === true) {
    process.stdout.write(
      `${JSON.stringify({ running: view !== null, healthy: well, processes, services, hosts: settings.hosts }, null, 2)}\n`,
    );
    return;
  }
  if (view === null) {
    process.stdout.write(`The cloud in ${layout.root} is down. Start it with: nestack up\n`);
    return;
  }
  const rows = processes.map((one) => [
    one.name,
    one.state,
    one.pid === null ? '-' : String(one.pid),
    one.memoryMib === null ? '-' : `${one.memoryMib} MiB`,
    `${one.restarts}`,
    one.lastExit ?? '',
  ]);
  process.stdout.write(table(['process', 'state', 'pid', 'memory', 'restarts', 'last end'], rows));
  process.stdout.write('\n');
  process.stdout.write(
    table(
      ['service', 'health', 'url'],
      services.map((one) => [one.name, one.detail, one.url]),
    ),
  );
  process.stdout.write(`\nCompute hosts: ${settings.hosts.join(', ')}\n`);
}
