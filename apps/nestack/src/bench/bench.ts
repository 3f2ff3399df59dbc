import { availableParallelism, release, totalmem } from 'node:os';
import { writeFileSync } from 'node:fs';
import { run } from '@nestack/kernel/process';
import { Rest } from '../bootstrap/rest';
import { roleNames } from '../cloud/config-files';
import { requireSettings, secretOf } from '../cloud/settings';
import { authUrlOf, placeOf, type CommonOptions } from '../commands/cloud';
import { supervisorStatus } from '../supervisor/client';
import { table } from '../text-table';
import { UserError } from '../user-error';
import { rowsOf, type Result } from './measure';
import { processTree } from './processes';
import { liftQuotas } from './quotas';
import type { Bench } from './scenario';
import { SCENARIOS } from './scenarios';
import { removeBenchServers } from './servers';

interface BenchOptions extends CommonOptions {
  readonly json?: string;
  readonly only?: string;
  readonly scale: number;
  readonly boot?: boolean;
}

/** Measures the running cloud through its public APIs; table, and JSON where asked for. */
export async function bench(options: BenchOptions): Promise<void> {
  const { layout, cli } = placeOf(options);
  const settings = requireSettings(layout);
  let roots = await rootsOf();
  const rest = new Rest({
    authUrl: authUrlOf(settings),
    username: 'admin',
    password: secretOf(settings, 'admin'),
    project: 'admin',
  });
  await rest.login();

  async function rootsOf(): Promise<{ all: number[]; services: number[] }> {
    const view = await supervisorStatus(layout);
    if (view === null) throw new UserError('The cloud is down.', 'Start it with: nestack up');
    const pid = (one: { pid: number | null }): number[] => (one.pid === null ? [] : [one.pid]);
    const roles = new Set(settings.hosts.flatMap((host) => roleNames(settings, host)));
    const services = view.processes.filter((one) => roles.has(one.name));
    return { all: [view.pid, ...view.processes.flatMap(pid)], services: services.flatMap(pid) };
  }

  const tools: Bench = {
    rest,
    cli,
    keystone: authUrlOf(settings),
    stateDir: layout.root,
    pids: () => processTree(roots.all),
    servicePids: () => roots.services,
    scaled: (runs) => Math.max(1, Math.round(runs * options.scale)),
    restart: async () => {
      await run(process.execPath, [cli, 'up', '--state', layout.root], { timeoutMs: 600_000 });
      roots = await rootsOf();
    },
  };
  const results: Result[] = [];
  const restoreQuotas = await liftQuotas(rest);
  try {
    for (const name of chosen(options)) {
      process.stderr.write(`${name}…\n`);
      const scenario = SCENARIOS[name];
      if (scenario !== undefined) results.push(await scenario(tools));
    }
  } finally {
    await removeBenchServers(rest)
      .finally(restoreQuotas)
      .finally(() => rest.close());
  }
  report(results, options.json ?? null, settings.virt);
}

function chosen(options: BenchOptions): string[] {
  const names = Object.keys(SCENARIOS);
  const only = options.only?.split(',') ?? names.filter((name) => name !== 'boot' || options.boot === true);
  const unknown = only.filter((name) => !names.includes(name));
  if (unknown.length > 0) throw new UserError(`No scenario ${unknown.join(', ')}.`, `There are ${names.join(', ')}.`);
  return only;
}

function report(results: readonly Result[], file: string | null, virt: string): void {
  const machine = {
    processors: availableParallelism(),
    memoryMib: Math.round(totalmem() / 1024 / 1024),
    kernel: release(),
  };
  const header = ['scenario', 'runs', 'median ms', 'p95 ms', 'CPU ms/op', 'more', 'limit', ''];
  process.stdout.write(
    `${machine.processors} processors, ${machine.memoryMib} MiB, Linux ${machine.kernel}, driver ${virt}\n\n`,
  );
  process.stdout.write(table(header, rowsOf(results)));
  if (file === null) return;
  const document = { date: new Date().toISOString(), machine, virt, results };
  writeFileSync(file, `${JSON.stringify(document, null, 2)}\n`);
  process.stdout.write(`\n${file} is written.\n`);
}
