import { median, percentile, timeEach } from '../measure';
import { cpuMsOf } from '../processes';
import { below, type Bench, type Scenario } from '../scenario';
import { PREFIX, serversOf } from '../servers';
import { until } from '../until';

/** From the request to `available`. */
export const volumeCreate: Scenario = async (bench) => {
  const volumes = volumesOf(bench);
  const runs = bench.scaled(20);
  const made: string[] = [];
  const timing = await timeEach(runs, 2, bench.pids, async () => {
    const id = await volumes.create();
    made.push(id);
    await volumes.until(id, 'available');
  });
  const began = performance.now();
  for (const id of made) await volumes.remove(id);
  const extra = { 'delete to gone ms': (performance.now() - began) / made.length };
  return { name: 'volume create to available', runs, ...timing, extra, ...below(timing.medianMs, 100) };
};

/** From the request to a server to `in-use`, and back to `available`. */
export const volumeAttach: Scenario = async (bench) => {
  const volumes = volumesOf(bench);
  const servers = await serversOf(bench.rest);
  const runs = bench.scaled(15);
  const [server, volume] = [await servers.create('attach'), await volumes.create()];
  await Promise.all([servers.untilActive(server), volumes.until(volume, 'available')]);
  const url = `${bench.rest.endpoint('compute')}/servers/${server}/os-volume_attachments`;
  const attaches: number[] = [];
  const detaches: number[] = [];
  const cpu = cpuMsOf(bench.pids());
  for (let run = -2; run < runs; run++) {
    const began = performance.now();
    await bench.rest.post(url, { volumeAttachment: { volumeId: volume } });
    await volumes.until(volume, 'in-use');
    const attached = performance.now();
    await bench.rest.call('DELETE', `${url}/${volume}`);
    await volumes.until(volume, 'available');
    const detached = performance.now();
    // Nova lets go of it last, as upstream: until then it refuses the next attachment.
    const held = () => bench.rest.get<{ volumeAttachments: unknown[] }>(url);
    await until('nova to let go of the volume', async () => (await held()).volumeAttachments.length === 0);
    if (run < 0) continue;
    attaches.push(attached - began);
    detaches.push(detached - attached);
  }
  const cpuMsPerOp = (cpuMsOf(bench.pids()) - cpu) / (runs + 2);
  await servers.purge();
  await volumes.remove(volume);
  const medianMs = median(attaches);
  return {
    name: 'volume attach to in-use',
    runs,
    medianMs,
    p95Ms: percentile(attaches, 0.95),
    cpuMsPerOp,
    extra: { 'detach to available ms': median(detaches) },
    ...below(medianMs, 300),
  };
};

interface Volumes {
  create(): Promise<string>;
  until(id: string, status: string): Promise<void>;
  /** Resolves when it is gone. */
  remove(id: string): Promise<void>;
}

function volumesOf({ rest }: Bench): Volumes {
  const url = `${rest.endpoint('block-storage')}/volumes`;
  const statusOf = async (id: string): Promise<string | null> => {
    const answer = await rest.call('GET', `${url}/${id}`, { accept: [404] });
    if (answer.status === 404) return null;
    const { status } = (JSON.parse(answer.text) as { volume: { status: string } }).volume;
    if (status.startsWith('error')) throw new Error(`volume ${id} is in ${status}`);
    return status;
  };
  return {
    create: async () => {
      const body = { volume: { name: `${PREFIX}volume`, size: 1 } };
      return (await rest.post<{ volume: { id: string } }>(url, body)).volume.id;
    },
    until: (id, status) => until(`volume ${status}`, async () => (await statusOf(id)) === status),
    remove: async (id) => {
      await rest.call('DELETE', `${url}/${id}`, { accept: [404] });
      await until('volume gone', async () => (await statusOf(id)) === null);
    },
  };
}
