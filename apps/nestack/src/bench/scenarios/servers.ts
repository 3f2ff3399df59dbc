import { median, percentile, timeEach, type Result } from '../measure';
import { cpuMsOf } from '../processes';
import { below, type Bench, type Scenario } from '../scenario';
import { serversOf } from '../servers';

export const createOne: Scenario = async (bench) => {
  const servers = await serversOf(bench.rest);
  const runs = bench.scaled(20);
  const deletes: number[] = [];
  const creates: number[] = [];
  const cpu = cpuMsOf(bench.pids());
  for (let run = -2; run < runs; run++) {
    const began = performance.now();
    const id = await servers.create(`one-${run}`);
    await servers.untilActive(id);
    const active = performance.now();
    await servers.remove(id);
    await servers.untilGone(id);
    if (run < 0) continue;
    creates.push(active - began);
    deletes.push(performance.now() - active);
  }
  const medianMs = median(creates);
  return {
    name: 'server create to ACTIVE, 1 client',
    runs,
    medianMs,
    p95Ms: percentile(creates, 0.95),
    cpuMsPerOp: (cpuMsOf(bench.pids()) - cpu) / (runs + 2),
    extra: { 'delete to gone ms': median(deletes) },
    ...below(medianMs, 250),
  };
};

/** From the request to VERIFY_RESIZE, and confirmed. */
export const resize: Scenario = async (bench) => {
  const servers = await serversOf(bench.rest);
  const runs = bench.scaled(10);
  const resizes: number[] = [];
  const confirms: number[] = [];
  const cpu = cpuMsOf(bench.pids());
  for (let run = -1; run < runs; run++) {
    const id = await servers.create(`resize-${run}`);
    await servers.untilActive(id);
    const began = performance.now();
    await servers.resize(id);
    const resized = performance.now();
    await servers.confirmResize(id);
    if (run >= 0) {
      resizes.push(resized - began);
      confirms.push(performance.now() - resized);
    }
    await servers.purge();
  }
  const medianMs = median(resizes);
  return {
    name: 'server resize to VERIFY_RESIZE',
    runs,
    medianMs,
    p95Ms: percentile(resizes, 0.95),
    // With the boot before and the delete after it.
    cpuMsPerOp: (cpuMsOf(bench.pids()) - cpu) / (runs + 1),
    extra: { 'confirm ms': median(confirms) },
    ...below(medianMs, 600),
  };
};

export const createMany: Scenario = async (bench) => {
  const servers = await serversOf(bench.rest);
  await servers.purge();
  const total = bench.scaled(100);
  const cpu = cpuMsOf(bench.pids());
  const began = performance.now();
  const posted = await servers.fill(total);
  const took = performance.now() - began;
  const perSecond = (total * 1000) / took;
  return {
    name: `${total} servers at 8 clients, all ACTIVE`,
    runs: total,
    medianMs: took,
    cpuMsPerOp: (cpuMsOf(bench.pids()) - cpu) / total,
    extra: { 'requests ms': posted, 'servers/s': perSecond },
    limit: '20 servers/s',
    kept: perSecond >= 20,
  };
};

export const serverList: Scenario = (bench) => list(bench, 100, 5);

/** Leaves nothing: the last of the scenarios that want many servers. */
export const serverListLong: Scenario = async (bench) => {
  const result = await list(bench, 500, 30);
  const servers = await serversOf(bench.rest);
  const began = performance.now();
  await servers.purge();
  return { ...result, extra: { ...result.extra, 'delete all s': (performance.now() - began) / 1000 } };
};

/** A list with details of at least so many servers, against a limit in ms; the servers stay for the next scenario. */
async function list(bench: Bench, atLeast: number, limitMs: number): Promise<Result> {
  const servers = await serversOf(bench.rest);
  await servers.fill(bench.scaled(atLeast));
  const runs = bench.scaled(100);
  const count = await servers.count();
  const url = `${bench.rest.endpoint('compute')}/servers/detail`;
  const timing = await timeEach(runs, 5, bench.pids, () => bench.rest.call('GET', url));
  const name = `server list with details, ${count}`;
  return { name, runs, ...timing, ...below(timing.medianMs, limitMs) };
}
