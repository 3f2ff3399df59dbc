import type { IncomingMessage, ServerResponse } from 'node:http';
import { checkHealth, type HealthCheck, type ServiceMetrics } from '@nestack/kernel/health';
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
      send(message, response, 200, openApiOf(api));
      return true;
    default:
      return false;
  }
}
