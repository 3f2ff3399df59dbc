import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { DEFAULT_FILTERS } from '@nestack/nova/domain';
import { ROOT, until } from '../../cloud';
import type { Lab, LogLine, Rows } from '../lab';

/** A cloud with two compute hosts and the image `cirros`; both are known when its tests run. */
export interface TwoHosts {
  readonly lab: Lab;
  readonly hosts: readonly [string, string];
}

const NO_HOST = /No valid host was found/;
const CREATE = 'server create --image cirros --network private --flavor m1.tiny';

/** How the scheduler chooses between two hosts, what it tells of it, and what changes when there are two of it. */
export function schedulingTests(cloud: () => TwoHosts): void {
  const boot = (name: string, more = ''): Promise<void> => cloud().lab.admin.boot(`${CREATE} ${more} ${name}`);
  const hostOf = (name: string): Promise<string> =>
    cloud().lab.admin.field(`server show ${name}`, 'OS-EXT-SRV-ATTR:host');
  const idOf = (name: string): Promise<string> => cloud().lab.admin.field(`server show ${name}`, 'id');
  async function unplaced(more: string): Promise<void> {
    const { admin } = cloud().lab;
    await admin.run(`${CREATE} ${more} nowhere`);
    await until('its failure', async () => (await admin.field('server show nowhere', 'status')) === 'ERROR');
    expect(JSON.stringify((await admin.json('server show nowhere'))['fault'])).toMatch(NO_HOST);
    await admin.deleteServers('nowhere');
  }
  async function group(policy: string): Promise<string> {
    const { newAdmin } = cloud().lab;
    return newAdmin.field(`server group create --policy ${policy} ${policy}`, 'id');
  }

  describe('chapter 7.2.2, groups, hints and what the scheduler tells', () => {
    it('S-7.2.2.11 an anti-affinity group spreads its servers, and there is no third host for a third one', async () => {
      const { lab, hosts } = cloud();
      const hint = `--hint group=${await group('anti-affinity')}`;
      await boot('a1', hint);
      await boot('a2', hint);
      expect([await hostOf('a1'), await hostOf('a2')].sort()).toEqual([...hosts].sort());
      await unplaced(hint);
      await lab.admin.deleteServers('a1', 'a2');
      await lab.admin.run('server group delete anti-affinity');
    });

    it('S-7.2.2.12 an affinity group keeps its servers together, or does not take them', async () => {
      const { lab } = cloud();
      const hint = `--hint group=${await group('affinity')}`;
      await boot('t1', hint);
      await boot('t2', hint);
      const host = await hostOf('t1');
      expect(await hostOf('t2')).toBe(host);
      await lab.admin.run(`compute service set --disable ${host} nova-compute`);
      await unplaced(hint);
      await lab.admin.run(`compute service set --enable ${host} nova-compute`);
      await lab.admin.deleteServers('t1', 't2');
      await lab.admin.run('server group delete affinity');
    });

    it('S-7.3.1.6 more is told at level debug, after a restart', async () => {
      const { lab } = cloud();
      const details = async (): Promise<LogLine[]> =>
        (await lab.logs('nova-scheduler')).filter((line) => line.level === 'debug');
      expect(await details()).toEqual([]);
      await lab.configure('controller', 'nova-scheduler', (settings) => {
        settings['log_level'] = 'debug';
        settings['enabled_filters'] = [...DEFAULT_FILTERS, 'AggregateMultiTenancyIsolation'];
      });
      await boot('told');
      expect((await until('details', async () => (await details()).length)) > 0).toBe(true);
    });

    it("S-7.2.2.15 the scheduler's log tells how it chose", async () => {
      const { lab } = cloud();
      const request = (await lab.admin.json<Rows>('server event list told'))[0]?.['Request ID'];
      const steps = [
        /^Starting with 2 host\(s\)/,
        /^Filter ComputeFilter returned 2 host\(s\)/,
        /^Filter AvailabilityZoneFilter returned 2 host\(s\)/,
        /^Filtered \[.*,.*\]/,
        /^Weighed \[WeighedHost .*, WeighedHost .*\]/,
        new RegExp(`^Selected host: \\(${await hostOf('told')}`),
      ];
      const lines = (await lab.logs('nova-scheduler'))
        .filter((line) => line.request_id === request)
        .map((line) => String(line['message']));
      const found = steps.map((step) => lines.findIndex((line) => step.test(line)));
      expect(found).not.toContain(-1);
      expect(found).toEqual([...found].sort((a, b) => a - b));
    });

    it("S-7.2.2.13 hints lead to another server's host or away from it, and a host can be for one project alone", async () => {
      const { lab, hosts } = cloud();
      const host = await hostOf('told');
      const id = await idOf('told');
      await boot('away', `--hint different_host=${id}`);
      await boot('near', `--hint same_host=${id}`);
      expect([await hostOf('away'), await hostOf('near')]).toEqual([hosts.find((one) => one !== host), host]);
      await unplaced(`--hint different_host=${id} --hint different_host=${await idOf('away')}`);
      await lab.admin.deleteServers('away', 'near', 'told');
      const project = await lab.admin.field('project show demo', 'id');
      await lab.admin.run(`aggregate create --property filter_tenant_id=${project} theirs`);
      await lab.admin.run(`aggregate add host theirs ${hosts[1]}`);
      await lab.admin.run(`compute service set --disable ${hosts[0]} nova-compute`);
      await unplaced('');
      await lab.demo.boot(`${CREATE} own`);
      await lab.demo.deleteServers('own');
      await lab.admin.run(`compute service set --enable ${hosts[0]} nova-compute`);
      await lab.admin.run(`aggregate remove host theirs ${hosts[1]}`);
      await lab.admin.run('aggregate delete theirs');
    });
  });

  describe('chapter 7.1.4, several of one kind', () => {
    it('S-7.1.4.1, S-7.1.4.2 two APIs serve behind one address, two schedulers share the work; one pair goes, the other stays', async () => {
      const { lab, hosts } = cloud();
      const [endpoint] = await lab.admin.json<{ ID: string; URL: string }[]>(
        'endpoint list --service nova --interface public',
      );
      if (endpoint === undefined) throw new Error('nova has no endpoint');
      const url = new URL(endpoint.URL);
      const replica = await Replica.start(lab);
      const balancer = await Balancer.start([Number(url.port), replica.port]);
      try {
        url.port = String(balancer.port);
        await lab.admin.run(`endpoint set --url ${url.href} ${endpoint.ID}`);
        const servers = ['r1', 'r2', 'r3', 'r4'];
        for (const name of servers) await lab.admin.run(`${CREATE} ${name}`);
        for (const name of servers) await lab.admin.becomes(`server show ${name}`, 'ACTIVE');
        expect(balancer.served.get(replica.port)).toBeGreaterThan(0);
        expect(balancer.served.get(Number(new URL(endpoint.URL).port))).toBeGreaterThan(0);
        const requests = await Promise.all(
          servers.map(async (name) => (await lab.admin.json<Rows>(`server event list ${name}`))[0]?.['Request ID']),
        );
        const choosers = (await lab.logs('nova-scheduler'))
          .filter((line) => line.event === 'scheduler.selected' && requests.includes(line.request_id))
          .map((line) => line['host']);
        expect(choosers).toHaveLength(4);
        expect(new Set(choosers)).toEqual(new Set([hosts[0], Replica.HOST]));
        await replica.end();
        await boot('r5');
        await lab.admin.deleteServers(...servers, 'r5');
      } finally {
        await replica.end();
        await lab.admin.run(`endpoint set --url ${endpoint.URL} ${endpoint.ID}`);
        await balancer.close();
      }
      const [gone = ''] = await lab.admin.column(`compute service list --host ${Replica.HOST}`, 'ID');
      await lab.newAdmin.run(`compute service delete ${gone}`);
    });
  });
}

