import { createReadStream, existsSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import type { RequestContext } from '@nestack/kernel/context';
import { POWER_STATE, type PowerState } from '@nestack/nova/contract';
import type { Commands } from './commands';
import { sync } from './files';
import type { GuestFiles } from './guest-files';
import type { LibvirtClient } from './remote/libvirt-client';

const CONVERT_MS = 30 * 60_000;

/** How a guest is, and whether it shall run. */
export interface SnapshotPower {
  readonly power: PowerState | null;
  readonly running: boolean;
}

/**
 * Whole copies of guests' root disks, in the guests' own folders: they go with the guest. A copy under its final name is
 * whole. A guest that runs is halted while what it has written is copied, not while that is joined with its image: QEMU
 * brings all to the file when it halts, so the copy is what a power failure would have left.
 */
export class GuestSnapshots {
  constructor(
    private readonly filesOf: (uuid: string) => GuestFiles,
    private readonly libvirt: Pick<LibvirtClient, 'suspend' | 'resume'>,
    private readonly commands: Commands,
  ) {}

  async ensure(ctx: RequestContext, uuid: string, name: string, how: SnapshotPower): Promise<void> {
    const { disk } = this.filesOf(uuid);
    const file = this.file(uuid, name);
    if (existsSync(file)) return this.goOn(ctx, uuid, how);
    const copy = `${file}.copy`;
    const part = `${file}.part`;
    const about = { to: 'qemu-img', name: 'qemu-img convert', resource: `server:${uuid}` };
    try {
      const live = how.power === POWER_STATE.running || how.power === POWER_STATE.paused;
      if (live) await this.copyHalted(ctx, uuid, disk, copy, how);
      const words = ['convert', '-t', 'writeback', '-T', 'writeback', '-f', 'qcow2', '-O', 'qcow2'];
      await this.commands.run(ctx, about, 'qemu-img', [...words, live ? copy : disk, part], { timeoutMs: CONVERT_MS });
      await sync(part);
      await rename(part, file);
      await sync(path.dirname(file));
    } finally {
      await rm(copy, { force: true });
      await rm(part, { force: true });
    }
  }

  async open(uuid: string, name: string): Promise<NodeJS.ReadableStream> {
    const handle = await open(this.file(uuid, name));
    return createReadStream('', { fd: handle, highWaterMark: 1024 * 1024 });
  }

  /** Also what a process that was killed left: its parts, and a guest that is still halted. */
  async absent(ctx: RequestContext, uuid: string, name: string, how: SnapshotPower): Promise<void> {
    await this.goOn(ctx, uuid, how);
    const file = this.file(uuid, name);
    for (const one of [file, `${file}.copy`, `${file}.part`]) await rm(one, { force: true });
  }

  private async copyHalted(
    ctx: RequestContext,
    uuid: string,
    disk: string,
    copy: string,
    how: SnapshotPower,
  ): Promise<void> {
    if (how.power === POWER_STATE.running) await this.libvirt.suspend(ctx, uuid);
    try {
      const about = { to: 'cp', name: 'cp', resource: `server:${uuid}` };
      const words = ['--reflink=auto', '--sparse=auto', '--', disk, copy];
      await this.commands.run(ctx, about, 'cp', words, { timeoutMs: CONVERT_MS });
    } finally {
      await this.goOn(ctx, uuid, { ...how, power: POWER_STATE.paused });
    }
  }

  private async goOn(ctx: RequestContext, uuid: string, { power, running }: SnapshotPower): Promise<void> {
    if (running && power === POWER_STATE.paused) await this.libvirt.resume(ctx, uuid);
  }

  private file(uuid: string, name: string): string {
    return path.join(this.filesOf(uuid).dir, `snapshot-${path.basename(name)}`);
  }
}
