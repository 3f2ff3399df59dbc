import 'reflect-metadata';
import { Module, type DynamicModule, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { request } from 'undici';
import type { Authenticator } from '@nestack/kernel/auth';
import { DATABASE } from '@nestack/kernel/db';
import { createHttpAdapter, serveApi } from '@nestack/kernel/http';
import { silentLogger } from '@nestack/kernel/log';
import { createPolicy, POLICY } from '@nestack/kernel/policy';
import { createTestDatabase, type TestDatabase } from '@nestack/kernel/testing';
import { placementApi } from '@nestack/placement/contract';
import { placementMigrations } from '@nestack/placement/data';
import { placementPolicies } from '@nestack/placement/rest';
import { placementProviders } from './placement.providers';

@Module({})
class PlacementTestModule {}

@Module({})
class KernelTestModule {}

/** The token names project and role: `p1:admin`. */
const authenticator: Authenticator = {
  async authenticate(token) {
    const [project = '', role = 'admin'] = token.split(':');
    const domain = { id: 'default', name: 'Default' };
    const roles = role === 'admin' ? ['admin', 'member', 'reader'] : [role];
    return {
      actor: {
        userId: 'u1',
        userName: 'u1',
        userDomain: domain,
        projectId: project,
        projectName: project,
        projectDomain: domain,
        domainId: null,
        systemScope: false,
        roles,
      },
      expiresAt: new Date(Date.now() + 60_000),
      auditIds: [],
      serviceRoles: [],
    };
  },
};

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly json: Record<string, unknown>;
}

export interface CallOptions {
  readonly version?: string;
  readonly as?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Placement on a database of its own, for tests. */
export class TestPlacement {
  private constructor(
    readonly test: TestDatabase,
    private readonly app: INestApplication,
    readonly base: string,
  ) {}

  static async start(): Promise<TestPlacement> {
    const test = await createTestDatabase('placement', placementMigrations);
    const policy = createPolicy(placementPolicies);
    const kernel: DynamicModule = {
      module: KernelTestModule,
      global: true,
      providers: [
        { provide: DATABASE, useValue: test.database },
        { provide: POLICY, useValue: policy },
      ],
      exports: [DATABASE, POLICY],
    };
    const module: DynamicModule = { module: PlacementTestModule, imports: [kernel], providers: placementProviders() };
    const app = await NestFactory.create(module, createHttpAdapter(), { logger: ['error'] });
    const { port } = await serveApi(app, placementApi, {
      authenticator,
      policy,
      log: silentLogger,
      port: 0,
      bind: '127.0.0.1',
      service: 'placement',
    });
    return new TestPlacement(test, app, `http://127.0.0.1:${String(port)}`);
  }

  async close(): Promise<void> {
    await this.app.close();
    await this.test.close();
  }

  /** One request, in the newest version unless told otherwise. */
  async call(method: string, path: string, options: CallOptions = {}): Promise<Answer> {
    const { version = '1.39', body } = options;
    const response = await request(`${this.base}${path}`, {
      method: method as 'GET',
      headers: {
        'x-auth-token': options.as ?? 'admin:admin',
        ...(version === '' ? {} : { 'openstack-api-version': `placement ${version}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...options.headers,
      },
      body: body === undefined ? null : JSON.stringify(body),
    });
    const text = await response.body.text();
    const json = (text === '' ? {} : JSON.parse(text)) as Answer['json'];
    return { status: response.statusCode, headers: response.headers as Answer['headers'], json };
  }

  /** Makes a provider; answers its UUID. */
  async provider(name: string, fields: Record<string, unknown> = {}): Promise<string> {
    const answer = await this.call('POST', '/resource_providers', { body: { name, ...fields } });
    if (answer.status !== 200) throw new Error(JSON.stringify(answer.json));
    return answer.json['uuid'] as string;
  }

  async generation(uuid: string): Promise<number> {
    return (await this.call('GET', `/resource_providers/${uuid}`)).json['generation'] as number;
  }

  /** Sets all inventories of a provider. */
  async inventory(uuid: string, inventories: Record<string, unknown>): Promise<void> {
    const answer = await this.call('PUT', `/resource_providers/${uuid}/inventories`, {
      body: { resource_provider_generation: await this.generation(uuid), inventories },
    });
    if (answer.status !== 200) throw new Error(JSON.stringify(answer.json));
  }

  /** Allocates for a new consumer, unless `fields` say otherwise. */
  allocate(
    consumer: string,
    allocations: Record<string, Record<string, number>>,
    fields: Record<string, unknown> = {},
  ): Promise<Answer> {
    const map = Object.fromEntries(Object.entries(allocations).map(([uuid, resources]) => [uuid, { resources }]));
    return this.call('PUT', `/allocations/${consumer}`, {
      body: {
        allocations: map,
        project_id: 'p1',
        user_id: 'u1',
        consumer_generation: null,
        consumer_type: 'INSTANCE',
        ...fields,
      },
    });
  }
}

/** An error as placement tells it. */
export interface Told {
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  readonly code?: string;
}

export function told(answer: Answer): Told {
  return (answer.json['errors'] as Told[])[0] as Told;
}
