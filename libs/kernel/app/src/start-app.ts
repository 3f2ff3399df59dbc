import 'reflect-metadata';
import { hostname } from 'node:os';
import { Logger as NestLogger, type LoggerService } from '@nestjs/common';
import { ModulesContainer, NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { AUTHENTICATOR, type Authenticator } from '@nestack/kernel/auth';
import { loadConfig, readConfigFile } from '@nestack/kernel/config';
import { checkHealth, type HealthCheck } from '@nestack/kernel/health';
import { DENIALS, createHttpAdapter, serveApi, type Denials } from '@nestack/kernel/http';
import { createLogger, type Logger, type LogLevel } from '@nestack/kernel/log';
import { POLICY, type PolicyEnforcer } from '@nestack/kernel/policy';
import { RpcServer } from '@nestack/kernel/rpc';
import type { TObject } from 'typebox';
import { KERNEL, type KernelResources } from './kernel-module';
import type { AppDeclaration, RunningApp } from './surface';

interface CommonSettings {
  readonly host?: string;
  readonly log_level?: LogLevel;
  readonly bind?: string;
  readonly port?: number;
  readonly public_url?: string;
  readonly health_port?: number;
}

/** Nest's own messages: only what went wrong, in our log. */
function nestLogger(log: Logger): LoggerService {
  return {
    log: () => undefined,
    debug: () => undefined,
    verbose: () => undefined,
    warn: (message: unknown) => log.warn(null, 'nest', { message: String(message) }),
    error: (message: unknown, ...rest: unknown[]) =>
      log.error(null, 'nest', { message: String(message), detail: rest.map(String) }),
    fatal: (message: unknown) => log.error(null, 'nest', { message: String(message) }),
  };
}

/**
 * Starts one app in this process: module, then database and broker (waiting for them), then RPC servers, saga workers and
 * the REST listener, in this order, so that nothing is answered before it can be done.
 */
export async function startApp<C extends TObject>(
  app: AppDeclaration<C>,
  values: unknown,
  env: NodeJS.ProcessEnv = {},
): Promise<RunningApp> {
  const config = loadConfig(app.config, { values, env });
  const common = config as CommonSettings;
  const host = common.host ?? hostname();
  const log = createLogger({ service: app.name, host, level: common.log_level ?? 'info' });
  NestLogger.overrideLogger(nestLogger(log));
  const nest = await NestFactory.create<NestFastifyApplication>(app.module(config, { log }), createHttpAdapter(), {
    logger: nestLogger(log),
    abortOnError: false,
  });
  const kernel = nest.get<KernelResources>(KERNEL, { strict: false });
  try {
    await kernel.prepare();
    if (kernel.broker !== null) {
      const { broker, queueType } = kernel;
      nest.connectMicroservice({ strategy: new RpcServer({ broker, log, service: app.name, host, queueType }) });
    }
    await nest.init();
    await nest.startAllMicroservices();
    await kernel.start();
    if (app.onServing !== undefined)
      await nest.get<{ begin(): Promise<void> }>(app.onServing, { strict: false }).begin();
    const checks = checksOf(kernel);
    const withoutApi = app.api === undefined || app.servesApi?.(config) === false;
    const port = withoutApi ? await serveHealth(nest, common, checks) : await serve(nest, app, common, log, checks);
    log.info(null, 'started', { port });
    let closing: Promise<void> | null = null;
    return { name: app.name, port, close: () => (closing ??= closeApp(nest, kernel)) };
  } catch (error) {
    await closeApp(nest, kernel).catch(() => undefined);
    throw error;
  }
}

async function closeApp(nest: NestFastifyApplication, kernel: KernelResources): Promise<void> {
  await kernel.stopWork();
  await nest.close();
  await kernel.close();
}

function checksOf(kernel: KernelResources): Record<string, HealthCheck> {
  const { database, broker } = kernel;
  return {
    ...(database === null ? {} : { database: () => database.ping() }),
    ...(broker === null ? {} : { broker: () => broker.ping() }),
  };
}

async function serve(
  nest: NestFastifyApplication,
  app: AppDeclaration,
  common: CommonSettings,
  log: Logger,
  checks: Record<string, HealthCheck>,
): Promise<number> {
  if (app.api === undefined) throw new Error(`${app.name} has no API`);
  const { port } = await serveApi(nest, app.api, {
    authenticator: optional<Authenticator>(nest, AUTHENTICATOR),
    policy: optional<PolicyEnforcer>(nest, POLICY),
    denials: optional<Denials>(nest, DENIALS),
    log,
    port: common.port ?? 0,
    bind: common.bind ?? '127.0.0.1',
    publicUrl: common.public_url,
    service: app.name,
    checks,
  });
  return port;
}

/** Apps without an API answer `/healthcheck` when a port is given for it. */
async function serveHealth(
  nest: NestFastifyApplication,
  common: CommonSettings,
  checks: Record<string, HealthCheck>,
): Promise<number | null> {
  if (common.health_port === undefined) return null;
  const fastify = nest.getHttpAdapter().getInstance();
  fastify.get('/healthcheck', async (_request, reply) => {
    const report = await checkHealth(checks);
    return reply.code(report.healthy ? 200 : 503).send(report);
  });
  await nest.listen(common.health_port, common.bind ?? '127.0.0.1');
  return common.health_port;
}

function optional<T>(nest: NestFastifyApplication, token: symbol): T | null {
  // Not through `get`: Nest logs as an error what it does not find.
  for (const module of nest.get(ModulesContainer, { strict: false }).values()) {
    const provider = module.providers.get(token);
    if (provider !== undefined) return provider.instance as T;
  }
  return null;
}

/**
 * Runs an app as a process: `main.js --config FILE [--section NAME]`, settings also from `NESTACK__…`. SIGTERM and SIGINT
 * drain and end it.
 */
export function runApp(app: AppDeclaration): void {
  void runApps(async () => [await startApp(app, readSection(process.argv, app.name), process.env)]);
}

/** Runs what `start` starts until a signal comes; a failed start ends the process with code 1. */
export async function runApps(start: () => Promise<readonly RunningApp[]>): Promise<void> {
  const starting = start();
  let stopping = false;
  const stop = (): void => {
    if (stopping) return;
    stopping = true;
    starting
      .then((apps) => Promise.all([...apps].reverse().map((one) => one.close())))
      .then(
        () => process.exit(0),
        (error: unknown) => {
          process.stderr.write(`${String(error)}\n`);
          process.exit(1);
        },
      );
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  try {
    await starting;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exit(1);
  }
}

/** The app's section of the file named by `--config` (`--section` when it is called differently); empty without a file. */
export function readSection(argv: readonly string[], name: string): unknown {
  const value = (flag: string): string | undefined => {
    const at = argv.indexOf(flag);
    return at < 0 ? undefined : argv[at + 1];
  };
  const file = value('--config');
  if (file === undefined) return {};
  const sections = readConfigFile(file);
  return sections[value('--section') ?? name] ?? {};
}
