import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { program, REAL, until, type Ended } from '../../cloud';
import { Lab } from '../lab';

/** A guest without hardware support for it takes its time. */
export const BOOT_MS = 240_000;

export interface Guest {
  readonly id: string;
  /** Name of its network. */
  readonly network: string;
  readonly address: string;
  readonly port: string;
  readonly mac: string;
}

/** A compute host as its administrator sees it. */
export interface Host {
  readonly name: string;
  /** Its network namespace; null: this machine's own. */
  readonly namespace: string | null;
  /** Its end of tunnels. */
  readonly address: string;
  /** Its bridge onto the physical network `public`; empty without one. */
  readonly physical: string;
}

/** The first part of an id that device names have. */
export const short = (id: string): string => id.slice(0, 11);

/** Runs a program in a network namespace. */
export const inside = (namespace: string | null, ...words: readonly string[]): Promise<Ended> => {
  const [command = '', ...args] = namespace === null ? words : ['ip', 'netns', 'exec', namespace, ...words];
  return program(command, args);
};

/** What a program says that must succeed. */
export async function shown(namespace: string | null, ...words: readonly string[]): Promise<string> {
  const ended = await inside(namespace, ...words);
  if (ended.code !== 0) throw new Error(`${words.join(' ')}: ${ended.stderr}${ended.stdout}`);
  return ended.stdout;
}

/** Names of the devices in a bridge. */
export async function membersOf(namespace: string | null, bridge: string): Promise<string[]> {
  const text = await shown(namespace, 'ip', '-j', 'link', 'show', 'master', bridge);
  const links = (text.trim() === '' ? [] : JSON.parse(text)) as { ifname?: string }[];
  return links.flatMap(({ ifname }) => ifname ?? []);
}

/** A cloud with real guests on real networks and a second compute host, which all scenarios on hosts share. */
export class RealLab {
  private readonly guests = new Map<string, Guest>();
  private readonly asked = new Map<string, string>();
  private readonly networks = new Map<string, string>();
  private readonly hosts = new Map<string, Host>();
  private constructor(
    readonly lab: Lab,
    readonly controller: string,
  ) {}

  static async up(): Promise<RealLab> {
    const lab = await Lab.up(REAL);
    const [controller = ''] = await lab.admin.column('hypervisor list', 'Hypervisor Hostname');
    const real = new RealLab(lab, controller);
    await real.know(controller, null);
    writeFileSync(path.join(lab.cloud.state, 'key'), await lab.demo.run('keypair create key'), { mode: 0o600 });
    return real;
  }

  /** `nestack compute add second`. The services are away for a moment: they open a way in for further hosts. */
  async addSecond(): Promise<void> {
    if (this.hosts.has('second')) return;
    const added = await this.lab.cloud.nestack('compute', 'add', 'second');
    if (added.code !== 0) throw new Error(`nestack compute add: ${added.stdout}${added.stderr}`);
    // The names of a cloud's devices and namespaces on this machine have the same tag.
    await this.know('second', `nestack-${this.host().physical.slice('nsx'.length)}-second`);
  }

  async end(): Promise<void> {
    await this.lab.end();
  }

  host(name = this.controller): Host {
    const found = this.hosts.get(name);
    if (found === undefined) throw new Error(`no host ${name}`);
    return found;
  }

  guest(name: string): Guest {
    const found = this.guests.get(name);
    if (found === undefined) throw new Error(`no guest ${name}`);
    return found;
  }

  /** The ids of all guests. */
  get ids(): readonly string[] {
    return [...this.guests.values()].map(({ id }) => id);
  }

  /** A network's id. */
  net(name: string): string {
    const found = this.networks.get(name);
    if (found === undefined) throw new Error(`no network ${name}`);
    return found;
  }

  bridge(name: string): string {
    return `brq${short(this.net(name))}`;
  }

  /** The namespace of a network's DHCP server. */
  dhcp(name: string): string {
    return `qdhcp-${this.net(name)}`;
  }

  /** What a host's agents keep in files. */
  file(...parts: readonly string[]): string {
    return path.join(this.lab.cloud.state, 'hosts', ...parts);
  }

  virsh(...args: readonly string[]): Promise<string> {
    const socket = this.file(this.controller, 'libvirt/run/libvirt-sock');
    return shown(null, 'virsh', '-c', `qemu+unix:///system?socket=${socket}`, ...args);
  }

