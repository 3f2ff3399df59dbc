import type { RequestContext } from '@nestack/kernel/context';
import type { StorageDaemon } from './storage-daemon';

/** What of a volume is served. */
export interface Served {
  readonly volumeId: string;
  /** GiB of the volume's data now. */
  readonly size: number;
  readonly writable: boolean;
  /** Names that connections were handed out with, which must go on leading to the volume. */
  readonly names: readonly string[];
}

interface Export {
  /** `NAME_SIZE` */
  readonly id: string;
  readonly name: string;
  readonly volumeId: string;
  /** GiB that it tells its clients. */
  readonly size: number;
}

const ID = /^(volume-([0-9a-f-]{36})(?:\.\d+)?)(?:_(\d+))?$/;

/** The name under which a volume is served unless a smaller one of that name is still used. */
export function exportName(volumeId: string): string {
  return `volume-${volumeId}`;
}

/**
 * The exports of volumes on one daemon. An export tells the size that it began with for ever, and ending it costs its clients
 * errors. So a volume that grows in use gets another export, named after its new size, and its guests move there while they
 * run; once nobody uses the first any more it is made anew with the new size, the guests move back, and the second ends.
 */
export class VolumeExports {
  constructor(
    private readonly daemon: StorageDaemon,
    /** The node behind an export: one that all of a volume's share, or one for each. */
    private readonly nodeOf: {
      readonly shared: boolean;
      readonly name: (volumeId: string, exported: string) => string;
    },
  ) {}

  /** Ensures that the volume is served with its present size, and answers under which name; exports that nothing needs end. */
  async ensure(ctx: RequestContext, served: Served, options: () => Readonly<Record<string, unknown>>): Promise<string> {
    const { volumeId, size, writable } = served;
    await this.endOutdated(served);
    const plain = exportName(volumeId);
    const known = await this.of(volumeId);
    const outdated = known.some((one) => one.name === plain && one.size !== size);
    const current = outdated ? `${plain}.${String(size)}` : plain;
    const handedOut = served.names.filter((name) => name === plain || name.startsWith(`${plain}.`));
    const wanted = new Set([plain, current, ...handedOut]);
    for (const name of wanted) {
      if (known.some((one) => one.name === name)) continue;
      const exported = { id: `${name}_${String(size)}`, name, node: this.nodeOf.name(volumeId, name), writable };
      await this.daemon.ensureExport(ctx, exported, options());
    }
    for (const one of known) if (!wanted.has(one.name)) await this.end(one);
    return current;
  }

  /** Ends exports of another size, as far as nobody uses them. */
  async endOutdated({ volumeId, size }: Pick<Served, 'volumeId' | 'size'>): Promise<void> {
    for (const one of await this.of(volumeId)) if (one.size !== size) await this.end(one);
  }

  /** Ends all exports of a volume, whoever uses them. */
  async absent(volumeId: string): Promise<void> {
    for (const one of await this.of(volumeId)) await this.daemon.absentExport(one.id);
    await this.daemon.absentNodes((node) => this.isNodeOf(volumeId, node));
  }

  /** Volumes that are served. */
  async volumes(): Promise<readonly string[]> {
    return [...new Set((await this.all()).map((one) => one.volumeId))];
  }

  private async end(one: Export): Promise<void> {
    if ((await this.daemon.endUnusedExport(one.id)) && !this.nodeOf.shared)
      await this.daemon.absentNodes((node) => node === this.nodeOf.name(one.volumeId, one.name));
  }

  private isNodeOf(volumeId: string, node: string): boolean {
    const plain = exportName(volumeId);
    return node === this.nodeOf.name(volumeId, plain) || node.startsWith(this.nodeOf.name(volumeId, `${plain}.`));
  }

  private async of(volumeId: string): Promise<readonly Export[]> {
    return (await this.all()).filter((one) => one.volumeId === volumeId);
  }

  private async all(): Promise<readonly Export[]> {
    return (await this.daemon.exports()).flatMap((id) => {
      const [, name, volumeId, size] = ID.exec(id) ?? [];
      return name === undefined || volumeId === undefined ? [] : [{ id, name, volumeId, size: Number(size ?? 0) }];
    });
  }
}
