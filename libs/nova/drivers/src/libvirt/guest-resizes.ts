import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm, stat, truncate } from 'node:fs/promises';
import path from 'node:path';
import type { RequestContext } from '@nestack/kernel/context';
import { POWER_STATE, type PowerState } from '@nestack/nova/contract';
import type { GuestSpec, HypervisorDriver } from '@nestack/nova/domain';
import type { Commands } from './commands';
import { sync } from './files';
import type { GuestFiles } from './guest-files';
import { roomOf } from './guest-plan';
import { isUp } from './power-watch';

const COPY_MS = 30 * 60_000;

/**
 * Guests that get other sizes. Their disks are copied first into a folder of their own beside them; that folder under its
 * final name has all of them, and while it is there the resize can be taken back. What is in swap space dies with the
 * guest's process, so that is made anew, and the config drive tells of the flavor.
 */
export class GuestResizes {
  constructor(
    private readonly filesOf: (uuid: string) => GuestFiles,
    private readonly power: Pick<HypervisorDriver, 'powerOn' | 'powerOff' | 'guests'>,
    private readonly commands: Commands,
  ) {}

  async ensure(
    ctx: RequestContext,
    spec: GuestSpec,
    how: { readonly keep: string; readonly running: boolean; readonly timeoutS: number },
  ): Promise<PowerState> {
    const files = this.filesOf(spec.uuid);
    if (!existsSync(this.folder(files, how.keep))) {
      await this.power.powerOff(ctx, spec.uuid, how.timeoutS);
      await this.keep(ctx, spec.uuid, files, how.keep);
    } else if (await this.up(spec.uuid)) {
      return POWER_STATE.running;
    }
    await this.grow(ctx, spec, files);
    return how.running ? this.power.powerOn(ctx, spec) : POWER_STATE.shutdown;
  }

  async revert(
    ctx: RequestContext,
    spec: GuestSpec,
    how: { readonly keep: string; readonly running: boolean },
  ): Promise<PowerState> {
    const files = this.filesOf(spec.uuid);
    const kept = this.folder(files, how.keep);
    if (existsSync(kept)) {
      if (await this.up(spec.uuid)) await this.power.powerOff(ctx, spec.uuid, 0);
      for (const file of [files.disk, files.ephemeral]) {
        const own = path.join(kept, path.basename(file));
        if (existsSync(own)) await rename(own, file);
      }
      if (spec.flavor.ephemeral_gb === 0) await rm(files.ephemeral, { force: true });
      await this.removeDerived(files);
      await sync(files.dir);
      await rm(kept, { recursive: true, force: true });
    }
    if (how.running) return this.power.powerOn(ctx, spec);
    return (await this.up(spec.uuid)) ? POWER_STATE.running : POWER_STATE.shutdown;
  }

  async absent(uuid: string, keep: string): Promise<void> {
    await rm(this.folder(this.filesOf(uuid), keep), { recursive: true, force: true });
  }

  /** What earlier resizes left is of no use any more. */
  private async keep(ctx: RequestContext, uuid: string, files: GuestFiles, keep: string): Promise<void> {
    for (const name of await readdir(files.dir))
      if (name.startsWith('resize-')) await rm(path.join(files.dir, name), { recursive: true, force: true });
    const kept = this.folder(files, keep);
    const part = `${kept}.part`;
    await mkdir(part, { mode: 0o750 });
    for (const file of [files.disk, files.ephemeral]) {
      if (!existsSync(file)) continue;
      const copy = path.join(part, path.basename(file));
      const about = { to: 'cp', name: 'cp', resource: `server:${uuid}` };
      await this.commands.run(ctx, about, 'cp', ['--reflink=auto', '--sparse=auto', '--', file, copy], {
        timeoutMs: COPY_MS,
      });
      await sync(copy);
    }
    await sync(part);
    await rename(part, kept);
    await sync(files.dir);
  }

  private async grow(ctx: RequestContext, { uuid, flavor }: GuestSpec, files: GuestFiles): Promise<void> {
    const room = roomOf(flavor.root_gb);
    if (room !== null && existsSync(files.disk)) {
      const about = { to: 'qemu-img', name: 'qemu-img resize', resource: `server:${uuid}` };
      await this.commands.run(ctx, about, 'qemu-img', ['resize', '-q', '-f', 'qcow2', files.disk, String(room)]);
    }
    const ephemeral = flavor.ephemeral_gb * 1024 ** 3;
    if (existsSync(files.ephemeral) && (await stat(files.ephemeral)).size < ephemeral)
      await truncate(files.ephemeral, ephemeral);
    await this.removeDerived(files);
  }

  /** They are made anew when the guest starts. */
  private async removeDerived(files: GuestFiles): Promise<void> {
    await rm(files.swap, { force: true });
    await rm(files.configDrive, { force: true });
  }

  private async up(uuid: string): Promise<boolean> {
    return isUp((await this.power.guests()).find((guest) => guest.uuid === uuid)?.power ?? null);
  }

  private folder(files: GuestFiles, keep: string): string {
    return path.join(files.dir, `resize-${path.basename(keep)}`);
  }
}
