import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { RequestContext } from '@nestack/kernel/context';
import type { ConfigDriveFiles } from '@nestack/nova/domain';
import { sync } from './image-cache';
import type { Commands } from './virsh';

/** The files of one guest, in its folder below the instances. Each exists whole or not at all. */
export class GuestFiles {
  readonly dir: string;
  readonly disk: string;
  readonly configDrive: string;
  readonly console: string;

  constructor(
    instancesDir: string,
    private readonly uuid: string,
    private readonly commands: Commands,
  ) {
    this.dir = path.join(instancesDir, uuid);
    this.disk = path.join(this.dir, 'disk');
    this.configDrive = path.join(this.dir, 'disk.config');
    this.console = path.join(this.dir, 'console.log');
  }

  /** The folder; nobody but root needs to read guests' disks. */
  async ensureDir(): Promise<void> {
    await mkdir(this.dir, { recursive: true, mode: 0o750 });
  }

  /** The guest's disk: what it writes, over the image's raw file. */
  async ensureOverlay(ctx: RequestContext, base: string, bytes: number): Promise<void> {
    if (existsSync(this.disk)) return;
    const fresh = `${this.disk}.new`;
    await rm(fresh, { force: true });
    await this.commands.run(
      ctx,
      { to: 'qemu-img', name: 'qemu-img create', resource: `server:${this.uuid}` },
      'qemu-img',
      ['create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', base, fresh, String(bytes)],
    );
    await sync(fresh);
    await rename(fresh, this.disk);
    await sync(this.dir);
  }

  /** The config drive as an ISO 9660 file with the label `config-2`. upstream: nova/virt/configdrive.py */
  async ensureConfigDrive(ctx: RequestContext, files: ConfigDriveFiles): Promise<void> {
    if (existsSync(this.configDrive)) return;
    const tree = await mkdtemp(path.join(tmpdir(), 'config-drive-'));
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

  async absent(): Promise<void> {
    await rm(this.dir, { recursive: true, force: true });
  }
}
