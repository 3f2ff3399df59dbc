import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { request } from 'undici';
import { startApp, type RunningApp } from '@nestack/kernel/app';
import { sql } from '@nestack/kernel/db';
import { createTestDatabase, testBrokerUrl, type TestDatabase } from '@nestack/kernel/testing';
import { neutronMigrations } from '@nestack/neutron/data';
import { app } from '../app.module';
import type { NeutronConfig } from '../neutron.config';
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
  readonly headers?: Readonly<Record<string, string>>;
}

/** A resource on the wire. */
export type Shown = Record<string, unknown> & { readonly id: string };

export const admin: CallOptions = { as: 'admins:admin' };

/** Neutron as it is deployed, with its own database, a real broker and stubs of the other services. */
export class TestNeutron {
  private running: RunningApp | null = null;

  private constructor(
    readonly database: TestDatabase,
    readonly neighbours: Neighbours,
    readonly dir: string,
    readonly config: NeutronConfig,
  ) {}

  static async start(settings: Partial<NeutronConfig> = {}): Promise<TestNeutron> {
    const database = await createTestDatabase('neutron', neutronMigrations);
    const neighbours = await startNeighbours();
    const dir = mkdtempSync(path.join(tmpdir(), 'neutron-'));
    mkdirSync(path.join(dir, 'keys'));
    const config = {
      host: path.basename(dir),
      port: 0,
      log_level: 'error',
      database: { url: database.url, schema: 'neutron' },
      broker: { url: testBrokerUrl() },
      auth: {
        keystone_url: `${neighbours.url}/v3`,
        jws_public_keys: path.join(dir, 'keys'),
        username: 'neutron',
        password: 'secret',
      },
      mechanism_driver: 'fake',
      ...settings,
    } as NeutronConfig;
    const neutron = new TestNeutron(database, neighbours, dir, config);
    await neutron.up();
    return neutron;
  }

  get base(): string {
    return `http://127.0.0.1:${String(this.running?.port)}`;
  }

  async up(): Promise<void> {
    this.running = await startApp(app, this.config);
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

  /** A request below `/v2.0`, or at the root. */
  async call(method: string, url: string, options: CallOptions = {}): Promise<Answer> {
    const [project = 'p1', role = 'member'] = (options.as ?? 'p1:member').split(':');
    const rooted = url === '/' || url.startsWith('/v2.0') || url === '/openapi.json';
    const response = await request(`${this.base}${rooted ? url : `/v2.0${url}`}`, {
      method: method as 'GET',
      headers: {
        'x-auth-token': tokenOf(project, role),
        accept: 'application/json',
        ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...options.headers,
      },
      body: options.body === undefined ? null : JSON.stringify(options.body),
    });
    const text = await response.body.text();
    return {
      status: response.statusCode,
      headers: response.headers as Answer['headers'],
      json: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>),
    };
  }

  /** Creates one resource: `make('network', {name: 'n'})`. */
  async make(name: string, fields: Record<string, unknown> = {}, options: CallOptions = {}): Promise<Shown> {
    const { status, json } = await this.call('POST', `/${collectionOf(name)}`, {
      ...options,
      body: { [name]: fields },
    });
    if (status !== 201) throw new Error(`POST ${name} answered ${String(status)}: ${JSON.stringify(json)}`);
    return json[name] as Shown;
  }

  async show(name: string, id: string, options: CallOptions = {}): Promise<Shown> {
    const { status, json } = await this.call('GET', `/${collectionOf(name)}/${id}`, options);
    if (status !== 200) throw new Error(`GET ${name} answered ${String(status)}: ${JSON.stringify(json)}`);
    return json[name] as Shown;
  }

  async set(name: string, id: string, fields: Record<string, unknown>, options: CallOptions = {}): Promise<Answer> {
    return this.call('PUT', `/${collectionOf(name)}/${id}`, { ...options, body: { [name]: fields } });
  }

  async list(name: string, query = '', options: CallOptions = {}): Promise<Shown[]> {
    const { status, json } = await this.call('GET', `/${collectionOf(name)}${query}`, options);
    if (status !== 200) throw new Error(`GET ${name}s answered ${String(status)}: ${JSON.stringify(json)}`);
    return (json[`${name}s`] ?? json[collectionOf(name).replaceAll('-', '_')]) as Shown[];
  }

  async drop(name: string, id: string, options: CallOptions = {}): Promise<Answer> {
    return this.call('DELETE', `/${collectionOf(name)}/${id}`, options);
  }

  /** A network with a subnet. */
  async wired(
    fields: {
      readonly cidr?: string;
      readonly subnet?: Record<string, unknown>;
      readonly network?: Record<string, unknown>;
    } = {},
    options: CallOptions = {},
  ): Promise<{ readonly network: Shown; readonly subnet: Shown }> {
    const network = await this.make('network', { name: 'net', ...fields.network }, options);
    const subnet = await this.make(
      'subnet',
      { network_id: network.id, ip_version: 4, cidr: fields.cidr ?? '10.0.0.0/24', ...fields.subnet },
      options,
    );
    return { network, subnet };
  }

  /** Rows of neutron's own tables. */
  query<Row>(text: string, params: readonly unknown[] = []): Promise<Row[]> {
    return this.database.database.read('test', (tx) => sql<Row>(tx, text, params));
  }
}

export function collectionOf(name: string): string {
  const plural = name.endsWith('y') ? `${name.slice(0, -1)}ies` : `${name}s`;
  return name === 'availability_zone' ? plural : plural.replaceAll('_', '-');
}

/** The error's name in an answer. */
export function typeOf(answer: Answer): unknown {
  return (answer.json['NeutronError'] as { type?: string } | undefined)?.type;
}
