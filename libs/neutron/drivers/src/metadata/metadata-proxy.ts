import { createHmac } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import path from 'node:path';
import type { Logger } from '@nestack/kernel/log';
import type { MetadataCaller, MetadataProxy, MetadataResolver } from '@nestack/neutron/domain';

export interface UnixMetadataProxyOptions {
  /** Unix socket that haproxy connects to. */
  readonly socket: string;
  /** Nova's metadata service. */
  readonly novaHost: string;
  readonly novaPort: number;
  /** Shared with nova: signs the instance's id. */
  readonly sharedSecret: string;
  readonly log: Logger;
}

/** Linux' limit for the path of a unix socket. */
const LONGEST_SOCKET = 107;
const TIMEOUT_MS = 30_000;
/** What a guest must not be able to say about itself. */
const OWN_HEADERS = new Set([
  'x-instance-id',
  'x-tenant-id',
  'x-instance-id-signature',
  'x-neutron-network-id',
  'x-neutron-router-id',
  'x-forwarded-for',
  'host',
  'connection',
]);

/** The signature by which nova knows that the instance's id comes from us. */
export function signInstanceId(secret: string, instanceId: string): string {
  return createHmac('sha256', secret).update(instanceId).digest('hex');
}

/** Tells nova which instance asks, by the network and the address that the request came from. */
export class UnixMetadataProxy implements MetadataProxy {
  private server: Server | null = null;

  constructor(private readonly options: UnixMetadataProxyOptions) {}

  async start(resolve: MetadataResolver): Promise<void> {
    const { socket } = this.options;
    if (Buffer.byteLength(socket) > LONGEST_SOCKET)
      throw new Error(`the path of the metadata socket is too long: ${socket}`);
    await mkdir(path.dirname(socket), { recursive: true });
    await rm(socket, { force: true });
    const server = createServer((message, response) => void this.forward(message, response, resolve));
    await new Promise<void>((done, failed) => {
      server.once('error', failed);
      server.listen(socket, done);
    });
    this.server = server;
  }

  async close(): Promise<void> {
    const { server } = this;
    if (server === null) return;
    this.server = null;
    server.closeAllConnections();
    await new Promise<void>((done) => server.close(() => done()));
  }

  private async forward(message: IncomingMessage, response: ServerResponse, resolve: MetadataResolver): Promise<void> {
    const network = headerOf(message, 'x-neutron-network-id');
    const router = headerOf(message, 'x-neutron-router-id');
    const address = headerOf(message, 'x-forwarded-for')?.split(',').at(-1)?.trim() ?? '';
    let caller: MetadataCaller | null;
    try {
      caller = await resolve({ network_id: network, router_id: router, address });
    } catch (error) {
      this.options.log.warn(null, 'metadata.failed', { address, error: String(error) });
      answer(response, 503);
      return;
    }
    if (caller === null || caller.device_id === '') {
      this.options.log.warn(null, 'metadata.unknown_caller', { network_id: network, router_id: router, address });
      answer(response, 404);
      return;
    }
    this.pass(message, response, caller, address);
  }

  private pass(message: IncomingMessage, response: ServerResponse, caller: MetadataCaller, address: string): void {
    const headers: Record<string, string | string[]> = {};
    for (const [name, value] of Object.entries(message.headers)) {
      if (value !== undefined && !OWN_HEADERS.has(name)) headers[name] = value;
    }
    headers['x-forwarded-for'] = address;
    headers['x-instance-id'] = caller.device_id;
    headers['x-tenant-id'] = caller.project_id;
    headers['x-instance-id-signature'] = signInstanceId(this.options.sharedSecret, caller.device_id);
    const outgoing = httpRequest(
      {
        host: this.options.novaHost,
        port: this.options.novaPort,
        method: message.method ?? 'GET',
        path: message.url ?? '/',
        headers,
        timeout: TIMEOUT_MS,
      },
      (incoming) => {
        response.writeHead(incoming.statusCode ?? 502, incoming.headers);
        incoming.pipe(response);
      },
    );
    outgoing.once('timeout', () => outgoing.destroy(new Error('no answer')));
    outgoing.once('error', (error) => {
      this.options.log.warn(null, 'metadata.failed', { instance: caller.device_id, error: error.message });
      if (response.headersSent) response.destroy();
      else answer(response, 503);
    });
    message.pipe(outgoing);
  }
}

function headerOf(message: IncomingMessage, name: string): string | null {
  const value = message.headers[name];
  return typeof value === 'string' && value !== '' ? value : null;
}

function answer(response: ServerResponse, status: number): void {
  response.writeHead(status, { 'Content-Type': 'text/plain' });
  response.end(status === 404 ? 'Not Found\n' : 'The metadata service is not available at the moment.\n');
}
