import type { IncomingMessage, ServerResponse } from 'node:http';
import { asDomainError, statusOf } from '@nestack/kernel/errors';
import { checkHealth, type HealthCheck, type ServiceMetrics } from '@nestack/kernel/health';
import { negotiate } from './microversion';
import { openApiOf } from './openapi';
import type { ApiDeclaration } from './operation';
import { send } from './respond';

/** `/healthcheck`, `/metrics` and `/openapi.json`: neither logged nor traced. Says whether the path was one of them. */
export async function serveInternal(
  api: ApiDeclaration,
  options: { readonly checks?: Readonly<Record<string, HealthCheck>>; readonly metrics: ServiceMetrics },
  path: string,
  search: string,
  message: IncomingMessage,
  response: ServerResponse,
): Promise<boolean> {
  if (message.method !== 'GET' && message.method !== 'HEAD') return false;
  switch (path) {
    case '/healthcheck': {
      const report = await checkHealth(options.checks ?? {});
      const status = report.healthy ? 200 : 503;
      const detailed =
        new URLSearchParams(search).has('detail') || (message.headers.accept ?? '').includes('application/json');
      if (detailed) {
        const reasons = report.checks.map((check) => ({
          class: check.name,
          reason: check.reason,
          duration_ms: check.durationMs,
        }));
        send(message, response, status, { detailed: true, healthy: report.healthy, reasons });
      } else {
        response.setHeader('Content-Type', 'text/plain');
        const failed = report.checks.filter((check) => !check.ok).map((check) => `${check.name}: ${check.reason}`);
        send(message, response, status, report.healthy ? 'OK' : failed.join('\n'));
      }
      return true;
    }
    case '/metrics': {
      const metrics = await options.metrics.render();
      response.setHeader('Content-Type', metrics.contentType);
      send(message, response, 200, metrics.text);
      return true;
    }
    case '/openapi.json':
      sendDocument(api, search, message, response);
      return true;
    default:
      return false;
  }
}

/** The API's description, with `?version=2.79` (or `latest`) that of one microversion. */
function sendDocument(api: ApiDeclaration, search: string, message: IncomingMessage, response: ServerResponse): void {
  const asked = new URLSearchParams(search).get('version');
  if (asked === null || api.microversions === undefined) {
    send(message, response, 200, openApiOf(api));
    return;
  }
  try {
    const version = negotiate(api.microversions, { 'openstack-api-version': `${api.microversions.service} ${asked}` });
    send(message, response, 200, openApiOf(api, version));
  } catch (error) {
    const known = asDomainError(error);
    send(message, response, statusOf(known), { message: known.message });
  }
}
