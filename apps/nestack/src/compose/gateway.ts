import { mkdirSync, rmSync } from 'node:fs';
import { connect, createServer, type NetConnectOpts, type Server } from 'node:net';
import path from 'node:path';
import type { GatewayConfig } from './role';

/** Closes what a gateway or an uplink listens on. */
export type Close = () => Promise<void>;

function socketOf(gateway: GatewayConfig, port: number): string {
  return path.join(gateway.dir, `${port}.sock`);
}

/** Leads sockets of a folder to our loopback ports. Network namespaces share the file system, but no loopback. */
export async function openGateway(gateway: GatewayConfig): Promise<Close> {
  mkdirSync(gateway.dir, { recursive: true, mode: 0o700 });
  const servers = await Promise.all(
    gateway.ports.map((port) => {
      const at = socketOf(gateway, port);
      rmSync(at, { force: true });
      return forward({ path: at }, { host: '127.0.0.1', port });
    }),
  );
  return () => closeAll(servers);
}

/** Leads the same ports of this namespace's loopback through a gateway's sockets. */
export async function openUplink(uplink: GatewayConfig): Promise<Close> {
  const servers = await Promise.all(
    uplink.ports.map((port) => forward({ host: '127.0.0.1', port }, { path: socketOf(uplink, port) })),
  );
  return () => closeAll(servers);
}

function forward(listen: { path?: string; host?: string; port?: number }, target: NetConnectOpts): Promise<Server> {
  const server = createServer({ allowHalfOpen: true }, (inner) => {
    const outer = connect({ ...target, allowHalfOpen: true });
    inner.on('error', () => outer.destroy());
    outer.on('error', () => inner.destroy());
    inner.on('close', () => outer.destroy());
    outer.on('close', () => inner.destroy());
    inner.pipe(outer).pipe(inner);
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(listen, () => resolve(server.unref()));
  });
}

async function closeAll(servers: readonly Server[]): Promise<void> {
  await Promise.all(servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))));
}
