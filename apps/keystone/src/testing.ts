import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { startApp, type RunningApp } from '@nestack/kernel/app';
import { execute, sql } from '@nestack/kernel/db';
import { testBrokerUrl, createTestDatabase, type TestDatabase } from '@nestack/kernel/testing';
import { app } from './app.module';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly json: Json;
}

/** What a body holds; tests look at it without knowing its type. */
export type Json = { readonly [key: string]: Json } & readonly Json[] & string;

export interface CallOptions {
  readonly token?: string | null;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export const ADMIN_PASSWORD = 'an admin password';
export const DEFAULT = { id: 'default' };

/** A keystone as users meet it: the whole app on a database of its own, with a broker. */
export class TestKeystone {
  adminToken = '';

  private constructor(
    private running: RunningApp,
    readonly database: TestDatabase,
    readonly config: Record<string, unknown>,
  ) {}

  static async start(settings: Record<string, unknown> = {}): Promise<TestKeystone> {
    const database = await createTestDatabase('keystone');
    const keys = mkdtempSync(join(tmpdir(), 'keystone-'));
    const config = {
      port: 0,
      host: 'test',
      log_level: 'error',
      database: { url: database.url, schema: 'keystone', pool_size: 5 },
      broker: { url: testBrokerUrl() },
      jws_private_keys: join(keys, 'private'),
      jws_public_keys: join(keys, 'public'),
      bootstrap: { password: ADMIN_PASSWORD, public_url: 'http://keystone.test/v3' },
      ...settings,
    };
    const made = new TestKeystone(await startApp(app, config), database, config);
    made.adminToken = await made.login('admin', ADMIN_PASSWORD, { project: { name: 'admin', domain: DEFAULT } });
    return made;
  }

  get url(): string {
    return `http://127.0.0.1:${String(this.running.port)}/v3`;
  }

  /** Ends it and starts it anew at the same address, with other settings. */
  async restart(settings: Record<string, unknown> = {}): Promise<void> {
    const { port } = this.running;
    await this.running.close();
    this.running = await startApp(app, { ...this.config, port, ...settings });
    const { password } = (settings['bootstrap'] ?? this.config['bootstrap']) as { password: string };
    this.adminToken = await this.login('admin', password, { project: { name: 'admin', domain: DEFAULT } });
  }

  async close(): Promise<void> {
    await this.running.close();
    await this.database.close();
  }

  /** One request below /v3, as the administrator unless another token (or null for none) is given. */
  async call(method: string, path: string, options: CallOptions = {}): Promise<Answer> {
    const token = options.token === undefined ? this.adminToken : options.token;
    const response = await request(`${this.url}${path}`, {
      method: method as 'GET',
      headers: {
        ...(token === null ? {} : { 'x-auth-token': token }),
        ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...options.headers,
      },
      body: options.body === undefined ? null : JSON.stringify(options.body),
    });
    const text = await response.body.text();
    return {
      status: response.statusCode,
      headers: response.headers,
      json: (text === '' ? {} : JSON.parse(text)) as Json,
    };
  }

  async make(collection: string, key: string, fields: Record<string, unknown>): Promise<string> {
    const answer = await this.call('POST', `/${collection}`, { body: { [key]: fields } });
    if (answer.status !== 201)
      throw new Error(`${collection}: ${String(answer.status)} ${JSON.stringify(answer.json)}`);
    return String(answer.json[key]?.['id']);
  }

  /** A token; throws with the answer when there is none. */
  async login(name: string, password: string, scope?: unknown, domain: unknown = DEFAULT): Promise<string> {
    return this.issue({
      identity: { methods: ['password'], password: { user: { name, password, domain } } },
      ...(scope === undefined ? {} : { scope }),
    });
  }

  async issue(auth: unknown): Promise<string> {
    const answer = await this.call('POST', '/auth/tokens', { token: null, body: { auth } });
    if (answer.status !== 201) throw new Error(`${String(answer.status)} ${JSON.stringify(answer.json)}`);
    return String(answer.headers['x-subject-token']);
  }

  /** A user with a role on a project of his own: ids and a token for it. */
  async someone(name: string, role = 'member'): Promise<{ user: string; project: string; token: string }> {
    const project = await this.make('projects', 'project', { name: `${name}-project`, domain_id: 'default' });
    const user = await this.make('users', 'user', { name, password: `${name}-password`, domain_id: 'default' });
    await this.call('PUT', `/projects/${project}/users/${user}/roles/${await this.role(role)}`);
    return { user, project, token: await this.login(name, `${name}-password`, { project: { id: project } }) };
  }

  async role(name: string): Promise<string> {
    return String((await this.call('GET', `/roles?name=${name}`)).json['roles']?.[0]?.['id']);
  }

  /** Changes what no API changes: time that has passed. */
  async sql(text: string): Promise<void> {
    await this.database.database.run('test', (tx) => execute(tx, text));
  }

  /** What no API shows: how something is stored. */
  sqlRows<Row extends object>(text: string): Promise<Row[]> {
    return this.database.database.read('test', (tx) => sql<Row>(tx, text));
  }

  /** The status of a token's own validation: 200, or 401 when it is dead. */
  async alive(token: string): Promise<number> {
    const answer = await this.call('GET', '/auth/tokens', { token, headers: { 'x-subject-token': token } });
    return answer.status;
  }
}
