import { randomBytes } from 'node:crypto';
import type { Rest } from '../bootstrap/rest';
import { atConcurrency } from './measure';
import { until } from './until';

/** What the bench's own resources are called, so that nothing else is touched. */
export const PREFIX = 'bench-';

const MIB = 1024 * 1024;

/** The flavors of a server before and after a resize: those that `up` makes. */
const [TINY, SMALL] = ['1', '2'];

export interface Servers {
  create(name: string): Promise<string>;
  remove(id: string): Promise<void>;
  /** To the other flavor, to VERIFY_RESIZE, and confirmed. */
  resize(id: string): Promise<void>;
  confirmResize(id: string): Promise<void>;
  untilActive(id: string): Promise<void>;
  untilGone(id: string): Promise<void>;
  /** Creates what is missing to a number of servers at 8 clients; all are ACTIVE then. How long the requests took, in ms. */
  fill(total: number): Promise<number>;
  count(): Promise<number>;
  purge(): Promise<void>;
}

/** Servers on a network of the bench's own, with the flavor m1.tiny and any image; without one, an empty image is made. */
export async function serversOf(rest: Rest): Promise<Servers> {
  const compute = rest.endpoint('compute');
  const network = await benchNetwork(rest);
  const base = { imageRef: await anyImage(rest), flavorRef: TINY, networks: [{ uuid: network }] };
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
  const create = async (name: string): Promise<string> => {
    const body = { server: { ...base, name: `${PREFIX}${name}` } };
    return (await rest.post<{ server: { id: string } }>(`${compute}/servers`, body, headers)).server.id;
  };
  return {
    create,
    remove: async (id) => void (await rest.call('DELETE', `${compute}/servers/${id}`, { accept: [404] })),
    resize: async (id) => {
      await rest.call('POST', `${compute}/servers/${id}/action`, { body: { resize: { flavorRef: SMALL } } });
      await until('VERIFY_RESIZE', async () => (await statusOf(id)) === 'VERIFY_RESIZE');
    },
    confirmResize: async (id) => {
      await rest.call('POST', `${compute}/servers/${id}/action`, { body: { confirmResize: null } });
      await until('ACTIVE', async () => (await statusOf(id)) === 'ACTIVE');
    },
    untilActive: (id) => until('ACTIVE', async () => (await statusOf(id)) === 'ACTIVE'),
    untilGone: (id) => until('gone', async () => (await statusOf(id)) === null),
    fill: async (total) => {
      const missing = total - (await mine()).length;
      const began = performance.now();
      const batch = randomBytes(3).toString('hex');
      await atConcurrency(Math.max(0, missing), 8, async (run) => void (await create(`${batch}-${run}`)));
      const posted = performance.now() - began;
      const active = async (): Promise<boolean> => {
        const all = await mine();
        const failed = all.find((one) => one.status === 'ERROR');
        if (failed !== undefined) throw new Error(`server ${failed.id} is in ERROR`);
        return all.filter((one) => one.status === 'ACTIVE').length >= total;
      };
      await until('all ACTIVE', active);
      return posted;
    },
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

const NETWORK = `${PREFIX}servers`;

/** A network that has addresses for all servers; the one of `up` has 250. */
async function benchNetwork(rest: Rest): Promise<string> {
  const url = `${rest.endpoint('network')}/v2.0`;
  const { networks } = await rest.get<{ networks: { id: string }[] }>(`${url}/networks?name=${NETWORK}`);
  const [known] = networks;
  if (known !== undefined) return known.id;
  const { network } = await rest.post<{ network: { id: string } }>(`${url}/networks`, { network: { name: NETWORK } });
  const subnet = { network_id: network.id, ip_version: 4, cidr: '10.230.0.0/16' };
  await rest.post(`${url}/subnets`, { subnet });
  return network.id;
}

/** Removes what servers a scenario left for the next one, and their network. */
export async function removeBenchServers(rest: Rest): Promise<void> {
  const left = `${rest.endpoint('compute')}/servers?limit=1&name=${PREFIX}`;
  if ((await rest.get<{ servers: unknown[] }>(left)).servers.length > 0) await (await serversOf(rest)).purge();
  const url = `${rest.endpoint('network')}/v2.0/networks`;
  const { networks } = await rest.get<{ networks: { id: string }[] }>(`${url}?name=${NETWORK}`);
  for (const { id } of networks) await rest.call('DELETE', `${url}/${id}`, { accept: [404, 409] });
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
    stream: once(Buffer.alloc(MIB)),
    headers: { 'content-type': 'application/octet-stream' },
  });
  return image.id;
}

async function* once(block: Buffer): AsyncGenerator<Uint8Array> {
  yield block;
}
