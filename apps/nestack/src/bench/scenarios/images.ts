import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';
import { median, timeEach } from '../measure';
import { residentOf } from '../processes';
import { below, type Scenario } from '../scenario';
import { PREFIX } from '../servers';

const MIB = 1024 * 1024;
const UPLOAD_MIB = 256;

export const imageList: Scenario = async (bench) => {
  const runs = bench.scaled(200);
  const url = `${bench.rest.endpoint('image')}/v2/images`;
  const timing = await timeEach(runs, 10, bench.pids, () => bench.rest.call('GET', url));
  return { name: 'image list', runs, ...timing, ...below(timing.medianMs, 5) };
};

export const upload: Scenario = async (bench) => {
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
