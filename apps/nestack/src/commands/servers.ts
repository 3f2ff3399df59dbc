import path from 'node:path';
import { waitFor } from '@nestack/kernel/process';
import { postgresAnswers, preparePostgres, prepareRabbitmq, rabbitmqAnswers } from '@nestack/kernel/servers';
import type { Layout } from '../cloud/layout';
import { portOf, type CloudSettings } from '../cloud/settings';
import { ensureProcess } from '../supervisor/client';
import { UserError } from '../user-error';

/** The running PostgreSQL's administrator URL: ours, kept by the supervisor, or the one that was named. */
export async function ensurePostgres(layout: Layout, settings: CloudSettings): Promise<string> {
  if (settings.databaseUrl !== null) {
    if (!(await postgresAnswers(settings.databaseUrl))) {
      throw new UserError(
        `No PostgreSQL answers at ${redacted(settings.databaseUrl)}.`,
        'Start it, or check --database-url.',
      );
    }
    return settings.databaseUrl;
  }
  const { url, spec } = await preparePostgres({ dir: layout.postgres, port: portOf(settings, 'postgres') });
  await ensureProcess(layout, { ...spec, name: 'postgres' });
  await waitFor('PostgreSQL to answer', () => postgresAnswers(url), 60_000, 30);
  return url;
}

/** RabbitMQ's URL: ours, kept by the supervisor from now on (`ready` tells when it answers), or the one that was named. */
export async function ensureRabbitmq(
  layout: Layout,
  settings: CloudSettings,
): Promise<{ readonly url: string; readonly ready: () => Promise<void> }> {
  if (settings.brokerUrl !== null) {
    if (!(await rabbitmqAnswers(settings.brokerUrl))) {
      throw new UserError(
        `No RabbitMQ answers at ${redacted(settings.brokerUrl)}.`,
        'Start it, or check --broker-url.',
      );
    }
    return { url: settings.brokerUrl, ready: () => Promise.resolve() };
  }
  const { url, spec } = prepareRabbitmq({
    dir: layout.rabbitmq,
    port: portOf(settings, 'rabbitmq'),
    distPort: portOf(settings, 'rabbitmqDist'),
    epmdPort: portOf(settings, 'epmd'),
  });
  await ensureProcess(layout, { ...spec, name: 'rabbitmq' });
  const ready = async (): Promise<void> => {
    try {
      await waitFor('RabbitMQ to answer', () => rabbitmqAnswers(url), 120_000, 100);
    } catch (error) {
      throw new UserError(
        `RabbitMQ does not come up: ${error instanceof Error ? error.message : String(error)}.`,
        `See ${path.join(layout.log, 'rabbitmq.log')}. Does this machine know the name localhost (/etc/hosts)?`,
      );
    }
  };
  return { url, ready };
}

/** A URL without its password. */
export function redacted(url: string): string {
  const parsed = new URL(url);
  if (parsed.password !== '') parsed.password = '***';
  return parsed.toString();
}
