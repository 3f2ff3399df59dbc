import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { request } from 'undici';
import { startApp, type RunningApp } from '@nestack/kernel/app';
import { sql } from '@nestack/kernel/db';
import { createTestDatabase, testBrokerUrl, until, type TestDatabase } from '@nestack/kernel/testing';
import { cinderMigrations } from '@nestack/cinder/data';
import { app } from '../app.module';
import type { CinderConfig } from '../cinder.config';
import { startNeighbours, tokenOf, type Neighbours } from './neighbours';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly json: Record<string, unknown>;
}

export interface CallOptions {
  /** `project:role` */
  readonly as?: string;
  readonly body?: unknown;
  /** Microversion. */
  readonly version?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Store {
  volumes: Record<string, { size: number; content: string }>;
  snapshots: Record<string, { volume: string; content: string }>;
  exports: Record<string, { hosts: string[] }>;
}

export interface Volume {
  readonly id: string;
  readonly status: string;
  readonly [key: string]: unknown;
}

/** Cinder as it is deployed, with its own database, a real broker and stubs of the other services. */
export class TestCinder {
  private running: RunningApp | null = null;

  private constructor(
    readonly database: TestDatabase,
    readonly neighbours: Neighbours,
    readonly dir: string,
    readonly config: CinderConfig,
  ) {}

  static async start(
    settings: Partial<CinderConfig> = {},
    options: { readonly started?: boolean } = {},
  ): Promise<TestCinder> {
    const database = await createTestDatabase('cinder', cinderMigrations);
    const neighbours = await startNeighbours();
    const dir = mkdtempSync(path.join(tmpdir(), 'cinder-'));
    mkdirSync(path.join(dir, 'keys'));
    const config = {
      host: path.basename(dir),
      port: 0,
      log_level: 'error',
      database: { url: database.url, schema: 'cinder' },
      broker: { url: testBrokerUrl() },
      auth: {
        keystone_url: `${neighbours.url}/v3`,
        jws_public_keys: path.join(dir, 'keys'),
        username: 'cinder',
        password: 'secret',
      },
      driver: 'fake',
      state_path: path.join(dir, 'state'),
      ...settings,
    } as CinderConfig;
    const cinder = new TestCinder(database, neighbours, dir, config);
    if (options.started !== false) await cinder.up();
    return cinder;
  }

  get base(): string {
    return `http://127.0.0.1:${String(this.running?.port)}`;
  }

  async up(settings: Partial<CinderConfig> = {}): Promise<void> {
    this.running = await startApp(app, { ...this.config, ...settings });
  }

  async down(): Promise<void> {
    await this.running?.close();
    this.running = null;
  }

  async close(): Promise<void> {
    await this.down();
    await this.neighbours.close();
    await this.database.close();
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** A request below `/v3/{project}`. */
  call(method: string, url: string, options: CallOptions = {}): Promise<Answer> {
    const [project = 'p1'] = (options.as ?? 'p1:member').split(':');
    const path = url.startsWith('/v3') || url === '/' ? url : `/v3/${project}${url}`;
    return this.send(method, path, options.body === undefined ? null : JSON.stringify(options.body), options);
  }

  /** A request with its body as text. */
  async send(method: string, url: string, body: string | null, options: CallOptions = {}): Promise<Answer> {
    const [project = 'p1', role = 'member'] = (options.as ?? 'p1:member').split(':');
    const response = await request(`${this.base}${url}`, {
      method: method as 'GET',
      headers: {
        'x-auth-token': tokenOf(project, role),
        accept: 'application/json',
        ...(body === null ? {} : { 'content-type': 'application/json' }),
        ...(options.version === undefined ? {} : { 'openstack-api-version': `volume ${options.version}` }),
        ...options.headers,
      },
      body,
    });
    const text = await response.body.text();
    return {
      status: response.statusCode,
      headers: response.headers as Answer['headers'],
      json: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>),
    };
  }

  /** A volume that was asked for. */
  async ask(fields: Record<string, unknown> = {}, options: CallOptions = {}): Promise<Volume> {
    const { status, json } = await this.call('POST', '/volumes', {
      version: '3.70',
      ...options,
      body: { volume: { size: 1, ...fields } },
    });
    if (status !== 202) throw new Error(`create answered ${String(status)}: ${JSON.stringify(json)}`);
    return json['volume'] as Volume;
  }

