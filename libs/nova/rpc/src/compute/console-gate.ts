import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline, type Duplex } from 'node:stream';
import type { Logger } from '@nestack/kernel/log';
import { NovaError } from '@nestack/nova/contract';
import type { GuestScreens } from '@nestack/nova/domain';

export interface ConsoleGateOptions {
  readonly enabled: boolean;
  /** Where it listens; on the host's management address, never on a public one. Port 0 takes a free one. */
  readonly bind: string;
  readonly port: number;
  /** How the proxies call this host. upstream: [vnc] server_proxyclient_address */
  readonly address: string;
}

/** How long a caller may take to say where it wants to. */
const HEAD_MS = 5000;
const MAX_HEAD = 4096;
const KEEPALIVE_MS = 30_000;

/**
 * The one way from outside to the screens of a host's guests. Displays themselves are unix sockets that nobody but root opens; who comes
 * here says `CONNECT <path>`, and without a path that nova-compute gave out for the guest's present run he is refused.
 */
export class ConsoleGate {
  private server: Server | null = null;
  private readonly open = new Set<Duplex>();

  constructor(
    private readonly screens: GuestScreens,
    private readonly options: ConsoleGateOptions,
    private readonly log: Logger,
  ) {}

  /** Where a proxy finds the guest's screen. Throws ConsoleTypeUnavailable, ConsoleNotReady. */
  async addressOf(
    uuid: string,
    consoleType: string,
  ): Promise<{ readonly host: string; readonly port: number; readonly internal_access_path: string }> {
    if (this.server === null || consoleType !== 'novnc')
      throw NovaError.ConsoleTypeUnavailable({ console_type: consoleType });
    const { port } = this.server.address() as AddressInfo;
    return { host: this.options.address, port, internal_access_path: await this.screens.pathOf(uuid) };
  }

  /** Listens; called by Nest when the application is up. */
  async onApplicationBootstrap(): Promise<void> {
    const { enabled, bind, port } = this.options;
    if (!enabled) return;
    const server = createServer({ maxHeaderSize: MAX_HEAD, headersTimeout: HEAD_MS, requestTimeout: HEAD_MS });
    server.on('request', (_request, response) => response.writeHead(405, { connection: 'close' }).end());
    server.on('connect', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      this.lead(request, socket, head).catch((error: unknown) => {
        this.log.error(null, 'console.failed', { error });
        socket.destroy();
      });
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, bind, resolve);
    });
    this.server = server;
  }

  async beforeApplicationShutdown(): Promise<void> {
    const { server } = this;
    if (server === null) return;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    for (const socket of this.open) socket.destroy();
    await closed;
  }

  private async lead(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    this.open.add(socket);
    socket.once('close', () => this.open.delete(socket));
    // A caller who leaves meanwhile is no fault.
    socket.on('error', () => socket.destroy());
    const found = await this.screens.at(request.url ?? '');
    if (found === null) return refuse(socket, '403 Forbidden');
    const screen = await found.display.connect().catch(() => null);
    if (screen === null) return refuse(socket, '503 Service Unavailable');
    request.socket.setKeepAlive(true, KEEPALIVE_MS).setNoDelay(true);
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
    if (head.length > 0) screen.write(head);
    pipeline(screen, socket, screen, () => undefined);
  }
}

function refuse(socket: Duplex, status: string): void {
  // Whoever does not hang up then is not waited for.
  socket.once('finish', () => socket.destroy());
  socket.end(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
}
