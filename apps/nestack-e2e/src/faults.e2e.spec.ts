import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Cloud, SIMULATED, until } from './cloud';
import type { Session } from './session';

/**
 * The law: kill any process at any moment, and within 30 s of its return every server is ACTIVE, in ERROR with all it
 * held released, or gone. Each service runs in a process of its own here, the supervisor starts again what dies.
 */
let cloud: Cloud;
let admin: Session;
let image: string;
let network: string;

const RETURN_MS = 60_000;
const LAW_MS = 30_000;

beforeAll(async () => {
  cloud = await Cloud.up({ ...SIMULATED, separate: true });
  admin = await cloud.session('admin');
  const images = `${admin.endpoint('image')}/v2/images`;
  const fields = { name: 'tiny', disk_format: 'raw', container_format: 'bare', visibility: 'public' };
  ({ id: image } = await admin.ask<{ id: string }>('POST', images, fields));
  await admin.send('PUT', `${images}/${image}/file`, {
    raw: new Uint8Array(4096),
    headers: { 'content-type': 'application/octet-stream' },
  });
  const { networks } = await admin.get<{ networks: { id: string }[] }>(
    `${admin.endpoint('network')}/v2.0/networks?name=private`,
  );
  network = networks[0]?.id ?? '';
  const compute = admin.endpoint('compute');
  await admin.ask('PUT', `${compute}/os-quota-sets/${admin.projectId}`, {
    quota_set: { instances: -1, cores: -1, ram: -1 },
  });
}, 300_000);

afterAll(async () => {
  await cloud.reset();
}, 180_000);

interface Server {
  readonly id: string;
  readonly status: string;
  readonly 'OS-EXT-STS:task_state': string | null;
}

const servers = async (): Promise<readonly Server[]> =>
  (await admin.get<{ servers: Server[] }>(`${admin.endpoint('compute')}/servers/detail`)).servers;

/** While something is down a request may fail; whether it took effect shows itself in the list. */
const quietly = async (work: Promise<unknown>): Promise<void> => {
  await work.catch(() => undefined);
};

function boot(name: string): Promise<unknown> {
  return admin.send('POST', `${admin.endpoint('compute')}/servers`, {
    body: { server: { name, imageRef: image, flavorRef: '1', networks: [{ uuid: network }] } },
  });
}

const settled = (list: readonly Server[]): boolean =>
  list.every((server) => ['ACTIVE', 'ERROR'].includes(server.status) && server['OS-EXT-STS:task_state'] === null);

/** What Placement and neutron hold for servers. */
async function held(): Promise<{ vcpus: number; ports: number }> {
  const placement = admin.endpoint('placement');
  const { resource_providers: providers } = await admin.get<{ resource_providers: { uuid: string }[] }>(
    `${placement}/resource_providers`,
  );
  let vcpus = 0;
  for (const { uuid } of providers) {
    const { usages } = await admin.get<{ usages: Record<string, number> }>(
      `${placement}/resource_providers/${uuid}/usages`,
    );
    vcpus += usages['VCPU'] ?? 0;
  }
  const { ports } = await admin.get<{ ports: { device_owner: string }[] }>(`${admin.endpoint('network')}/v2.0/ports`);
  return { vcpus, ports: ports.filter((port) => port.device_owner.startsWith('compute:')).length };
}

const VICTIMS = [
  'nova-conductor',
  'nova-compute',
  'rabbitmq',
  'nova-scheduler',
  'neutron',
  'placement',
  'postgres',
  'nova-api',
  'glance',
  'neutron-agent',
  'keystone',
  'cinder',
] as const;

describe.each(VICTIMS)('SIGKILL of %s while servers boot and delete', (victim) => {
  it('loses nothing', async () => {
    await Promise.all([0, 1, 2, 3].map((index) => boot(`${victim}-old-${index}`)));
    await until('the first servers', async () => settled(await servers()), LAW_MS);
    const old = await servers();
    const compute = admin.endpoint('compute');
    const work = [
      ...[0, 1, 2, 3].map((index) => quietly(boot(`${victim}-new-${index}`))),
      ...old.map((server) => quietly(admin.send('DELETE', `${compute}/servers/${server.id}`))),
    ];
    // Somewhere in the middle of it all.
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 400));
    await cloud.kill(victim);
    await Promise.all(work);
    await until(`${victim} to return`, () => cloud.healthy(), RETURN_MS);
    await until('every server to be settled', async () => settled(await servers()), LAW_MS);
    const left = await servers();
    const active = left.filter((server) => server.status === 'ACTIVE').length;
    await until(
      'nothing but the running servers to hold anything',
      async () => {
        const now = await held();
        if (now.vcpus === active && now.ports === active) return true;
        throw new Error(`${active} servers are ACTIVE, ${JSON.stringify(now)} are held`);
      },
      LAW_MS,
    );
  }, 200_000);
});

describe('afterwards', () => {
  it('everything can be deleted, and nothing is left', async () => {
    const compute = admin.endpoint('compute');
    for (const server of await servers()) await admin.send('DELETE', `${compute}/servers/${server.id}`);
    await until('no servers', async () => (await servers()).length === 0, LAW_MS);
    expect(await held()).toEqual({ vcpus: 0, ports: 0 });
  }, 120_000);
});
