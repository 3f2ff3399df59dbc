import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { DynamicModule, Provider, Type as Class } from '@nestjs/common';
import Type from 'typebox';
import { request } from 'undici';
import { novaConductorProviders } from '@nestack/app/nova-conductor';
import { schedulerProvider } from '@nestack/app/nova-scheduler';
import { defineApp, kernelModule, LOGGER, startApp, type RunningApp } from '@nestack/kernel/app';
import { AUTHENTICATOR, type Authenticator } from '@nestack/kernel/auth';
import { apiConfig, commonConfig } from '@nestack/kernel/config';
import { sql } from '@nestack/kernel/db';
import { newUuid } from '@nestack/kernel/ids';
import { silentLogger, type Logger } from '@nestack/kernel/log';
import { RPC_CLIENTS, type RpcClients } from '@nestack/kernel/rpc';
import { createTestDatabase, testBrokerUrl, until, type TestDatabase } from '@nestack/kernel/testing';
import { ConductorRpc, novaApi } from '@nestack/nova/contract';
import { novaMigrations } from '@nestack/nova/data';
import {
  ComputeManager,
  GuestScreens,
  HYPERVISOR,
  IDENTITY_PORT,
  IMAGE_PORT,
  IMAGE_PROXY_PORT,
  NETWORK_PORT,
  NETWORK_PROXY_PORT,
  PLACEMENT_PORT,
  VOLUME_PORT,
  VOLUME_PROXY_PORT,
  type HypervisorDriver,
} from '@nestack/nova/domain';
import { FakeDriver, type FakeOptions } from '@nestack/nova/drivers';
import { novaPolicies } from '@nestack/nova/rest';
import { ComputeHandler, ComputeHost, ConductorHandler, ConsoleGate, SchedulerHandler } from '@nestack/nova/rpc';
import {
  FakeIdentity,
  FakeImageProxy,
  FakeNetworkProxy,
  FakeVolumeProxy,
  FakeImages,
  FakeNetworks,
  FakePlacement,
  FakeVolumes,
} from '@nestack/nova/testing';
import { novaApiProviders } from '../nova-api.providers';

const config = Type.Object({ ...commonConfig, ...apiConfig, port: Type.Optional(Type.Integer()) });

const ACCOUNTING = {
  cpu_allocation_ratio: 4,
  ram_allocation_ratio: 1,
  disk_allocation_ratio: 1,
  reserved_host_cpus: 0,
  reserved_host_memory_mb: 512,
  reserved_host_disk_mb: 0,
};

/** Secret of the bench's metadata service. */
export const METADATA_SECRET = 'not a secret';

/** Page of the bench's consoles; whoever starts a proxy puts its port in. */
export const NOVNC_URL = 'http://127.0.0.1:6080/vnc_lite.html';

/** An answer of the API. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** The parsed body; an empty object when there is none. */
  readonly json: Readonly<Record<string, unknown>>;
  readonly text: string;
}

export interface CallOptions {
  /** `project` or `project:role`; the caller is `u-project`. */
  readonly as?: string;
  readonly body?: unknown;
  /** Microversion. */
  readonly version?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface BenchOptions {
  /** How many compute hosts there are; one by default. */
  readonly hosts?: number;
  readonly metadataPort?: number;
  readonly log?: Logger;
  readonly allowResizeToSameHost?: boolean;
  /** Seconds that shelved servers are kept on their hosts; none by default. */
  readonly shelvedOffloadTime?: number;
}

/** A compute host of the bench. */
export interface BenchHost {
  readonly name: string;
  readonly driver: FakeDriver;
  /** Marks its nova-compute as down, or as up again. */
  forceDown(down: boolean): Promise<void>;
  /** What the driver shall do late or wrong; may be changed at any time. */
  readonly behaviour: { delays: NonNullable<FakeOptions['delays']>; failures: NonNullable<FakeOptions['failures']> };
  stop(): Promise<void>;
}

/** Each implies those after it. */
const ROLES = ['admin', 'manager', 'member', 'reader'];

/** The token names project and role: `p1:member`. */
export const benchAuthenticator: Authenticator = {
  async authenticate(token) {
    await Promise.resolve();
    const [project = '', role = 'member'] = token.split(':');
    const domain = { id: 'default', name: 'Default' };
    return {
      actor: {
        userId: `u-${project}`,
        userName: project,
        userDomain: domain,
        projectId: project,
        projectName: project,
        projectDomain: domain,
        domainId: null,
        systemScope: false,
        roles: ROLES.includes(role) ? ROLES.slice(ROLES.indexOf(role)) : [role],
      },
      expiresAt: new Date(Date.now() + 3_600_000),
      auditIds: [],
      serviceRoles: [],
    };
  },
};

/**
 * Nova in one process: nova-api, a conductor, a scheduler and compute hosts with fake guests, over the real database and
 * broker, with fakes of the other services that keep full state.
 */
export class Bench {
  readonly images = new FakeImages();
  readonly networks = new FakeNetworks();
  readonly volumes = new FakeVolumes();
  readonly placement = new FakePlacement();
  readonly hosts: BenchHost[] = [];
  readonly project = newUuid();
  /** An image, a network and a flavor that servers of the project can be made of. */
  image = '';
  network = '';
  flavor = '';
  base = '';
  metadataPort = 0;
  private readonly run = randomBytes(3).toString('hex');
  private readonly dir = mkdtempSync(path.join(tmpdir(), 'nestack-nova-'));
  private readonly apps: RunningApp[] = [];
  private conductor: RunningApp | null = null;
  private readonly brokerUrl = testBrokerUrl();