  /** Remembers a network that is there, or makes one. */
  async network(name: string, make: string | null = `network create ${name}`): Promise<string> {
    const by = make?.includes('--provider') === true ? this.lab.admin : this.lab.demo;
    const { id } = await by.json<{ id: string }>(make ?? `network show ${name}`);
    this.networks.set(name, id);
    return id;
  }

  async networkWith(name: string, range: string): Promise<void> {
    await this.network(name);
    await this.lab.demo.run(`subnet create --network ${name} --subnet-range ${range} ${name}4`);
  }

  /**
   * Asks for a server; `booted` waits for it.
   * @param from what it boots from: an image, by default, or a volume
   */
  async ask(name: string, network: string, flavor: string, from = '--image cirros'): Promise<void> {
    await this.lab.demo.run(`server create ${from} --flavor ${flavor} --network ${network} --key-name key ${name}`);
    this.asked.set(name, network);
  }

  /** Waits for a server's login prompt. */
  async booted(name: string): Promise<void> {
    const { demo } = this.lab;
    await demo.becomes(`server show ${name}`, 'ACTIVE', 'status', BOOT_MS);
    await until(`${name}'s prompt`, async () => /login:/.test(await demo.run(`console log show ${name}`)), BOOT_MS);
    const [port] = await demo.json<
      { ID: string; 'MAC Address': string; 'Fixed IP Addresses': { ip_address: string }[] }[]
    >(`port list --server ${name}`);
    this.guests.set(name, {
      id: await demo.field(`server show ${name}`, 'id'),
      network: this.asked.get(name) ?? '',
      address: port?.['Fixed IP Addresses'][0]?.ip_address ?? '',
      port: port?.ID ?? '',
      mac: port?.['MAC Address'] ?? '',
    });
  }

  /** Whether an address answers a ping from a namespace. */
  async pings(namespace: string | null, address: string): Promise<boolean> {
    return (await inside(namespace, 'ping', '-c', '1', '-W', '1', address)).code === 0;
  }

  /** A command in a guest by ssh, from the namespace of its network or (null) from outside; any code is an answer. */
  ssh(from: string | null, address: string, command: string): Promise<Ended> {
    const options = [
      'StrictHostKeyChecking=no',
      'UserKnownHostsFile=/dev/null',
      'LogLevel=ERROR',
      'ConnectTimeout=5',
      // Further commands go through the first one's connection.
      'ControlMaster=auto',
      'ControlPersist=60',
      `ControlPath=${path.join(this.lab.cloud.state, 'ssh-%h')}`,
    ];
    const words = ['ssh', '-i', path.join(this.lab.cloud.state, 'key'), ...options.flatMap((one) => ['-o', one])];
    return inside(from, ...words, `cirros@${address}`, command);
  }

  /** A command in a guest, from its network, which must succeed in the end; what it says. */
  async said(name: string, command: string): Promise<string> {
    return until(
      `${name}: ${command}`,
      async () => {
        const ended = await this.tried(name, command);
        if (ended.code !== 0) throw new Error(`${ended.stdout}${ended.stderr}`);
        return { text: ended.stdout };
      },
      BOOT_MS,
    ).then(({ text }) => text);
  }

  /** The same, tried once; whether it succeeds. */
  async does(name: string, command: string): Promise<boolean> {
    return (await this.tried(name, command)).code === 0;
  }

  private tried(name: string, command: string): Promise<Ended> {
    const { network, address } = this.guest(name);
    return this.ssh(this.dhcp(network), address, command);
  }

  private async know(name: string, namespace: string | null): Promise<void> {
    const config = path.join(this.lab.cloud.state, 'config');
    const files = (await shown(null, 'grep', '-l', `"host": "${name}"`, '-r', config)).trim().split('\n');
    for (const file of files) {
      const { apps } = JSON.parse(readFileSync(file, 'utf8')) as {
        apps: Record<string, { local_ip?: string; bridge_mappings?: Record<string, string> }>;
      };
      const agent = apps['neutron-agent'];
      if (agent?.local_ip === undefined) continue;
      this.hosts.set(name, {
        name,
        namespace,
        address: agent.local_ip,
        physical: agent.bridge_mappings?.['public'] ?? '',
      });
    }
  }
}
