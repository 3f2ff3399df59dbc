import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Logger } from '@nestack/kernel/log';
import type { NetworkNamespace } from './host';

const LINE = /^(Deleted )?(\d+): (tap[0-9a-f]{8}-[0-9a-f]{2})(?:@[^:]+)?:/;
const RESTART_MS = 500;

/** One line of `ip monitor link`, or null when it is not about a port's tap. */
export function parseLinkEvent(line: string): { device: string; ifindex: number; deleted: boolean } | null {
  const match = LINE.exec(line);
  if (match === null) return null;
  return { device: match[3] ?? '', ifindex: Number(match[2]), deleted: match[1] !== undefined };
}

/** Tells of taps that come and go, from the kernel's own messages. */
export class LinkMonitor {
  private child: ChildProcess | null = null;
  private readonly known = new Map<string, number>();
  private closed = false;

  constructor(
    private readonly namespace: NetworkNamespace,
    private readonly log: Logger,
    private readonly events: { onDevice(device: string): void; onDeviceGone(device: string): void },
  ) {}

  async start(): Promise<void> {
    await this.watch();
    await this.scan();
  }

  close(): void {
    this.closed = true;
    this.child?.kill('SIGTERM');
  }

  /** Looks at all links: what came or went while nobody listened. */
  private async scan(): Promise<void> {
    const present = new Map<string, number>();
    for (const link of await this.namespace.links()) {
      if (/^tap[0-9a-f]{8}-[0-9a-f]{2}$/.test(link.ifname)) present.set(link.ifname, link.ifindex);
    }
    for (const device of [...this.known.keys()]) if (!present.has(device)) this.gone(device);
    for (const [device, ifindex] of present) this.came(device, ifindex);
  }

  private watch(): Promise<void> {
    const [command, args] = this.namespace.command('ip', ['-o', 'monitor', 'link']);
    const child = spawn(command, [...args], { stdio: ['ignore', 'pipe', 'ignore'] });
    this.child = child;
    createInterface({ input: child.stdout }).on('line', (line) => {
      const event = parseLinkEvent(line);
      if (event === null) return;
      if (event.deleted) void this.verify(event.device);
      else this.came(event.device, event.ifindex);
    });
    child.once('exit', () => {
      if (this.closed) return;
      this.log.warn(null, 'link_monitor.ended', { namespace: this.namespace.name });
      setTimeout(() => {
        if (!this.closed)
          void this.start().catch((error: unknown) => this.log.error(null, 'link_monitor.failed', { error }));
      }, RESTART_MS).unref();
    });
    return new Promise((resolve, reject) => {
      child.once('spawn', () => resolve());
      child.once('error', reject);
    });
  }

  private came(device: string, ifindex: number): void {
    if (this.known.get(device) === ifindex) return;
    this.known.set(device, ifindex);
    this.events.onDevice(device);
  }

  /** A tap that only leaves a bridge is also said to be deleted (the bridge's own view of it). */
  private async verify(device: string): Promise<void> {
    const link = await this.namespace.link(device).catch(() => null);
    if (link === null) this.gone(device);
    else this.came(device, link.ifindex);
  }

  private gone(device: string): void {
    if (this.known.delete(device)) this.events.onDeviceGone(device);
  }
}
