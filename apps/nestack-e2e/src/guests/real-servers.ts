import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { type Cloud, program, until, type Ended } from '../cloud';
import type { Session } from '../session';

/** A guest without hardware support for it takes its time. */
export const BOOT_MS = 240_000;

export interface Server {
  readonly id: string;
  readonly status: string;
  readonly 'OS-EXT-STS:task_state': string | null;
  readonly addresses: Readonly<Record<string, readonly { readonly addr: string }[]>>;
  readonly fault?: unknown;
}

/** Real servers of one user on one network, as he sees them: through the API, and from inside by ssh. */
export class RealServers {
  private constructor(
    readonly cloud: Cloud,
    readonly session: Session,
    readonly network: string,
    readonly subnet: string,
  ) {}

  /** Makes the user's network and key, and lets ping and ssh in. */
  static async on(cloud: Cloud): Promise<RealServers> {
    const session = await cloud.session();
    const neutron = `${session.endpoint('network')}/v2.0`;
    const make = async (kind: string, fields: object): Promise<string> => {
      const made = await session.ask<Record<string, { id: string }>>('POST', `${neutron}/${kind}s`, { [kind]: fields });
      return made[kind]?.id ?? '';
    };
    const network = await make('network', { name: 'net' });
    const subnet = await make('subnet', { network_id: network, ip_version: 4, cidr: '192.168.79.0/24' });
    const groups = await session.get<{ security_groups: { id: string }[] }>(
      `${neutron}/security-groups?name=default&project_id=${session.projectId}`,
    );
    const group = groups.security_groups[0]?.id ?? '';
    const rule = { security_group_id: group, direction: 'ingress', ethertype: 'IPv4' };
    for (const which of [{ protocol: 'icmp' }, { protocol: 'tcp', port_range_min: 22, port_range_max: 22 }])
      await session.ask('POST', `${neutron}/security-group-rules`, { security_group_rule: { ...rule, ...which } });
    const compute = session.endpoint('compute');
    const key = await session.ask<{ keypair: { private_key: string } }>('POST', `${compute}/os-keypairs`, {
      keypair: { name: 'key' },
    });
    writeFileSync(path.join(cloud.state, 'key'), key.keypair.private_key, { mode: 0o600 });
    return new RealServers(cloud, session, network, subnet);
  }

  get compute(): string {
    return this.session.endpoint('compute');
  }

  /** Asks for a server; answers its id. */
  async create(name: string, imageId: string, flavorId: string): Promise<string> {
    const asked = { name, imageRef: imageId, flavorRef: flavorId, key_name: 'key', networks: [{ uuid: this.network }] };
    return (await this.session.ask<{ server: { id: string } }>('POST', `${this.compute}/servers`, { server: asked }))
      .server.id;
  }

  async show(id: string): Promise<Server> {
    return (await this.session.get<{ server: Server }>(`${this.compute}/servers/${id}`)).server;
  }

  act(id: string, action: object): Promise<unknown> {
    return this.session.ask('POST', `${this.compute}/servers/${id}/action`, action);
  }

  /** Waits for a status with no task under way; fails at once when the server is in ERROR. */
  async become(id: string, status: string): Promise<Server> {
    const server = await until(
      `${status} of ${id}`,
      async () => {
        const now = await this.show(id);
        return now['OS-EXT-STS:task_state'] === null && [status, 'ERROR'].includes(now.status) && now;
      },
      BOOT_MS,
    );
    if (server.status !== status) throw new Error(`it is in ERROR: ${JSON.stringify(server.fault)}`);
    return server;
  }

  async addressOf(id: string): Promise<string> {
    return Object.values((await this.show(id)).addresses)[0]?.[0]?.addr ?? '';
  }

  /** Whether the address answers on the user's network. */
  async pings(address: string): Promise<boolean> {
    return (await this.inNetwork('ping', '-c', '1', '-W', '1', address)).code === 0;
  }

  /** What a command says inside the guest, once it lets us in. */
  ssh(address: string, command: string): Promise<string> {
    const options = ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'LogLevel=ERROR', 'ConnectTimeout=5'];
    const words = ['-i', path.join(this.cloud.state, 'key'), ...options.flatMap((one) => ['-o', one])];
    return until(
      `ssh ${address} ${command}`,
      async () => {
        const ended = await this.inNetwork('ssh', ...words, `cirros@${address}`, `${command}; echo ended`);
        if (!ended.stdout.endsWith('ended\n')) throw new Error(`${ended.stdout}${ended.stderr}`);
        return { said: ended.stdout.slice(0, -'ended\n'.length).trim() };
      },
      BOOT_MS,
    ).then(({ said }) => said);
  }

  /** Whether the guest has a process. */
  async runs(id: string): Promise<boolean> {
    return (await program('pgrep', ['-f', `uuid ${id}`])).stdout !== '';
  }

  /** Kills all services as soon as something is under way, and waits for their return. */
  async cut(what: string, underWay: () => Promise<boolean>): Promise<void> {
    await until(what, underWay);
    await this.cloud.kill('controller');
    await until('the services to return', () => this.cloud.healthy(), 90_000);
  }

  private inNetwork(...args: string[]): Promise<Ended> {
    return program('ip', ['netns', 'exec', `qdhcp-${this.network}`, ...args]);
  }
}
