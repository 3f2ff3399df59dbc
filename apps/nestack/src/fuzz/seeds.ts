import { randomBytes, randomUUID } from 'node:crypto';
import { patiently, RestError, type Body, type Rest } from '../bootstrap/rest';
import type { FuzzedService } from './services';

/** Ids by the name of the resource, as fuzz/pools.py looks them up. */
export type Ids = Record<string, (string | number)[]>;

/** Resources for one run: what it may change, and how they are removed again. */
export class Seeds {
  readonly own: Ids = {};
  readonly #made: string[] = [];

  constructor(private readonly rest: Rest) {}

  /** Creates a resource and says its id. `kind` is the body's key and the pool's name. */
  async make(kind: string, url: string, fields: Body, headers: Readonly<Record<string, string>> = {}): Promise<string> {
    const answer = await this.rest.post<Record<string, { id?: string; name?: string }>>(
      url,
      { [kind]: fields },
      headers,
    );
    const made = answer[kind];
    const id = String(made?.id ?? made?.name);
    this.keep(kind, id, `${url}/${encodeURIComponent(id)}`);
    return id;
  }

  /** Notes what was made otherwise. */
  keep(kind: string, id: string | number, url: string): void {
    (this.own[kind] ??= []).push(id);
    this.#made.push(url);
  }

  /** Removes what the run has left of the seeds, the newest first. What others still hold stays for the project's end. */
  async remove(): Promise<void> {
    for (const url of this.#made.toReversed()) {
      await this.rest.call('DELETE', url, { accept: [400, 403, 404, 409] });
    }
  }
}

/** A service's URL with its version, which the catalogue has for some. */
const urlOf = (rest: Rest, type: string, version: string): string =>
  `${rest.endpoint(type).replace(new RegExp(`/${version}$`), '')}/${version}`;

const unique = (kind: string): string => `fuzz-${kind}-${randomBytes(4).toString('hex')}`;

/** Makes a service's resources. */
export async function seed(service: FuzzedService['name'], rest: Rest, known: Ids): Promise<Seeds> {
  const seeds = new Seeds(rest);
  await SEEDERS[service](rest, seeds, known);
  return seeds;
}

type Seeder = (rest: Rest, seeds: Seeds, known: Ids) => Promise<void>;

