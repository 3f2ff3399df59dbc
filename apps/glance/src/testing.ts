import 'reflect-metadata';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Module, type DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { request } from 'undici';
import { LOGGER } from '@nestack/kernel/app';
import type { Authenticator } from '@nestack/kernel/auth';
import { DATABASE } from '@nestack/kernel/db';
import { createHttpAdapter, serveApi } from '@nestack/kernel/http';
import { silentLogger } from '@nestack/kernel/log';
import { createPolicy, POLICY } from '@nestack/kernel/policy';
import { createTestDatabase, type TestDatabase } from '@nestack/kernel/testing';
import { glanceApi } from '@nestack/glance/contract';
import { glanceMigrations } from '@nestack/glance/data';
import { glancePolicies } from '@nestack/glance/rest';
import type { GlanceConfig } from './glance.config';
import { glanceProviders } from './glance.providers';

@Module({})
class GlanceTestModule {}

@Module({})
class KernelTestModule {}

/** The token names project and role: `p1:member`. */
const authenticator: Authenticator = {
  async authenticate(token) {
    const [project = '', role = 'member'] = token.split(':');
    const implied: Record<string, string[]> = {
      admin: ['admin', 'member', 'reader'],
      member: ['member', 'reader'],
      reader: ['reader'],
      service: ['service'],
    };
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
        roles: implied[role] ?? [],
      },
      expiresAt: new Date(Date.now() + 60_000),
      auditIds: [],
      serviceRoles: [],
    };
  },
};

export interface Answer {
  status: number;
  headers: Record<string, string | undefined>;
  json: Record<string, unknown>;
  bytes: Buffer;
}

export interface CallOptions {
  /** Project and role, such as `p1:admin`. */
  as?: string;
  body?: unknown;
  data?: Buffer;
  headers?: Record<string, string>;
}

/** Glance's real API on a database of its own; who calls is what the token says. */
export interface TestGlance {
  readonly url: string;
  /** Where images lie. */
  readonly directory: string;
  readonly test: TestDatabase;
  readonly app: Awaited<ReturnType<typeof NestFactory.create>>;
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  close(): Promise<void>;
}

/** Starts it. Answers are checked against their declarations. */
export async function startTestGlance(more: Partial<GlanceConfig> = {}): Promise<TestGlance> {
  process.env['NESTACK_CHECK_RESPONSES'] = '1';
  const test = await createTestDatabase('glance', glanceMigrations);
  const directory = mkdtempSync(join(tmpdir(), 'glance-'));
  const config = {
    port: 0,
    database: { url: test.url, schema: 'glance' },
    filesystem_store_datadir: directory,
    ...more,
  } as unknown as GlanceConfig;
  const policy = createPolicy(glancePolicies);
  const kernel: DynamicModule = {
    module: KernelTestModule,
    global: true,
    providers: [
      { provide: DATABASE, useValue: test.database },
      { provide: POLICY, useValue: policy },
      { provide: LOGGER, useValue: silentLogger },
    ],
    exports: [DATABASE, POLICY, LOGGER],
  };
  const module: DynamicModule = { module: GlanceTestModule, imports: [kernel], providers: glanceProviders(config) };
  const app = await NestFactory.create(module, createHttpAdapter(), { logger: ['error'] });
  const { port } = await serveApi(app, glanceApi, {
    authenticator,
    policy,
    log: silentLogger,
    port: 0,
    bind: '127.0.0.1',
    service: 'glance',
  });
  const url = `http://127.0.0.1:${String(port)}`;
  return {
    url,
    directory,
    test,
    app,
    call: (method, path, options = {}) => call(url, method, path, options),
    close: async () => {
      await app.close();
      await test.close();
    },
  };
}

async function call(base: string, method: string, path: string, options: CallOptions): Promise<Answer> {
  const { body, data } = options;
  const response = await request(`${base}${path}`, {
    method: method as 'GET',
    headers: {
      'x-auth-token': options.as ?? 'p1:member',
      accept: 'application/json',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(data === undefined ? {} : { 'content-type': 'application/octet-stream' }),
      ...options.headers,
    },
    body: data ?? (body === undefined ? null : JSON.stringify(body)),
  });
  const bytes = Buffer.from(await response.body.arrayBuffer());
  let json: Record<string, unknown> = {};
  try {
    json = JSON.parse(bytes.toString()) as Record<string, unknown>;
  } catch {
    json = {};
  }
  return { status: response.statusCode, headers: response.headers as Answer['headers'], json, bytes };
}
