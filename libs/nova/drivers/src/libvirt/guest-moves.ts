import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm, stat, truncate } from 'node:fs/promises';
import path from 'node:path';
import type { RequestContext } from '@nestack/kernel/context';
import { POWER_STATE, type DiskSource, type PowerState } from '@nestack/nova/contract';
import type { GuestSpec, HypervisorDriver } from '@nestack/nova/domain';
import type { Commands } from './commands';
import type { DiskTransfers } from './disk-transfers';
import { sync } from './files';
import type { GuestFiles } from './guest-files';
import { roomOf } from './guest-plan';
import { isUp } from './power-watch';

const COPY_MS = 30 * 60_000;
const ASIDE = 'resize-';

/**
 * Guests that get other sizes, here or on another host. Their disks are moved first into a folder of their own beside
 * them; that folder under its final name has all of them, and while it is there the move can be taken back. Where the
 * guest goes it gets copies: of the folder, or of what the other host shows. What is in swap space dies with the guest's
 * process, so that is made anew, and the config drive tells of the flavor.
 */
export class GuestMoves {
  constructor(
    private readonly filesOf: (uuid: string) => GuestFiles,
    private readonly power: Pick<HypervisorDriver, 'powerOn' | 'powerOff' | 'guests'>,
    private readonly transfers: DiskTransfers,
    private readonly commands: Commands,
  ) {}

  async setAside(
    ctx: RequestContext,
    uuid: string,
    { keep, timeoutS }: { readonly keep: string; readonly timeoutS: number },
  ): Promise<void> {
    const files = this.filesOf(uuid);
    const folder = this.folder(files, keep);
    if (existsSync(folder)) return;
    if (await this.up(uuid)) await this.power.powerOff(ctx, uuid, timeoutS);
    await files.ensureDir();
    const part = `${folder}.part`;
    if (!existsSync(part)) await this.removeOlder(files);
    await mkdir(part, { recursive: true, mode: 0o750 });
    for (const file of disksOf(files)) if (existsSync(file)) await rename(file, path.join(part, path.basename(file)));
    await sync(part);
    await rename(part, folder);
    await sync(files.dir);
  }

  async open(ctx: RequestContext, uuid: string, keep: string): Promise<DiskSource> {
    const files = this.filesOf(uuid);
    const folder = this.folder(files, keep);
    if (!existsSync(folder)) throw new Error(`the guest ${uuid} has nothing set aside under ${keep}`);
    // The root disk comes last, so who has it has all.
    const shown = disksOf(this.filesOf(uuid))
      .map((file) => path.join(folder, path.basename(file)))
      .filter((file) => existsSync(file))
      .map((file) => ({ file, name: path.basename(file), format: formatOf(path.basename(file)) }));
    return this.transfers.show(ctx, uuid, files.dir, shown);
  }

  /** Brings the disks; the caller makes what else the guest needs, then calls `start`. */
  async bring(
    ctx: RequestContext,
    spec: GuestSpec,
    { keep, source, signal }: Pick<Parameters<HypervisorDriver['ensureArrived']>[2], 'keep' | 'source' | 'signal'>,
  ): Promise<void> {
    const files = this.filesOf(spec.uuid);
    await files.ensureDir();
    if (source === null) await this.copy(ctx, spec.uuid, files, keep);
    else if (spec.image === null ? !existsSync(files.ephemeral(0)) : !existsSync(files.disk)) {
      const { disks, ...from } = await source();
      for (const disk of disks) {
        const file = disksOf(files).find((one) => path.basename(one) === disk.name);
        if (file === undefined) throw new Error(`a guest has no disk ${disk.name}`);
        if (!existsSync(file)) await this.transfers.fetch(ctx, spec.uuid, { ...from, ...disk }, file, signal);
      }
      await sync(files.dir);
    }
    await this.grow(ctx, spec, files);
  }