const SEEDERS: Readonly<Record<FuzzedService['name'], Seeder>> = {
  async keystone(rest, seeds) {
    const url = rest.endpoint('identity').replace(/\/v3$/, '') + '/v3';
    for (let turn = 0; turn < 3; turn += 1) {
      const domain = await seeds.make('domain', `${url}/domains`, { name: unique('domain'), enabled: false });
      const project = await seeds.make('project', `${url}/projects`, { name: unique('project') });
      const user = await seeds.make('user', `${url}/users`, {
        name: unique('user'),
        password: randomBytes(12).toString('hex'),
        default_project_id: project,
      });
      const group = await seeds.make('group', `${url}/groups`, { name: unique('group') });
      const role = await seeds.make('role', `${url}/roles`, { name: unique('role') });
      const region = await seeds.make('region', `${url}/regions`, { id: unique('region') });
      const service = await seeds.make('service', `${url}/services`, { type: unique('type'), name: unique('service') });
      await seeds.make('endpoint', `${url}/endpoints`, {
        service_id: service,
        region_id: region,
        interface: 'public',
        url: 'http://127.0.0.1:1/',
      });
      await seeds.make('credential', `${url}/credentials`, { type: 'cert', blob: 'x', user_id: user });
      await seeds.make('policy', `${url}/policies`, { type: 'application/json', blob: '{}' });
      await rest.call('PUT', `${url}/groups/${group}/users/${user}`);
      await rest.call('PUT', `${url}/projects/${project}/users/${user}/roles/${role}`);
      await rest.call('PUT', `${url}/domains/${domain}/groups/${group}/roles/${role}`);
    }
  },

  async glance(rest, seeds) {
    const url = `${rest.endpoint('image')}/v2/images`;
    for (let turn = 0; turn < 4; turn += 1) {
      const fields = { name: unique('image'), disk_format: 'raw', container_format: 'bare', visibility: 'shared' };
      const { id } = await rest.post<{ id: string }>(url, fields);
      seeds.keep('image', id, `${url}/${id}`);
      if (turn % 2 === 1) continue;
      await rest.call('PUT', `${url}/${id}/file`, {
        stream: data(),
        headers: { 'content-type': 'application/octet-stream' },
      });
      await rest.post(`${url}/${id}/members`, { member: rest.projectId });
    }
  },

  async placement(rest, seeds) {
    const url = rest.endpoint('placement');
    const headers = { 'openstack-api-version': 'placement 1.39' };
    const suffix = randomBytes(4).toString('hex').toUpperCase();
    await rest.call('PUT', `${url}/traits/CUSTOM_FUZZ_${suffix}`, { headers });
    seeds.keep('trait', `CUSTOM_FUZZ_${suffix}`, `${url}/traits/CUSTOM_FUZZ_${suffix}`);
    await rest.call('PUT', `${url}/resource_classes/CUSTOM_FUZZ_${suffix}`, { headers });
    seeds.keep('resource_class', `CUSTOM_FUZZ_${suffix}`, `${url}/resource_classes/CUSTOM_FUZZ_${suffix}`);
    for (let turn = 0; turn < 3; turn += 1) {
      const uuid = randomUUID();
      await rest.post(`${url}/resource_providers`, { name: unique('provider'), uuid }, headers);
      seeds.keep('resource_provider', uuid, `${url}/resource_providers/${uuid}`);
      await rest.call('PUT', `${url}/resource_providers/${uuid}/inventories`, {
        headers,
        body: { resource_provider_generation: 0, inventories: { VCPU: { total: 8 }, MEMORY_MB: { total: 4096 } } },
      });
      const consumer = randomUUID();
      await rest.call('PUT', `${url}/allocations/${consumer}`, {
        headers,
        body: {
          allocations: { [uuid]: { resources: { VCPU: 1 } } },
          project_id: rest.projectId,
          user_id: rest.userId,
          consumer_generation: null,
          consumer_type: 'INSTANCE',
        },
      });
      seeds.keep('consumer', consumer, `${url}/allocations/${consumer}`);
    }
  },

  async nova(rest, seeds, known) {
    const url = rest.endpoint('compute');
    const [image, flavor, network] = [known['image']?.[0], '1', known['network']?.[0]];
    for (let turn = 0; turn < 4; turn += 1) {
      const fields = { name: unique('server'), imageRef: image, flavorRef: flavor, networks: [{ uuid: network }] };
      const id = await seeds.make('server', `${url}/servers`, fields);
      await settled(rest, `${url}/servers/${id}`, 'server', 'ACTIVE');
    }
    const [networks, volumes] = [urlOf(rest, 'network', 'v2.0'), rest.endpoint('block-storage')];
    for (let turn = 0; turn < 3; turn += 1) {
      const volume = await seeds.make('volume', `${volumes}/volumes`, { name: unique('volume'), size: 1 });
      await settled(rest, `${volumes}/volumes/${volume}`, 'volume', 'available');
      await seeds.make('port', `${networks}/ports`, { network_id: network });
      await seeds.make('security_group', `${networks}/security-groups`, { name: unique('group') });
      await seeds.make('floatingip', `${networks}/floatingips`, { floating_network_id: known['public_network']?.[0] });
    }
    for (let turn = 0; turn < 2; turn += 1) {
      await seeds.make('keypair', `${url}/os-keypairs`, { name: unique('key') });
      await seeds.make('flavor', `${url}/flavors`, { name: unique('flavor'), ram: 128, vcpus: 1, disk: 1 });
      await seeds.make('aggregate', `${url}/os-aggregates`, { name: unique('aggregate') });
    }
  },

  async cinder(rest, seeds) {
    const url = rest.endpoint('block-storage');
    for (let turn = 0; turn < 4; turn += 1) {
      const id = await seeds.make('volume', `${url}/volumes`, { name: unique('volume'), size: 1 });
      await settled(rest, `${url}/volumes/${id}`, 'volume', 'available');
      if (turn % 2 === 1) continue;
      const snapshot = await seeds.make('snapshot', `${url}/snapshots`, { volume_id: id, name: unique('snapshot') });
      await settled(rest, `${url}/snapshots/${snapshot}`, 'snapshot', 'available');
      await seeds.make('volume_type', `${url}/types`, { name: unique('type') });
      await seeds.make('qos_specs', `${url}/qos-specs`, { name: unique('qos') });
    }
  },

  async neutron(rest, seeds, known) {
    const url = `${rest.endpoint('network').replace(/\/v2\.0$/, '')}/v2.0`;
    for (let turn = 0; turn < 3; turn += 1) {
      const network = await seeds.make('network', `${url}/networks`, { name: unique('network') });
      const cidr = `10.${200 + turn}.0.0/24`;
      await seeds.make('subnet', `${url}/subnets`, { network_id: network, ip_version: 4, cidr });
      await seeds.make('port', `${url}/ports`, { network_id: network });
      await seeds.make('rbac_policy', `${url}/rbac-policies`, {
        object_type: 'network',
        object_id: network,
        action: 'access_as_shared',
        target_tenant: rest.projectId,
      });
      await seeds.make('router', `${url}/routers`, { name: unique('router') });
      const group = await seeds.make('security_group', `${url}/security-groups`, { name: unique('group') });
      await seeds.make('security_group_rule', `${url}/security-group-rules`, {
        security_group_id: group,
        direction: 'ingress',
        protocol: 'tcp',
      });
      const scope = await seeds.make('address_scope', `${url}/address-scopes`, {
        name: unique('scope'),
        ip_version: 4,
      });
      await seeds.make('subnetpool', `${url}/subnetpools`, {
        name: unique('pool'),
        prefixes: [`172.${20 + turn}.0.0/16`],
        address_scope_id: scope,
      });
      await seeds.make('floatingip', `${url}/floatingips`, { floating_network_id: known['public_network']?.[0] });
    }
  },
};

