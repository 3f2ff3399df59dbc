import type { Readable } from 'node:stream';
import { Agent, interceptors, request } from 'undici';
import { GlanceError } from '@nestack/glance/contract';
import type { WebSource } from '@nestack/glance/domain';

/** Where imports may fetch from. upstream: glance's [import_filtering_opts]. */
export interface WebImportRules {
  readonly allowed_schemes: readonly string[];
  readonly allowed_ports: readonly number[];
  /** Empty: any but the disallowed. */
  readonly allowed_hosts: readonly string[];
  readonly disallowed_hosts: readonly string[];
}

const DEFAULT_PORTS: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443 };

/** Fetches images over HTTP. Redirects are not followed: they would lead around the rules. */
export class HttpWebSource implements WebSource {
  readonly #agent = new Agent({ connections: 4 }).compose(interceptors.decompress());

  constructor(private readonly rules: WebImportRules) {}

  check(uri: string): void {
    if (!this.#allowed(uri)) throw GlanceError.ImportUriNotAllowed({ uri });
  }

  async fetch(uri: string): Promise<Readable> {
    this.check(uri);
    let status: number;
    let body: Readable;
    try {
      const response = await request(uri, { dispatcher: this.#agent, headersTimeout: 30_000, bodyTimeout: 60_000 });
      status = response.statusCode;
      body = response.body as Readable;
    } catch (error) {
      throw GlanceError.InvalidInput({ reason: 'The source of the image cannot be reached.' }, { cause: error });
    }
    if (status !== 200) {
      body.destroy();
      throw GlanceError.InvalidInput({ reason: `The source of the image answered ${String(status)}.` });
    }
    return body;
  }

  async close(): Promise<void> {
    await this.#agent.close();
  }

  #allowed(uri: string): boolean {
    if (!URL.canParse(uri)) return false;
    const url = new URL(uri);
    const port = url.port === '' ? DEFAULT_PORTS[url.protocol] : Number(url.port);
    if (!this.rules.allowed_schemes.includes(url.protocol.slice(0, -1)) || port === undefined) return false;
    if (!this.rules.allowed_ports.includes(port) || this.rules.disallowed_hosts.includes(url.hostname)) return false;
    return this.rules.allowed_hosts.length === 0 || this.rules.allowed_hosts.includes(url.hostname);
  }
}
