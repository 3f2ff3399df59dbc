import { existsSync } from 'node:fs';
import { link, mkdir, mkdtemp, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { RequestContext } from '@nestack/kernel/context';
import type { ConfigDriveFiles } from '@nestack/nova/domain';
import type { Commands } from './commands';
import { sync } from './files';
import type { BaseImage } from './image-cache';

/** The files of one guest, in its folder below the instances. Each exists whole or not at all. */
export class GuestFiles {
  readonly dir: string;
  readonly disk: string;
  readonly configDrive: string;
  readonly console: string;
  /** Of its ephemeral disks, as many as a guest can have. */
  readonly ephemerals: readonly string[];
  readonly swap: string;
  readonly kernel: string;
  readonly ramdisk: string;
  readonly rescueDisk: string;
  readonly rescueKernel: string;
  readonly rescueRamdisk: string;
  private readonly baseName: string;

  constructor(
    instancesDir: string,
    private readonly uuid: string,
    private readonly commands: Commands,
  ) {
    this.dir = path.join(instancesDir, uuid);
    this.disk = path.join(this.dir, 'disk');
    this.configDrive = path.join(this.dir, 'disk.config');
    this.console = path.join(this.dir, 'console.log');
    this.ephemerals = [0, 1, 2].map((index) => path.join(this.dir, `disk.eph${String(index)}`));
    this.swap = path.join(this.dir, 'disk.swap');
    this.kernel = path.join(this.dir, 'kernel');
    this.ramdisk = path.join(this.dir, 'ramdisk');
    this.rescueDisk = path.join(this.dir, 'disk.rescue');
    this.rescueKernel = path.join(this.dir, 'kernel.rescue');
    this.rescueRamdisk = path.join(this.dir, 'ramdisk.rescue');
    this.baseName = path.join(this.dir, 'disk.base');
  }

  /** The folder; nobody but root needs to read guests' disks. */
  async ensureDir(): Promise<void> {
    await mkdir(this.dir, { recursive: true, mode: 0o750 });
  }

  /** A disk of the guest, its own or that of a rescue: what it writes, over the image's raw file. */
  async ensureOverlay(ctx: RequestContext, base: BaseImage, bytes: number, disk = this.disk): Promise<void> {
    if (existsSync(disk)) return;
    const fresh = `${disk}.new`;
    await rm(fresh, { force: true });
    // First, so that no image is taken for unused that a disk lies over.
    await writeFile(disk === this.disk ? this.baseName : `${disk}.base`, path.basename(base.file));
    await this.commands.run(
      ctx,
      { to: 'qemu-img', name: 'qemu-img create', resource: `server:${this.uuid}` },
      'qemu-img',
      ['create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', base.file, fresh, String(bytes)],
    );
    await sync(fresh);
    await rename(fresh, disk);
    await sync(this.dir);
  }

  /** The flavor's further disks: an empty file system, swap space. upstream: nova/virt/libvirt/driver.py, _create_image */
  async ensureExtraDisks(ctx: RequestContext, ephemeralGib: readonly number[], swapMib: number): Promise<void> {
    const words = ['-q', '-F', '-t', 'ext4', '-E', 'lazy_itable_init=1,lazy_journal_init=1', '-L'];
    for (const [index, gib] of ephemeralGib.entries()) {
      const label = `ephemeral${String(index)}`;
      await this.ensureFormatted(ctx, this.ephemeral(index), gib * 1024 ** 3, 'mke2fs', [...words, label]);
    }
    if (swapMib > 0) await this.ensureFormatted(ctx, this.swap, swapMib * 1024 ** 2, 'mkswap', []);
  }

  /** The file of one of its ephemeral disks. */
  ephemeral(index: number): string {
    const file = this.ephemerals[index];
    if (file === undefined) throw new Error(`a guest has no ephemeral disk ${String(index)}`);
    return file;
  }

  private async ensureFormatted(
    ctx: RequestContext,
    file: string,
    bytes: number,
    program: string,
    words: readonly string[],
  ): Promise<void> {
    if (existsSync(file)) return;
    const fresh = `${file}.new`;
    await writeFile(fresh, '', { mode: 0o600 });
    await truncate(fresh, bytes);
    const env = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` };
    const about = { to: program, name: program, resource: `server:${this.uuid}` };
    await this.commands.run(ctx, about, program, [...words, fresh], { env });
    await sync(fresh);
    await rename(fresh, file);
  }

  /** Keeps an image beside the disk, as kernel or RAM disk: it is needed whenever the guest starts. */
  async ensureLinked(base: BaseImage, file: string): Promise<void> {
    if (!existsSync(file)) await link(base.file, file);
  }

  /** The config drive as an ISO 9660 file with the label `config-2`. upstream: nova/virt/configdrive.py */
  async ensureConfigDrive(ctx: RequestContext, files: ConfigDriveFiles): Promise<void> {
    if (existsSync(this.configDrive)) return;
    // In the guest's own folder: what a killed process leaves goes with the guest.
    const tree = await mkdtemp(path.join(this.dir, 'config-drive-'));
    try {
      for (const [name, content] of Object.entries(files)) {
        const file = path.resolve(tree, name);
        if (!file.startsWith(`${tree}${path.sep}`)) throw new Error(`the config drive cannot have the file ${name}`);
        await mkdir(path.dirname(file), { recursive: true });
        await writeFile(file, content);
      }
      const fresh = `${this.configDrive}.new`;
      const words = ['-quiet', '-o', fresh, '-ldots', '-allow-lowercase', '-allow-multidot', '-l', '-J', '-r'];
      await this.commands.run(
        ctx,
        { to: 'genisoimage', name: 'genisoimage', resource: `server:${this.uuid}` },
        'genisoimage',
        [...words, '-publisher', 'OpenStack', '-V', 'config-2', tree],
      );
      await rename(fresh, this.configDrive);
    } finally {
      await rm(tree, { recursive: true, force: true });
    }
  }

  /** The images that its disks lie over. */
  async bases(): Promise<readonly string[]> {
    const read = (file: string): Promise<string[]> =>
      readFile(file, 'utf8').then(
        (name) => [name],
        () => [],
      );
    return [...(await read(this.baseName)), ...(await read(`${this.rescueDisk}.base`))];
  }

  /** Nothing of a rescue is left. */
  async absentRescue(): Promise<void> {
    for (const file of [this.rescueDisk, this.rescueKernel, this.rescueRamdisk, `${this.rescueDisk}.base`])
      await rm(file, { force: true });
  }

  /** Nothing is left of what was made from image and flavor, nor its config drive. */
  async absentDisks(): Promise<void> {
    for (const file of [this.disk, this.kernel, this.ramdisk, ...this.ephemerals, this.swap, this.configDrive])
      await rm(file, { force: true });
    await this.absentRescue();
  }

  async absent(): Promise<void> {
    await rm(this.dir, { recursive: true, force: true });
  }
}