async function* data(): AsyncIterable<Uint8Array> {
  yield await Promise.resolve(randomBytes(4096));
}

/** Waits until a resource has the status. */
async function settled(rest: Rest, url: string, key: string, status: string): Promise<void> {
  await patiently(async () => {
    const found = (await rest.get<Record<string, { status: string }>>(url))[key];
    if (found?.status.toLowerCase() === 'error') throw new RestError(409, 'GET', url, `${key} is in error`);
    if (found?.status !== status) throw new Error(`${key} is not ${status} yet`);
  }, 60_000);
}

/** What is there already and may be named, but not changed. */
export async function knownIds(rest: Rest): Promise<Ids> {
  const ids = async (at: string, key: string): Promise<string[]> =>
    (await rest.get<Record<string, { id: string }[]>>(at))[key]?.map((row) => row.id) ?? [];
  const network = urlOf(rest, 'network', 'v2.0');
  return {
    project: [rest.projectId],
    user: [rest.userId],
    my_project: [rest.projectId],
    my_user: [rest.userId],
    role: await ids(`${urlOf(rest, 'identity', 'v3')}/roles`, 'roles'),
    image: await ids(`${urlOf(rest, 'image', 'v2')}/images?name=cirros`, 'images'),
    flavor: ['1', '2'],
    network: await ids(`${network}/networks?name=private`, 'networks'),
    public_network: await ids(`${network}/networks?router:external=true`, 'networks'),
    volume_type: await ids(`${rest.endpoint('block-storage')}/types`, 'volume_types'),
  };
}