  private constructor(
    readonly database: TestDatabase,
    private readonly log: Logger,
    private readonly options: BenchOptions,
  ) {}

  static async start(options: BenchOptions = {}): Promise<Bench> {
    const database = await createTestDatabase('nova', novaMigrations);
    const bench = new Bench(database, options.log ?? silentLogger, options);
    bench.metadataPort = options.metadataPort ?? 0;
    await bench.startApi();
    await bench.startConductor();
    await bench.startScheduler();
    for (let at = 0; at < (options.hosts ?? 1); at += 1) await bench.startHost(`host-${at + 1}-${bench.run}`);
    bench.networks.plugged = (port) => void bench.plugged(port.device_id, port.id);
    bench.image = bench.images.add();
    bench.network = bench.networks.addNetwork({ project_id: bench.project });
    bench.flavor = await bench.addFlavor({ vcpus: 1, ram: 64, disk: 1 });
    return bench;
  }

  /** Calls the API as a member of the bench's project. */
  async call(method: string, url: string, options: CallOptions = {}): Promise<Answer> {
    const response = await request(`${this.base}${url}`, {
      method: method as 'GET',
      headers: {
        'x-auth-token': options.as ?? this.project,
        accept: 'application/json',
        ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(options.version === undefined ? {} : { 'openstack-api-version': `compute ${options.version}` }),
        ...options.headers,
      },
      body: options.body === undefined ? null : JSON.stringify(options.body),
    });
    const text = await response.body.text();
    const json = (
      text === '' || !/json/.test(String(response.headers['content-type'])) ? {} : JSON.parse(text)
    ) as Answer['json'];
    return { status: response.statusCode, headers: response.headers as Answer['headers'], json, text };
  }

  /** Makes a server; answers its id. */
  async boot(
    fields: Readonly<Record<string, unknown>> = {},
    options: CallOptions = {},
    hints: Readonly<Record<string, unknown>> = {},
  ): Promise<string> {
    const answer = await this.call('POST', '/servers', {
      ...options,
      body: {
        server: {
          name: 'vm',
          imageRef: this.image,
          flavorRef: this.flavor,
          networks: [{ uuid: this.network }],
          ...fields,
        },
        'os:scheduler_hints': hints,
      },
    });
    if (answer.status !== 202) throw new Error(`create answered ${answer.status}: ${answer.text}`);
    return (answer.json as { server: { id: string } }).server.id;
  }

  /** The server as it is now; null when it is gone. */
  async show(id: string, options: CallOptions = {}): Promise<Readonly<Record<string, unknown>> | null> {
    const answer = await this.call('GET', `/servers/${id}`, options);
    return answer.status === 404 ? null : (answer.json as { server: Readonly<Record<string, unknown>> }).server;
  }

  /** Waits until the server has the status (`GONE`: until it is gone) and no task. Fails at once when it is in ERROR. */
  async until(id: string, status: string, timeoutMs = 20_000): Promise<Readonly<Record<string, unknown>>> {
    let last: Readonly<Record<string, unknown>> | null = {};
    const reached = async (): Promise<boolean> => {
      last = await this.show(id, { as: `${this.project}:admin` });
      if (last === null && status !== 'GONE') throw new Error(`server ${id} is gone, and should be ${status}`);
      if (last === null || (last['status'] === status && last['OS-EXT-STS:task_state'] === null)) return true;
      if (last['status'] === 'ERROR' && status !== 'ERROR' && last['OS-EXT-STS:task_state'] === null)
        throw new Error(`server ${id} is in ERROR: ${JSON.stringify(last['fault'])}`);
      return false;
    };
    const seen = (): string => `${String(last?.['status'])}/${String(last?.['OS-EXT-STS:task_state'])}`;
    await until(() => `server ${id} is ${seen()}, not ${status}`, reached, timeoutMs);
    return last ?? {};
  }