  async takeBack(
    ctx: RequestContext,
    spec: GuestSpec,
    how: { readonly keep: string; readonly running: boolean },
  ): Promise<PowerState> {
    const files = this.filesOf(spec.uuid);
    const folder = this.folder(files, how.keep);
    await this.transfers.absent(files.dir);
    if (existsSync(folder) || existsSync(`${folder}.part`)) {
      if (await this.up(spec.uuid)) await this.power.powerOff(ctx, spec.uuid, 0);
      for (const from of [folder, `${folder}.part`]) await this.moveBack(files, from, true);
      for (const file of files.ephemerals.slice(spec.ephemerals.length)) await rm(file, { force: true });
      await this.removeDerived(files);
      await sync(files.dir);
    }
    if (how.running) return this.power.powerOn(ctx, spec);
    return (await this.up(spec.uuid)) ? POWER_STATE.running : POWER_STATE.shutdown;
  }

  /** A guest that is started where it left although it has no disks: the move was given up while this host was away. */
  async restore(uuid: string): Promise<void> {
    const files = this.filesOf(uuid);
    await this.transfers.absent(files.dir);
    for (const name of await asideIn(files)) await this.moveBack(files, path.join(files.dir, name), false);
  }

  async absent(uuid: string, keep: string): Promise<void> {
    const files = this.filesOf(uuid);
    await this.transfers.absent(files.dir);
    await rm(this.folder(files, keep), { recursive: true, force: true });
  }

  /** Ends what shows disks of the guest. */
  absentTransfers(uuid: string): Promise<void> {
    return this.transfers.absent(this.filesOf(uuid).dir);
  }

  private async moveBack(files: GuestFiles, folder: string, replace: boolean): Promise<void> {
    let moved = replace;
    for (const file of disksOf(files)) {
      const own = path.join(folder, path.basename(file));
      if (!existsSync(own) || (!replace && existsSync(file))) continue;
      await rename(own, file);
      moved = true;
    }
    await sync(files.dir);
    if (moved) await rm(folder, { recursive: true, force: true });
  }

  /** What earlier moves left is of no use any more, unless the guest's own disks are still there. */
  private async removeOlder(files: GuestFiles): Promise<void> {
    await this.restore(path.basename(files.dir));
    for (const name of await asideIn(files)) await rm(path.join(files.dir, name), { recursive: true, force: true });
  }

  private async copy(ctx: RequestContext, uuid: string, files: GuestFiles, keep: string): Promise<void> {
    const folder = this.folder(files, keep);
    for (const file of disksOf(files)) {
      const own = path.join(folder, path.basename(file));
      if (existsSync(file) || !existsSync(own)) continue;
      const fresh = `${file}.new`;
      const about = { to: 'cp', name: 'cp', resource: `server:${uuid}` };
      await this.commands.run(ctx, about, 'cp', ['--reflink=auto', '--sparse=auto', '--', own, fresh], {
        timeoutMs: COPY_MS,
      });
      await sync(fresh);
      await rename(fresh, file);
    }
    await sync(files.dir);
  }

  private async grow(ctx: RequestContext, { uuid, flavor, ephemerals }: GuestSpec, files: GuestFiles): Promise<void> {
    const room = roomOf(flavor.root_gb);
    if (room !== null && existsSync(files.disk)) {
      const about = { to: 'qemu-img', name: 'qemu-img resize', resource: `server:${uuid}` };
      await this.commands.run(ctx, about, 'qemu-img', ['resize', '-q', '-f', 'qcow2', files.disk, String(room)]);
    }
    for (const [index, gib] of ephemerals.entries()) {
      const file = files.ephemeral(index);
      if (existsSync(file) && (await stat(file)).size < gib * 1024 ** 3) await truncate(file, gib * 1024 ** 3);
    }
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
    return path.join(files.dir, `${ASIDE}${path.basename(keep)}`);
  }
}

/** What a guest has of its own; the root disk last. */
function disksOf(files: GuestFiles): readonly string[] {
  return [...files.ephemerals, files.disk];
}

function formatOf(name: string): 'qcow2' | 'raw' {
  return name === 'disk' ? 'qcow2' : 'raw';
}

async function asideIn(files: GuestFiles): Promise<readonly string[]> {
  const names = await readdir(files.dir).catch(() => [] as string[]);
  return names.filter((name) => name.startsWith(ASIDE));
}