  /** A volume that is there. */
  async volume(fields: Record<string, unknown> = {}, options: CallOptions = {}): Promise<Volume> {
    return this.reaches((await this.ask(fields, options)).id, 'available', options);
  }

  async show(id: string, options: CallOptions = {}): Promise<Volume | null> {
    const { status, json } = await this.call('GET', `/volumes/${id}`, { version: '3.70', ...options });
    return status === 404 ? null : (json['volume'] as Volume);
  }

  async reaches(id: string, status: string, options: CallOptions = {}): Promise<Volume> {
    let last: Volume | null = null;
    await until(`volume ${id} is ${status}`, async () => {
      last = await this.show(id, options);
      return last?.status === status;
    });
    return last as unknown as Volume;
  }

  async gone(url: string, options: CallOptions = {}): Promise<void> {
    await until(`${url} is gone`, async () => (await this.call('GET', url, options)).status === 404);
  }

  /** The id of a snapshot that is there. */
  async snapshot(volumeId: string, fields: Record<string, unknown> = {}, options: CallOptions = {}): Promise<string> {
    const { status, json } = await this.call('POST', '/snapshots', {
      ...options,
      body: { snapshot: { volume_id: volumeId, ...fields } },
    });
    if (status !== 202) throw new Error(`snapshot answered ${String(status)}: ${JSON.stringify(json)}`);
    const { id } = json['snapshot'] as { id: string };
    await this.snapshotReaches(id, 'available', options);
    return id;
  }

  async snapshotReaches(id: string, status: string, options: CallOptions = {}): Promise<void> {
    await until(`snapshot ${id} is ${status}`, async () => {
      const shown = await this.call('GET', `/snapshots/${id}`, options);
      return (shown.json['snapshot'] as { status?: string } | undefined)?.status === status;
    });
  }

  /** Rows of cinder's own tables. */
  query<Row>(text: string, params: readonly unknown[] = []): Promise<Row[]> {
    return this.database.database.read('test', (tx) => sql<Row>(tx, text, params));
  }

  /** What the fake backend has, or another one with its own directory. */
  store(statePath = this.config.state_path): Store {
    const file = path.join(statePath, 'fake', 'volumes.json');
    if (!existsSync(file)) return { volumes: {}, snapshots: {}, exports: {} };
    return JSON.parse(readFileSync(file, 'utf8')) as Store;
  }

  /** Settings of a further backend beside the first one, and where it keeps what it has. */
  static secondBackend(dir: string): NonNullable<CinderConfig['backends']>[number] {
    return { name: 'second', driver: 'fake', state_path: dir };
  }

  /** Changes it while cinder is down. */
  tamper(change: (store: Store) => void, statePath = this.config.state_path): void {
    const store = this.store(statePath);
    change(store);
    writeFileSync(path.join(statePath, 'fake', 'volumes.json'), JSON.stringify(store));
  }

  /** Attaches as nova does. */
  async attach(
    volumeId: string,
    about: { readonly instance?: string; readonly host?: string } = {},
    options: CallOptions = {},
  ): Promise<{ readonly id: string; readonly connection_info: Record<string, unknown> }> {
    const version = '3.44';
    const made = await this.call('POST', '/attachments', {
      version,
      ...options,
      body: { attachment: { volume_uuid: volumeId, instance_uuid: about.instance ?? 'server-1' } },
    });
    if (made.status !== 200) throw new Error(`attach answered ${String(made.status)}: ${JSON.stringify(made.json)}`);
    const { id } = made.json['attachment'] as { id: string };
    const connected = await this.call('PUT', `/attachments/${id}`, {
      version,
      ...options,
      body: { attachment: { connector: { host: about.host ?? 'compute', mountpoint: '/dev/vdb' } } },
    });
    if (connected.status !== 200)
      throw new Error(`connect answered ${String(connected.status)}: ${JSON.stringify(connected.json)}`);
    await this.call('POST', `/attachments/${id}/action`, { version, ...options, body: { 'os-complete': id } });
    return connected.json['attachment'] as { id: string; connection_info: Record<string, unknown> };
  }

  detach(attachmentId: string, options: CallOptions = {}): Promise<Answer> {
    return this.call('DELETE', `/attachments/${attachmentId}`, { version: '3.44', ...options });
  }

  act(id: string, action: string, argument: unknown = null, options: CallOptions = {}): Promise<Answer> {
    return this.call('POST', `/volumes/${id}/action`, { ...options, body: { [action]: argument } });
  }
}