  /** Reads nova's own tables. */
  async query<Row>(text: string, params: readonly unknown[] = []): Promise<{ rows: readonly Row[] }> {
    return { rows: await this.database.database.read('bench', (tx) => sql<Row>(tx, text, params)) };
  }

  async addFlavor(fields: { vcpus: number; ram: number; disk: number } & Record<string, number>): Promise<string> {
    const answer = await this.call('POST', '/flavors', {
      as: `${this.project}:admin`,
      body: { flavor: { name: `f-${newUuid()}`, ...fields } },
    });
    return (answer.json as { flavor: { id: string } }).flavor.id;
  }

  /** What is left of servers in any of the services and hosts, by name; empty when nothing is. */
  async leftovers(): Promise<readonly string[]> {
    const guests = await Promise.all(
      this.hosts.map(async ({ name, driver }) => (await driver.guests()).map(({ uuid }) => `guest ${uuid} on ${name}`)),
    );
    const { rows: held } = await this.query<{ instance_uuid: string }>(
      'SELECT instance_uuid FROM server_group_member WHERE held_host IS NOT NULL',
    );
    return [
      ...guests.flat(),
      ...held.map(({ instance_uuid: id }) => `place of ${id} in its group`),
      ...[...this.networks.ports.values()]
        .filter((port) => port.made_by_nova || port.device_id !== '')
        .map(({ id }) => `port ${id}`),
      ...[...this.placement.allocations.keys()].map((id) => `allocation of ${id}`),
      ...[...this.volumes.attachments.keys()].map((id) => `attachment ${id}`),
      ...[...this.volumes.volumes.values()]
        .filter(({ status }) => status !== 'available')
        .map(({ id, status }) => `volume ${id} ${status}`),
    ];
  }

  /** Puts all faults right and removes all servers of the bench's project. */
  async tidy(): Promise<void> {
    for (const fake of [this.images, this.networks, this.volumes, this.placement]) fake.faults.forget();
    for (const { behaviour } of this.hosts) Object.assign(behaviour, { delays: {}, failures: {} });
    const { servers } = (await this.call('GET', '/servers')).json as { servers: { id: string }[] };
    await Promise.all(servers.map(({ id }) => this.call('DELETE', `/servers/${id}`)));
    for (const { id } of servers) await this.until(id, 'GONE');
  }

  async startConductor(): Promise<void> {
    this.conductor = await this.app('nova-conductor', {
      controllers: [ConductorHandler],
      database: true,
      sagas: 'worker',
      providers: [
        ...this.ports(),
        ...novaConductorProviders({
          host: this.run,
          shutdown_timeout: 1,
          vif_plugging_timeout: 5,
          shelved_offload_time: this.options.shelvedOffloadTime ?? 0,
        }),
      ],
    });
  }

  async stopConductor(): Promise<void> {
    await this.conductor?.close();
    this.conductor = null;
  }

  async startHost(name: string): Promise<BenchHost> {
    const behaviour: BenchHost['behaviour'] = { delays: {}, failures: {} };
    const driver = new FakeDriver({
      dir: path.join(this.dir, name),
      host: name,
      vcpus: 100,
      // The scheduler prefers hosts with more memory: the first ones, as long as they have few servers.
      memoryMb: 100_000 - 10_000 * this.hosts.length,
      get delays() {
        return behaviour.delays;
      },
      get failures() {
        return behaviour.failures;
      },
    });
    const app = await this.app(
      'nova-compute',
      {
        controllers: [ComputeHandler],
        providers: [
          { provide: HYPERVISOR, useValue: driver },
          {
            provide: ComputeManager,
            inject: [HYPERVISOR],
            useFactory: (hypervisor: HypervisorDriver) =>
              new ComputeManager({ driver: hypervisor, images: this.images, host: name, forceConfigDrive: false }),
          },
          {
            provide: ConsoleGate,
            inject: [HYPERVISOR, LOGGER],
            useFactory: (hypervisor: HypervisorDriver, log: Logger) =>
              new ConsoleGate(
                new GuestScreens(hypervisor, randomBytes(32)),
                { enabled: true, bind: '127.0.0.1', port: 0, address: '127.0.0.1' },
                log,
              ),
          },
          {
            provide: ComputeHost,
            inject: [HYPERVISOR, ComputeManager, RPC_CLIENTS, LOGGER],
            useFactory: (hypervisor: HypervisorDriver, manager: ComputeManager, rpc: RpcClients, log: Logger) =>
              new ComputeHost({
                host: name,
                driver: hypervisor,
                manager,
                conductor: rpc.client(ConductorRpc),
                log,
                accounting: ACCOUNTING,
              }),
          },
        ],
      },
      name,
    );
    await until(`${name} has joined`, () => [...this.placement.providers.values()].some((one) => one.name === name));
    const host: BenchHost = {
      name,
      driver,
      behaviour,
      forceDown: (down) => this.forceDown(name, down),
      stop: () => app.close(),
    };
    this.hosts.push(host);
    return host;
  }

