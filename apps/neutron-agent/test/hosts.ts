import { closeSync, mkdirSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import path from 'node:path';
import { build } from 'esbuild';
import { silentLogger } from '@nestack/kernel/log';
import { run, startDaemon, stopPid, tryRun, type RunResult } from '@nestack/kernel/process';
import { absentHostNetwork, absentUnderlay, ensureHostNetwork, ensureUnderlay } from '@nestack/neutron/drivers';
import type { DeviceDetails } from '@nestack/neutron/contract';

const root = path.resolve(import.meta.dirname, '../../..');

/** What this machine lacks for tests with real networks, or null. */
export async function whatIsMissing(): Promise<string | null> {
  if (process.getuid?.() !== 0) return 'root';
  for (const program of [
    'ip',
    'bridge',
    'nft',
    'dnsmasq',
    'dhcp_release',
    'haproxy',
    'busybox',
    'nsenter',
    'ping',
    'conntrack',
  ]) {
    if ((await tryRun('which', [program])).code !== 0) return program;
  }
  return null;
}

/** Compute hosts as network namespaces, each with an agent as a process of its own. */
export class Hosts {
  private readonly agents = new Map<string, number>();
  private proxy: Server | null = null;
  private readonly bundle: string;
  readonly prefix: string;

  constructor(
    private readonly cloud: string,
    readonly names: readonly string[],
    private readonly stateDir: string,
    private readonly brokerUrl: string,
  ) {
    this.bundle = path.join(root, 'dist', 'test', `agent-${cloud}`);
    this.prefix = `10.253.${Math.floor(Math.random() * 200) + 20}`;
  }

  async prepare(): Promise<void> {
    await ensureUnderlay(this.cloud, `${this.prefix}.254/24`, silentLogger);
    for (const name of this.names) {
      await ensureHostNetwork({ cloud: this.cloud, host: name, address: `${this.address(name)}/24` }, silentLogger);
    }
    const broker = new URL(this.brokerUrl);
    this.proxy = createServer((socket) => {
      const upstream = connect(Number(broker.port), broker.hostname);
      for (const one of [socket, upstream]) one.on('error', () => undefined);
      // A killed agent's connection must end for the broker as well.
      socket.on('close', () => upstream.destroy());
      upstream.on('close', () => socket.destroy());
      socket.pipe(upstream).pipe(socket);
    });
    await new Promise<void>((done) => this.proxy?.listen(5672, `${this.prefix}.254`, done));
    await build({
      entryPoints: [path.join(root, 'apps/neutron-agent/src/main.ts')],
      outdir: this.bundle,
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node22',
      packages: 'external',
      keepNames: true,
      tsconfig: path.join(root, 'tsconfig.base.json'),
      logLevel: 'error',
    });
  }

  address(name: string): string {
    return `${this.prefix}.${this.names.indexOf(name) + 1}`;
  }

  netns(name: string): string {
    return `nestack-${this.cloud}-${name}`;
  }

  dir(name: string): string {
    return path.join(this.stateDir, name);
  }

  async start(name: string, settings: Readonly<Record<string, unknown>> = {}): Promise<void> {
    mkdirSync(this.dir(name), { recursive: true });
    const broker = new URL(this.brokerUrl);
    broker.host = `${this.prefix}.254:5672`;
    const config = path.join(this.dir(name), 'config.json');
    const section = {
      host: `${this.cloud}-${name}`,
      broker: { url: broker.toString() },
      state_path: path.join(this.dir(name), 'neutron'),
      local_ip: this.address(name),
      log_level: 'debug',
      ...settings,
    };
    writeFileSync(config, JSON.stringify({ 'neutron-agent': section }));
    const logFd = openSync(path.join(this.dir(name), 'agent.log'), 'a');
    const command = [process.execPath, path.join(this.bundle, 'main.js'), '--config', config];
    const child = await startDaemon('nsenter', [`--net=/run/netns/${this.netns(name)}`, '--', ...command], { logFd });
    closeSync(logFd);
    this.agents.set(name, child.pid ?? 0);
  }

  async kill(name: string, signal: NodeJS.Signals): Promise<void> {
    const pid = this.agents.get(name);
    this.agents.delete(name);
    if (pid !== undefined) await stopPid(pid, { signal });
  }

  inHost(name: string, program: string, ...args: string[]): Promise<string> {
    return run('nsenter', [`--net=/run/netns/${this.netns(name)}`, '--', program, ...args]);
  }

  async remove(): Promise<void> {
    for (const name of this.names) await this.kill(name, 'SIGKILL');
    await new Promise((done) => (this.proxy === null ? done(null) : this.proxy.close(done)));
    for (const name of this.names) await absentHostNetwork(this.cloud, name, silentLogger);
    await absentUnderlay(this.cloud, silentLogger);
    rmSync(this.bundle, { recursive: true, force: true });
  }
}

/** What would be a virtual machine: a namespace whose only cable is the port's tap. */
export class Guest {
  private constructor(
    readonly name: string,
    readonly port: DeviceDetails,
    private readonly hostNs: string,
  ) {}

  static async boot(hosts: Hosts, host: string, port: DeviceDetails): Promise<Guest> {
    const name = `g-${port.port_id.slice(0, 8)}`;
    await run('ip', ['netns', 'add', name]);
    await run('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
    const guest = new Guest(name, port, hosts.netns(host));
    await guest.plug();
    return guest;
  }

  async plug(): Promise<void> {
    const veth = ['link', 'add', this.port.device, 'netns', this.hostNs, 'type', 'veth'];
    await run('ip', [...veth, 'peer', 'name', 'eth0', 'netns', this.name]);
    await run('ip', ['-n', this.name, 'link', 'set', 'eth0', 'address', this.port.mac_address, 'mtu', '1450', 'up']);
  }

  run(program: string, ...args: string[]): Promise<RunResult> {
    return tryRun('nsenter', [`--net=/run/netns/${this.name}`, '--', program, ...args], { timeoutMs: 30_000 });
  }

  /** Gets an address by DHCP and takes it with its routes; answers the client's words. */
  async dhcp(script: string): Promise<string> {
    const lease = await this.run(
      'busybox',
      'udhcpc',
      '-i',
      'eth0',
      '-f',
      '-n',
      '-q',
      '-t',
      '8',
      '-T',
      '1',
      '-O',
      '121',
      '-s',
      script,
    );
    return lease.stderr + lease.stdout;
  }

  async pings(address: string): Promise<boolean> {
    return (await this.run('ping', '-c', '1', '-W', '1', address)).code === 0;
  }

  /** The machine goes; its disk and port may stay. */
  async stop(): Promise<void> {
    await tryRun('ip', ['-n', this.hostNs, 'link', 'del', this.port.device]);
    await tryRun('ip', ['netns', 'del', this.name]);
  }
}

/** What a guest's DHCP client does with its lease: address and routes. */
export function writeDhcpScript(file: string): string {
  writeFileSync(
    file,
    `#!/bin/sh
[ "$1" = bound ] || exit 0
ip addr add "$ip/$mask" dev "$interface"
set -- $staticroutes
while [ $# -ge 2 ]; do
  if [ "$2" = 0.0.0.0 ]; then ip route replace "$1" dev "$interface"; else ip route replace "$1" via "$2" dev "$interface"; fi
  shift 2
done
`,
    { mode: 0o755 },
  );
  return file;
}
