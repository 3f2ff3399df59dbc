import { collectDefaultMetrics, Histogram, Registry } from 'prom-client';

let processRegistry: Registry | null = null;

/** Metrics of the process (heap, event loop), one registry however many services share it. */
function processMetrics(): Registry {
  if (processRegistry === null) {
    processRegistry = new Registry();
    collectDefaultMetrics({ register: processRegistry, prefix: 'nestack_' });
  }
  return processRegistry;
}

/** A service's metrics: its own registry, so that several services in one process do not mix. */
export class ServiceMetrics {
  readonly registry = new Registry();
  readonly #requests: Histogram<'method' | 'operation' | 'status'>;

  constructor(service: string) {
    this.registry.setDefaultLabels({ service });
    this.#requests = new Histogram({
      name: 'nestack_http_request_duration_seconds',
      help: 'Time from the head of a REST request to the end of its answer.',
      labelNames: ['method', 'operation', 'status'],
      buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers: [this.registry],
    });
  }

  /** Counts one answered request. The operation is the declaration's id, never a path: labels stay bounded. */
  request(method: string, operation: string, status: number, seconds: number): void {
    this.#requests.observe({ method, operation, status: String(status) }, seconds);
  }

  /** Prometheus' text form of the service's and the process' metrics. */
  async render(): Promise<{ readonly contentType: string; readonly text: string }> {
    const merged = [await this.registry.metrics(), await processMetrics().metrics()];
    return { contentType: this.registry.contentType, text: merged.join('\n') };
  }
}
