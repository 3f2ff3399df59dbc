import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Logger } from '@nestack/kernel/log';

const RESTART_MS = 1000;
const LINE = /^event 'lifecycle' for domain '?instance-([0-9a-f-]{36})'?: (.*)$/;

/** The guest and what happened to it (`Stopped Shutdown`), or null when the line tells of something else. */
export function parseLifecycle(line: string): { readonly uuid: string; readonly what: string } | null {
  const match = LINE.exec(line.trim());
  return match?.[1] === undefined ? null : { uuid: match[1], what: match[2] ?? '' };
}

/** Listens to libvirt's lifecycle events for as long as it is open, over restarts of the daemon. */
export class LifecycleEvents {
  private child: ChildProcess | null = null;
  private closed = false;
  private timer: NodeJS.Timeout | null = null;

  constructor(
    private readonly uri: string,
    private readonly log: Logger,
    private readonly onChange: (uuid: string, what: string) => void,
    /** Events may have been missed. */
    private readonly onReconnect: () => void,
  ) {}

  start(again = false): void {
    if (this.closed) return;
    const child = spawn('virsh', ['-c', this.uri, 'event', '--loop', '--event', 'lifecycle'], {
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { ...process.env, LC_ALL: 'C' },
    });
    this.child = child;
    createInterface({ input: child.stdout }).on('line', (line) => {
      const event = parseLifecycle(line);
      if (event !== null) this.onChange(event.uuid, event.what);
    });
    child.once('error', (error) => this.log.error(null, 'libvirt.events_failed', { error }));
    child.once('close', () => {
      if (this.closed) return;
      this.log.warn(null, 'libvirt.events_ended', { uri: this.uri });
      this.timer = setTimeout(() => this.start(true), RESTART_MS);
      this.timer.unref();
    });
    if (again) this.onReconnect();
  }

  async close(): Promise<void> {
    this.closed = true;
    if (this.timer !== null) clearTimeout(this.timer);
    const child = this.child;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    await new Promise<void>((resolve) => {
      child.once('close', () => resolve());
      child.kill('SIGTERM');
    });
  }
}