/** A second nova-api and nova-scheduler, in one process beside the cloud's own. */
class Replica {
  static readonly HOST = 'replica';

  private constructor(
    private readonly process: ReturnType<typeof spawn>,
    readonly port: number,
  ) {}

  /** Starts them with the settings of the first ones; what they log is found with the cloud's logs. */
  static async start(lab: Lab): Promise<Replica> {
    const folder = path.join(lab.cloud.state, 'config');
    const { apps } = JSON.parse(readFileSync(path.join(folder, 'controller.json'), 'utf8')) as {
      apps: Record<string, Record<string, unknown>>;
    };
    const file = lab.cloud.file('replica.json', '');
    const own = {
      'nova-api': { ...apps['nova-api'], host: Replica.HOST, port: 0, metadata_port: 0 },
      'nova-scheduler': { ...apps['nova-scheduler'], host: Replica.HOST },
    };
    writeFileSync(file, JSON.stringify({ apps: own }), { mode: 0o600 });
    const log = openSync(path.join(lab.cloud.state, 'log', `${Replica.HOST}.log`), 'a');
    const main = path.join(ROOT, 'dist/apps/nestack/main.js');
    const child = spawn(process.execPath, [main, '--config', file], { stdio: ['ignore', log, log] });
    closeSync(log);
    try {
      const port = await until('the second API and scheduler', async () => {
        const lines = (await lab.logs(Replica.HOST)).filter(({ event }) => event === 'started');
        return lines.length === 2 ? Number(lines.find(({ service }) => service === 'nova-api')?.['port']) : null;
      });
      return new Replica(child, port);
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    }
  }

  /** SIGKILL; nothing when it has ended already. */
  async end(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const ended = once(this.process, 'exit');
    this.process.kill('SIGKILL');
    await ended;
  }
}

/** One address for several ports of this machine, which take turns; one that does not answer is passed over. */
class Balancer {
  readonly served = new Map<number, number>();
  private turn = 0;

  private constructor(private readonly server: Server) {}

  static async start(ports: readonly number[]): Promise<Balancer> {
    const server = createServer();
    const balancer = new Balancer(server);
    server.on('connection', (client) => {
      client.on('error', () => client.destroy());
      const at = balancer.turn % ports.length;
      balancer.turn += 1;
      balancer.lead(client, [...ports.slice(at), ...ports.slice(0, at)]);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return balancer;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  private lead(client: Socket, [port, ...others]: readonly number[]): void {
    if (port === undefined) {
      client.destroy();
      return;
    }
    const target = connect(port, '127.0.0.1');
    let connected = false;
    target.once('connect', () => {
      connected = true;
      this.served.set(port, (this.served.get(port) ?? 0) + 1);
      client.pipe(target).pipe(client);
      client.once('close', () => target.destroy());
    });
    target.on('error', () => (connected ? client.destroy() : this.lead(client, others)));
  }

  async close(): Promise<void> {
    const closed = once(this.server, 'close');
    this.server.close();
    await closed;
  }
}
