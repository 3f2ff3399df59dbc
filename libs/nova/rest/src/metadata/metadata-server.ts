import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { newContext } from '@nestack/kernel/context';
import type { Logger } from '@nestack/kernel/log';
import { recordTrace } from '@nestack/kernel/trace';
import { PASSWORD_BYTES, metadataAt, type ServerPasswords, type Servers } from '@nestack/nova/domain';

export interface MetadataOptions {
  readonly port: number;
  readonly bind: string;
  /** Shared with the metadata agents, who sign the instance id with it. */
  readonly secret: string;
}

const PASSWORD = /^\/+openstack\/[^/]+\/password\/?$/;

/**
 * The metadata service behind neutron's agents: `X-Instance-ID`, signed by HMAC-SHA256, says who asks. Anything unsigned
 * is refused. upstream: nova/api/metadata/handler.py
 */
export class MetadataServer {
  private server: Server | null = null;

  constructor(
    private readonly servers: Servers,
    private readonly passwords: ServerPasswords,
    private readonly options: MetadataOptions,
    private readonly log: Logger,
  ) {}

  /** Listens; called by Nest when the application is up. */
  async onApplicationBootstrap(): Promise<void> {
    const server = createServer((request, response) => {
      this.answer(request, response).catch((error: unknown) => {
        this.log.error(null, 'metadata.failed', { error });
        send(response, 500, 'An unknown error has occurred. Please try your request again.');
      });
    });
    server.keepAliveTimeout = 5000;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.options.port, this.options.bind, resolve);
    });
    this.server = server;
  }

  async beforeApplicationShutdown(): Promise<void> {
    const { server } = this;
    if (server === null) return;
    server.closeIdleConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const start = new Date();
    const began = performance.now();
    const header = (name: string): string => {
      const value = request.headers[name];
      return typeof value === 'string' ? value : '';
    };
    const id = header('x-instance-id');
    const tenant = header('x-tenant-id');
    const path = (request.url ?? '/').split('?')[0] ?? '/';
    let status = 200;
    const reply = (code: number, body: string | Buffer, type?: string): void => {
      status = code;
      send(response, code, body, type);
    };
    const telling = request.method === 'POST' && PASSWORD.test(path);
    if (request.method !== 'GET' && request.method !== 'HEAD' && !telling) reply(405, 'Method Not Allowed');
    else if (id === '') reply(400, 'X-Instance-ID header is missing from request.');
    else if (tenant === '') reply(400, 'X-Tenant-ID header is missing from request.');
    else if (!this.signed(id, header('x-instance-id-signature'))) reply(403, 'Invalid proxy request signature.');
    else {
      const spec = await this.servers.spec(id);
      // Whoever writes another project's server into his port gets nothing of it.
      const own = spec === null || spec.project_id !== tenant ? null : spec;
      const found = own === null ? null : metadataAt(own, path);
      if (own === null || found === null) reply(404, 'Not Found');
      else if (telling) await this.keepPassword(request, own.uuid, reply);
      else if (PASSWORD.test(path)) reply(200, (await this.passwords.ofGuest(own.uuid)) ?? '');
      else reply(200, found.body, found.type);
    }
    recordTrace(this.log, newContext(), {
      kind: 'rest.in',
      from: 'neutron-agent',
      to: 'nova-metadata',
      name: `${request.method ?? 'GET'} ${path}`,
      start,
      durationMs: performance.now() - began,
      status: String(status),
      resource: `server:${id}`,
    });
  }

  /** The guest tells its encrypted password, once. upstream: nova/api/metadata/password.py */
  private async keepPassword(
    request: IncomingMessage,
    uuid: string,
    reply: (code: number, body: string) => void,
  ): Promise<void> {
    const password = await textOf(request, PASSWORD_BYTES);
    if (password === null) reply(400, 'Request is too large.');
    else if (await this.passwords.tell(uuid, password)) reply(200, '');
    else reply(409, 'There was a conflict when trying to complete your request.');
  }

  private signed(id: string, signature: string): boolean {
    const expected = createHmac('sha256', this.options.secret).update(id).digest();
    const given = Buffer.from(signature, 'hex');
    return given.length === expected.length && timingSafeEqual(given, expected);
  }
}

/** The body as text, null when it is longer than `limit` bytes. */
async function textOf(request: IncomingMessage, limit: number): Promise<string | null> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= limit) chunks.push(chunk);
  }
  return size > limit ? null : Buffer.concat(chunks).toString('utf8');
}

function send(
  response: ServerResponse,
  status: number,
  body: string | Buffer,
  type = 'text/plain; charset=UTF-8',
): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}
