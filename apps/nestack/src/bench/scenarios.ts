import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { run as runProgram } from '@nestack/kernel/process';
import type { Rest } from '../bootstrap/rest';
import { atConcurrency, median, percentile, timeEach, type Result } from './measure';
import { cpuMsOf, memoryOf, residentOf } from './processes';

/** What scenarios work with. */
export interface Bench {
  readonly rest: Rest;
  readonly keystone: string;
  readonly stateDir: string;
  /** All processes of the cloud now, and that of the services. */
  readonly pids: () => readonly number[];
  readonly servicePids: () => readonly number[];
  readonly scaled: (runs: number) => number;
  /** Stops and starts the cloud; resolves when `up` has ended. */
  readonly restart: () => Promise<void>;
  readonly cli: string;
}

export type Scenario = (bench: Bench) => Promise<Result>;

const MIB = 1024 * 1024;
const PREFIX = 'bench-';
const UPLOAD_MIB = 256;

/** From nothing running to the first ACTIVE server. */
const boot: Scenario = async (bench) => {
  await runProgram(process.execPath, [bench.cli, 'down', '--state', bench.stateDir], { timeoutMs: 120_000 });
  const began = performance.now();
  await bench.restart();
  const up = performance.now() - began;
  await bench.rest.login();
  const servers = await serversOf(bench);
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
const idle: Scenario = async (bench) => {
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

const tokenIssue: Scenario = async (bench) => {
  const runs = bench.scaled(20);
  return { name: 'token issue', runs, ...(await timeEach(runs, 2, bench.pids, () => bench.rest.login())) };
};

const tokenValidate: Scenario = async (bench) => {
  const runs = bench.scaled(200);
  const url = `${bench.keystone}/auth/tokens`;
  const headers = { 'x-subject-token': bench.rest.token };
  const timing = await timeEach(runs, 10, bench.pids, () => bench.rest.call('GET', url, { headers }));
  return { name: 'token validate', runs, ...timing, ...below(timing.medianMs, 5) };
};

const imageList: Scenario = async (bench) => {
  const runs = bench.scaled(200);
  const url = `${bench.rest.endpoint('image')}/v2/images`;
  const timing = await timeEach(runs, 10, bench.pids, () => bench.rest.call('GET', url));
  return { name: 'image list', runs, ...timing, ...below(timing.medianMs, 5) };
};

const createOne: Scenario = async (bench) => {
  const servers = await serversOf(bench);
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

/** Also leaves its servers for `serverList`. */
const createMany: Scenario = async (bench) => {
  const servers = await serversOf(bench);
  await servers.purge();
  const total = bench.scaled(100);
  const cpu = cpuMsOf(bench.pids());
  const began = performance.now();
  await atConcurrency(total, 8, async (run) => void (await servers.create(`many-${run}`)));
  const posted = performance.now() - began;
  await servers.untilAll(total);
  const took = performance.now() - began;
  return {
    name: `${total} servers at 8 clients, all ACTIVE`,
    runs: total,
    medianMs: took,
    cpuMsPerOp: (cpuMsOf(bench.pids()) - cpu) / total,
    extra: { 'requests ms': posted, 'servers/s': (total * 1000) / took },
    limit: '100 within 10 s',
    kept: took < 10_000,
  };
};

const serverList: Scenario = async (bench) => {
  const servers = await serversOf(bench);
  const runs = bench.scaled(100);
  const url = `${bench.rest.endpoint('compute')}/servers/detail`;
  const count = await servers.count();
  const timing = await timeEach(runs, 5, bench.pids, () => bench.rest.call('GET', url));
  const began = performance.now();
  await servers.purge();
  const extra = { servers: count, 'delete all s': (performance.now() - began) / 1000 };
  return { name: 'server list with details', runs, ...timing, extra, ...below(timing.medianMs, 5) };
};

const upload: Scenario = async (bench) => {
  const block = randomBytes(MIB);
  const disk = median([1, 2, 3].map(() => writeSpeed(bench.stateDir, block)));
  const url = `${bench.rest.endpoint('image')}/v2/images`;
  const rates: number[] = [];
  let growth = 0;
  for (let run = 0; run < 3; run++) {
    const body = { name: `${PREFIX}upload`, disk_format: 'raw', container_format: 'bare' };
    const image = await bench.rest.post<{ id: string }>(url, body);
    const before = residentOf(bench.servicePids());
    const sampler = setInterval(() => {
      growth = Math.max(growth, (residentOf(bench.servicePids()) - before) / MIB);
    }, 50);
    try {
      const began = performance.now();
      await bench.rest.call('PUT', `${url}/${image.id}/file`, {
        stream: repeated(block, UPLOAD_MIB),
        headers: { 'content-type': 'application/octet-stream' },
      });
      rates.push((UPLOAD_MIB * 1000) / (performance.now() - began));
    } finally {
      clearInterval(sampler);
      await bench.rest.call('DELETE', `${url}/${image.id}`, { accept: [404] });
    }
  }
  const rate = median(rates);
  return {
    name: `image upload ${UPLOAD_MIB} MiB`,
    runs: rates.length,
    medianMs: (UPLOAD_MIB * 1000) / rate,
    extra: { 'MiB/s': rate, 'disk MiB/s': disk, 'memory growth MiB': growth },
    limit: "half the disk's speed, memory flat",
    kept: rate >= disk / 2 && growth < 64,
  };
};

export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  boot,
  idle,
  'token-issue': tokenIssue,
  'token-validate': tokenValidate,
  'image-list': imageList,
  'create-one': createOne,
  'create-many': createMany,
  'server-list': serverList,
  upload,
};

function below(value: number, limit: number): Pick<Result, 'limit' | 'kept'> {
  return { limit: `median < ${limit} ms`, kept: value < limit };
}

async function* repeated(block: Buffer, times: number): AsyncGenerator<Uint8Array> {
  for (let count = 0; count < times; count++) yield block;
}

/** The disk's own sequential write speed in MiB/s, data on the disk at the end. */
function writeSpeed(folder: string, block: Buffer): number {
  const file = path.join(folder, '.bench-write');
  const fd = openSync(file, 'w');
  try {
    const began = performance.now();
    for (let count = 0; count < UPLOAD_MIB; count++) writeSync(fd, block);
    fsyncSync(fd);
    return (UPLOAD_MIB * 1000) / (performance.now() - began);
  } finally {
    closeSync(fd);
    rmSync(file, { force: true });
  }
}

interface Servers {
  create(name: string): Promise<string>;
  remove(id: string): Promise<void>;
  untilActive(id: string): Promise<void>;
  untilGone(id: string): Promise<void>;
  untilAll(count: number): Promise<void>;
  count(): Promise<number>;
  purge(): Promise<void>;
}

/** Servers on the network `private` with the flavor m1.tiny and any image; without one, an empty image is made. */
async function serversOf(bench: Bench): Promise<Servers> {
  const { rest } = bench;
  const compute = rest.endpoint('compute');
  const { networks } = await rest.get<{ networks: { id: string }[] }>(
    `${rest.endpoint('network')}/v2.0/networks?name=private`,
  );
  const network = networks[0]?.id;
  if (network === undefined) throw new Error('there is no network private');
  const base = { imageRef: await anyImage(rest), flavorRef: '1', networks: [{ uuid: network }] };
  // 2.79 as the outside measurements do: the answer embeds the flavor.
  const headers = { 'openstack-api-version': 'compute 2.79' };
  const statusOf = async (id: string): Promise<string | null> => {
    const answer = await rest.call('GET', `${compute}/servers/${id}`, { accept: [404], headers });
    if (answer.status === 404) return null;
    const { server } = JSON.parse(answer.text) as { server: { status: string; fault?: { message: string } } };
    if (server.status === 'ERROR') throw new Error(`server ${id}: ${server.fault?.message ?? 'ERROR'}`);
    return server.status;
  };
  const mine = async (): Promise<{ id: string; status: string }[]> => {
    const url = `${compute}/servers/detail?limit=1000&name=${PREFIX}`;
    return (await rest.get<{ servers: { id: string; status: string }[] }>(url)).servers;
  };
  const until = async (what: string, check: () => Promise<boolean>): Promise<void> => {
    const end = Date.now() + 120_000;
    while (!(await check())) {
      if (Date.now() > end) throw new Error(`timed out: ${what}`);
      await delay(10);
    }
  };
  return {
    create: async (name) => {
      const body = { server: { ...base, name: `${PREFIX}${name}` } };
      return (await rest.post<{ server: { id: string } }>(`${compute}/servers`, body, headers)).server.id;
    },
    remove: async (id) => void (await rest.call('DELETE', `${compute}/servers/${id}`, { accept: [404] })),
    untilActive: (id) => until('ACTIVE', async () => (await statusOf(id)) === 'ACTIVE'),
    untilGone: (id) => until('gone', async () => (await statusOf(id)) === null),
    untilAll: (count) =>
      until('all ACTIVE', async () => {
        const all = await mine();
        const failed = all.find((one) => one.status === 'ERROR');
        if (failed !== undefined) throw new Error(`server ${failed.id} is in ERROR`);
        return all.filter((one) => one.status === 'ACTIVE').length >= count;
      }),
    count: async () => (await mine()).length,
    purge: async () => {
      const all = await mine();
      await atConcurrency(all.length, 8, async (run) => {
        await rest.call('DELETE', `${compute}/servers/${all[run]?.id ?? ''}`, { accept: [404] });
      });
      await until('all gone', async () => (await mine()).length === 0);
    },
  };
}

async function anyImage(rest: Rest): Promise<string> {
  const url = `${rest.endpoint('image')}/v2/images`;
  const { images } = await rest.get<{ images: { id: string; name: string }[] }>(`${url}?status=active`);
  const usable = images.find((image) => image.name === 'cirros') ?? images[0];
  if (usable !== undefined) return usable.id;
  const image = await rest.post<{ id: string }>(url, {
    name: 'bench-base',
    disk_format: 'raw',
    container_format: 'bare',
  });
  await rest.call('PUT', `${url}/${image.id}/file`, {
    stream: repeated(Buffer.alloc(MIB), 1),
    headers: { 'content-type': 'application/octet-stream' },
  });
  return image.id;
}
