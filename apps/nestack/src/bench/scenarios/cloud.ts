import { setTimeout as delay } from 'node:timers/promises';
import { run as runProgram } from '@nestack/kernel/process';
import { cpuMsOf, memoryOf } from '../processes';
import type { Scenario } from '../scenario';
import { serversOf } from '../servers';

const MIB = 1024 * 1024;

/** From nothing running to the first ACTIVE server. */
export const boot: Scenario = async (bench) => {
  await runProgram(process.execPath, [bench.cli, 'down', '--state', bench.stateDir], { timeoutMs: 120_000 });
  const began = performance.now();
  await bench.restart();
  const up = performance.now() - began;
  await bench.rest.login();
  const servers = await serversOf(bench.rest);
  const id = await servers.create('boot');
  await servers.untilActive(id);
  const total = performance.now() - began;
  await servers.purge();
  const extra = { 'up s': up / 1000, 'first ACTIVE s': total / 1000 };
  return {
    name: 'start to first ACTIVE server',
    runs: 1,
    medianMs: total,
    extra,
    limit: '< 10 s',
    kept: total < 10_000,
  };
};

/** Memory and processor time while nothing is asked. */
export const idle: Scenario = async (bench) => {
  const seconds = 10;
  // What the start left to be collected is no idle memory.
  await delay(5000);
  const pids = bench.pids();
  const cpu = cpuMsOf(pids);
  await delay(seconds * 1000);
  const percent = (cpuMsOf(pids) - cpu) / (seconds * 10);
  const memory = memoryOf(bench.pids());
  const pss = memory.pss / MIB;
  const extra = { 'PSS MiB': pss, 'RSS MiB': memory.rss / MIB, 'CPU %': percent, processes: pids.length };
  return { name: 'idle', runs: 1, extra, limit: 'PSS < 600 MiB', kept: pss < 600 };
};
