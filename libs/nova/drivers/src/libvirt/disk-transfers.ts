import { randomBytes, randomInt } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { RequestContext } from '@nestack/kernel/context';
import { CommandError } from '@nestack/kernel/process';
import type { DiskSource } from '@nestack/nova/contract';
import type { Commands } from './commands';
import { sync } from './files';

const FETCH_MS = 12 * 3_600_000;
/** Where hosts show disks; libvirt's range for migrations, which firewalls between hosts leave open. */
const PORTS = { first: 49_152, last: 49_215 } as const;
const USER = 'nova';

interface Shown {
  readonly file: string;
  readonly name: string;
  readonly format: 'qcow2' | 'raw';
}

/**
 * Disks on their way from host to host: the one that has them shows each through a qemu-nbd of its own, read only, over
 * TLS with a key that is good for this once; the other reads what is written on them, with what lies below, into a file of
 * its own. A qemu-nbd ends with its reader. See ADR 14.
 */
export class DiskTransfers {
  constructor(
    private readonly hostIp: string,
    private readonly commands: Commands,
  ) {}

  /** Shows disks of a guest; those that were shown from the folder before are not any more. */
  async show(ctx: RequestContext, uuid: string, dir: string, disks: readonly Shown[]): Promise<DiskSource> {
    await this.absent(dir);
    const place = placeIn(dir);
    const secret = randomBytes(32).toString('hex');
    await mkdir(place, { mode: 0o700 });
    await writeKey(place, secret);
    const shown: DiskSource['disks'] = [];
    for (const disk of disks)
      shown.push({ name: disk.name, format: disk.format, port: await this.serve(ctx, uuid, place, disk) });
    return { address: this.hostIp, secret, disks: shown };
  }

  /** Reads one disk into a file, which is there whole or not at all. */
  async fetch(
    ctx: RequestContext,
    uuid: string,
    from: Pick<DiskSource, 'address' | 'secret'> & DiskSource['disks'][number],
    file: string,
    signal: AbortSignal,
  ): Promise<void> {
    const fresh = `${file}.new`;
    // In the guest's own folder: what a killed process leaves goes with the guest.
    const keys = await mkdtemp(path.join(path.dirname(file), 'key-'));
    try {
      await writeKey(keys, from.secret);
      const server = `server.type=inet,server.host=${from.address},server.port=${String(from.port)}`;
      const about = { to: 'qemu-img', name: 'qemu-img convert', resource: `server:${uuid}` };
      const words = [
        ...['convert', '-t', 'writeback', '-O', from.format],
        ...['--object', `tls-creds-psk,id=tls,dir=${keys},username=${USER},endpoint=client`],
        ...['--image-opts', `driver=nbd,${server},export=${from.name},tls-creds=tls`, fresh],
      ];
      await this.commands.run(ctx, about, 'qemu-img', words, { timeoutMs: FETCH_MS, signal });
      await sync(fresh);
      await rename(fresh, file);
    } finally {
      await rm(fresh, { force: true });
      await rm(keys, { recursive: true, force: true });
    }
  }

  /** Ends all servers of a guest's folder. */
  async absent(dir: string): Promise<void> {
    const place = placeIn(dir);
    const names = await readdir(place).catch(() => [] as string[]);
    for (const name of names.filter((one) => one.endsWith('.pid'))) {
      const pid = Number((await readFile(path.join(place, name), 'utf8')).trim());
      // The number may be another program's by now.
      const words = await readFile(`/proc/${String(pid)}/cmdline`, 'utf8').catch(() => '');
      if (words.includes(path.join(place, name))) process.kill(pid, 'SIGTERM');
    }
    await rm(place, { recursive: true, force: true });
  }

  private async serve(ctx: RequestContext, uuid: string, place: string, disk: Shown): Promise<number> {
    const count = PORTS.last - PORTS.first + 1;
    const start = randomInt(count);
    const about = { to: 'qemu-nbd', name: 'qemu-nbd', resource: `server:${uuid}` };
    for (let at = 0; ; at += 1) {
      const port = PORTS.first + ((start + at) % count);
      const words = [
        // It is there when the command returns.
        ...['--fork', `--pid-file=${path.join(place, `${disk.name}.pid`)}`],
        ...['--read-only', '--bind', this.hostIp, '--port', String(port)],
        ...['--object', `tls-creds-psk,id=tls,dir=${place},endpoint=server`, '--tls-creds', 'tls'],
        ...['--format', disk.format, '--export-name', disk.name, disk.file],
      ];
      const result = await this.commands.try(ctx, about, 'qemu-nbd', words);
      if (result.code === 0) return port;
      if (at + 1 >= count || !/in use|available port/i.test(result.stderr))
        throw new CommandError(['qemu-nbd', ...words], result);
    }
  }
}

function placeIn(dir: string): string {
  return path.join(dir, 'shown');
}

/** Where QEMU looks for keys at each connection: one line for each user. */
async function writeKey(place: string, secret: string): Promise<void> {
  await writeFile(path.join(place, 'keys.psk'), `${USER}:${secret}\n`, { mode: 0o600 });
}
