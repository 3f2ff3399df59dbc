import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { pipeline, type Duplex } from 'node:stream';
import { newContext } from '@nestack/kernel/context';
import { checkHealth, type HealthCheck } from '@nestack/kernel/health';
import type { Logger } from '@nestack/kernel/log';
import { recordTrace } from '@nestack/kernel/trace';
import type { ConsoleConnection, ConsoleRedemption } from '@nestack/nova/domain';
import { createWebSocketStream, WebSocketServer, type WebSocket } from 'ws';
import { NovncFiles } from './novnc-files';
import { originAllowed, schemeAllowed, tokenOf } from './origin';
import { openRfb, RfbRefused } from './rfb-security';

export interface NovncProxyOptions {
  readonly bind: string;
  readonly port: number;
  /** Hosts whose pages may open consoles, beside this one. */
  readonly allowedOrigins: readonly string[];
  readonly checks: Readonly<Record<string, HealthCheck>>;
}

/** How long a compute host may take to answer. */
const CONNECT_MS = 10_000;
/** Viewers that give no sign of life for so long are gone. */
const PING_MS = 30_000;
/** The longest message of a viewer: what he pastes. */
const MAX_MESSAGE = 1024 * 1024;

/** The page loads nothing from elsewhere, and its address, which has the token, is told to nobody. */
const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; img-src 'self' data:; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-cache',
};

/**
 * nova-novncproxy: the page that shows a console, and the way from its WebSocket to the screen on the guest's host. It keeps nothing, so
 * any number of them run beside each other. upstream: nova/console/websocketproxy.py
 */
export class NovncProxy {
  private readonly files = new NovncFiles();
  private readonly sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: MAX_MESSAGE,
    handleProtocols: (offered) => (offered.has('binary') ? 'binary' : false),
  });
  private server: Server | null = null;
  /** Connections of viewers, from their first word on. */
  private readonly open = new Set<Duplex>();

  constructor(
    private readonly tokens: ConsoleRedemption,
    private readonly options: NovncProxyOptions,
    private readonly log: Logger,
  ) {}

  /** The port that it listens on; null when it does not. */
  get port(): number | null {
    const address = this.server?.address();
    return typeof address === 'object' && address !== null ? address.port : null;
  }

  /** Listens; called by Nest when the application is up. */
  async onApplicationBootstrap(): Promise<void> {
    const server = createServer((request, response) => {
      this.answer(request, response).catch((error: unknown) => {
        this.log.error(null, 'novnc.failed', { error });
        response.writeHead(500, HEADERS).end();
      });
    });
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      this.open.add(socket);
      socket.once('close', () => this.open.delete(socket));
      socket.on('error', () => socket.destroy());
      this.upgrade(request, socket, head).catch((error: unknown) => {
        this.log.error(null, 'novnc.failed', { error });
        socket.destroy();
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
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeIdleConnections();
    for (const socket of this.open) socket.destroy();
    await closed;
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const name = (request.url ?? '/').split('?')[0] ?? '/';
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, { ...HEADERS, allow: 'GET, HEAD' }).end();
      return;
    }
    if (name === '/healthcheck') {
      const report = await checkHealth(this.options.checks);
      response.writeHead(report.healthy ? 200 : 503, { 'content-type': 'application/json' });
      response.end(JSON.stringify(report));
      return;
    }
    const file = await this.files.at(name);
    if (file === null) response.writeHead(404, HEADERS).end();
    else {
      const length = Buffer.byteLength(file.body);
      response.writeHead(200, { ...HEADERS, 'content-type': file.type, 'content-length': length });
      response.end(request.method === 'HEAD' ? undefined : file.body);
    }
  }

  private async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const start = new Date();
    const began = performance.now();
    let connection: ConsoleConnection | null = null;
    const done = (status: number): void => {
      recordTrace(this.log, newContext(), {
        kind: 'rest.in',
        from: 'client',
        to: 'nova-novncproxy',
        name: 'GET /websockify',
        start,
        durationMs: performance.now() - began,
        status: String(status),
        ...(connection === null ? {} : { resource: `server:${connection.instance_uuid}` }),
      });
    };
    const refuse = (status: number, words: string): void => {
      done(status);
      // Whoever does not hang up then is not waited for.
      socket.once('finish', () => socket.destroy());
      socket.end(`HTTP/1.1 ${status} ${words}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
    };
    if (!originAllowed(request.headers, this.options.allowedOrigins)) return refuse(403, 'Forbidden');
    connection = await this.tokens.redeem(tokenOf(request.url ?? '', request.headers));
    if (connection === null || !schemeAllowed(request.headers, connection.access_url_base))
      return refuse(403, 'Forbidden');
    const screen = await connectScreen(connection);
    if (screen === null) return refuse(502, 'Bad Gateway');
    // It is ws that answers from here on, be it with the reason why this is no WebSocket.
    socket.once('close', () => screen.destroy());
    const { instance_uuid: server } = connection;
    this.sockets.handleUpgrade(request, socket, head, (viewer) => {
      done(101);
      this.show(viewer, screen, server).catch((error: unknown) => {
        this.log.error(null, 'console.failed', { server, error });
        viewer.terminate();
      });
    });
  }

  /** Brings viewer and screen together until one of them leaves. */
  private async show(viewer: WebSocket, screen: Duplex, server: string): Promise<void> {
    const began = Date.now();
    let alive = true;
    const timer = setInterval(() => {
      if (!alive) return viewer.terminate();
      alive = false;
      viewer.ping();
    }, PING_MS);
    viewer.on('pong', () => (alive = true));
    viewer.once('close', () => {
      clearInterval(timer);
      screen.destroy();
      this.log.info(null, 'console.closed', { server, seconds: Math.round((Date.now() - began) / 1000) });
    });
    this.log.info(null, 'console.opened', { server });
    const stream = createWebSocketStream(viewer);
    stream.on('error', () => viewer.terminate());
    try {
      await openRfb(stream, screen);
    } catch (error) {
      if (!(error instanceof RfbRefused)) throw error;
      this.log.warn(null, 'console.refused', { server, reason: error.message });
      stream.end();
      screen.destroy();
      return;
    }
    pipeline(screen, stream, screen, () => viewer.close());
  }
}

/** A connection through the gate of the guest's host; null when that does not let us in. */
function connectScreen({ host, port, internal_access_path: path }: ConsoleConnection): Promise<Duplex | null> {
  return new Promise((resolve) => {
    const asked = httpRequest({ host, port, method: 'CONNECT', path, timeout: CONNECT_MS, agent: false });
    asked.once('connect', (response, socket, head: Buffer) => {
      if (response.statusCode !== 200) {
        socket.destroy();
        resolve(null);
        return;
      }
      socket.on('error', () => socket.destroy());
      socket.setTimeout(0).setKeepAlive(true, PING_MS).setNoDelay(true);
      if (head.length > 0) socket.unshift(head);
      resolve(socket);
    });
    asked.once('response', () => asked.destroy());
    asked.once('timeout', () => asked.destroy());
    asked.once('error', () => resolve(null));
    asked.once('close', () => resolve(null));
    asked.end();
  });
}