  /** Starts a stopped host again, with the guests that it has. */
  async restartHost(host: BenchHost): Promise<BenchHost> {
    await host.stop();
    this.hosts.splice(this.hosts.indexOf(host), 1);
    return this.startHost(host.name);
  }

  private async forceDown(host: string, down: boolean): Promise<void> {
    const as = `${this.project}:admin`;
    const body = { host, binary: 'nova-compute', forced_down: down };
    const answer = await this.call('PUT', '/os-services/force-down', { as, body, version: '2.11' });
    if (answer.status !== 200) throw new Error(`force-down answered ${answer.status}: ${answer.text}`);
  }

  async close(): Promise<void> {
    for (const app of [...this.apps].reverse()) await app.close();
    await this.database.close();
    rmSync(this.dir, { recursive: true, force: true });
  }

  private async startApi(): Promise<void> {
    const app = await this.app('nova-api', {
      api: true,
      database: true,
      sagas: true,
      providers: [
        ...this.ports(),
        { provide: AUTHENTICATOR, useValue: benchAuthenticator },
        ...novaApiProviders({
          allow_resize_to_same_host: this.options.allowResizeToSameHost ?? false,
          bind: '127.0.0.1',
          metadata_port: this.metadataPort,
          metadata_proxy_shared_secret: METADATA_SECRET,
          novncproxy_base_url: NOVNC_URL,
        }),
      ],
    });
    this.base = `http://127.0.0.1:${String(app.port)}/v2.1`;
  }

  private async startScheduler(): Promise<void> {
    await this.app('nova-scheduler', {
      controllers: [SchedulerHandler],
      database: true,
      providers: [{ provide: PLACEMENT_PORT, useValue: this.placement }, schedulerProvider({ host: this.run })],
    });
  }

  private ports(): Provider[] {
    return [
      { provide: IMAGE_PORT, useValue: this.images },
      { provide: IDENTITY_PORT, useValue: new FakeIdentity() },
      { provide: IMAGE_PROXY_PORT, useValue: new FakeImageProxy(this.images) },
      { provide: NETWORK_PORT, useValue: this.networks },
      { provide: NETWORK_PROXY_PORT, useValue: new FakeNetworkProxy(this.networks) },
      { provide: VOLUME_PORT, useValue: this.volumes },
      { provide: VOLUME_PROXY_PORT, useValue: new FakeVolumeProxy(this.volumes) },
      { provide: PLACEMENT_PORT, useValue: this.placement },
    ];
  }

  /** What neutron would tell of a port that its agent has plugged. */
  private async plugged(server: string, port: string): Promise<void> {
    await this.call('POST', '/os-server-external-events', {
      as: `${this.project}:service`,
      body: { events: [{ name: 'network-vif-plugged', server_uuid: server, tag: port, status: 'completed' }] },
    });
  }

  private async app(
    name: string,
    parts: {
      readonly providers: Provider[];
      readonly controllers?: Class[];
      readonly api?: boolean;
      readonly database?: boolean;
      readonly sagas?: boolean | 'worker';
    },
    host = this.run,
  ): Promise<RunningApp> {
    const running = await startApp(
      defineApp({
        name,
        config,
        ...(parts.api === true ? { api: novaApi } : {}),
        module: (): DynamicModule => ({
          module: class BenchModule {},
          imports: [
            kernelModule({
              service: name,
              log: this.log,
              config: { host },
              broker: { url: this.brokerUrl },
              ...(parts.database === true
                ? { database: { config: { url: this.database.url, schema: 'nova' }, migrations: novaMigrations } }
                : {}),
              ...(parts.sagas === undefined ? {} : { sagas: parts.sagas }),
              policies: novaPolicies,
            }),
          ],
          controllers: parts.controllers ?? [],
          providers: parts.providers,
        }),
      }),
      { host, port: 0, log_level: 'error' },
    );
    this.apps.push(running);
    return running;
  }
}
