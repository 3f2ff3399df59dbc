import type { RequestContext } from '@nestack/kernel/context';
import { DomainError } from '@nestack/kernel/errors';
import type { ConnectionInfo } from '@nestack/nova/contract';
import { nbdAddress } from './domain-xml';
import { GuestSwaps } from './guest-swaps';
import { MonitorRefusal, type LibvirtClient } from './remote/libvirt-client';

interface BlockNode {
  readonly 'node-name': string;
  readonly ro: boolean;
  readonly cache: { readonly direct: boolean; readonly 'no-flush': boolean };
  readonly image: { readonly filename: string; readonly 'virtual-size': number };
}

/** Seconds for which requests wait when the server of a volume is started anew. */
const RECONNECT_S = 60;

/**
 * What happens below the disks of running guests, where libvirt has no words for it: the connection of a volume is replaced
 * by another one between two requests, so that nothing fails and the guest's clock does not stop. libvirt finds its nodes
 * under the names that it gave them.
 */
export class GuestBlock {
  private readonly swaps: GuestSwaps;

  constructor(private readonly libvirt: LibvirtClient) {
    this.swaps = new GuestSwaps(libvirt);
  }

  /** Ensures the guest's disk is another volume of at least so many bytes; `up` says whether it runs. */
  async ensureSwapped(
    ctx: RequestContext,
    uuid: string,
    from: string,
    to: { readonly volumeId: string; readonly connection: ConnectionInfo; readonly bytes: number },
    up: boolean,
  ): Promise<void> {
    await this.swaps.ensureSwapped(ctx, uuid, from, to, up);
    if (up) await this.ensureSize(ctx, uuid, to);
  }

  /** Ensures the guest's disk uses this connection of the volume and has at least so many bytes. */
  async ensureConnection(
    ctx: RequestContext,
    uuid: string,
    { volumeId, connection, bytes }: { volumeId: string; connection: ConnectionInfo; bytes: number },
  ): Promise<void> {
    const format = await this.formatNode(ctx, uuid, volumeId);
    await this.reconnect(ctx, uuid, format, nbdAddress(volumeId, connection));
    await this.ensureSize(ctx, uuid, { volumeId, bytes });
  }

  /** Ensures a disk shows at least so many bytes, which its connection has. */
  private async ensureSize(
    ctx: RequestContext,
    uuid: string,
    { volumeId, bytes }: { readonly volumeId: string; readonly bytes: number },
  ): Promise<void> {
    const now = await this.formatNode(ctx, uuid, volumeId);
    // A disk that cannot be written to has the new size when the guest starts anew.
    if (now.ro || now.image['virtual-size'] > bytes) return;
    // The node sees the size by itself, but only this lets it tell the guest's device.
    await this.libvirt.monitor(ctx, uuid, 'block_resize', { 'node-name': now['node-name'], size: bytes });
  }

  /**
   * The connection is opened under a name of ours and put in place; then once more under libvirt's name. Cut anywhere, one
   * of the two is in use and the other one can be taken away.
   */
  private async reconnect(
    ctx: RequestContext,
    uuid: string,
    format: BlockNode,
    address: ReturnType<typeof nbdAddress>,
  ): Promise<void> {
    const usual = format['node-name'].replace(/-format$/, '-storage');
    const passing = format['node-name'].replace(/-format$/, '-passing');
    const replace = async (by: string, old: string): Promise<void> => {
      await this.absent(ctx, uuid, by);
      await this.libvirt.monitor(ctx, uuid, 'blockdev-add', {
        driver: 'nbd',
        ...address,
        'node-name': by,
        'read-only': format.ro,
        cache: cacheOf(format),
        discard: 'unmap',
        'reconnect-delay': RECONNECT_S,
      });
      await this.libvirt.monitor(ctx, uuid, 'blockdev-reopen', {
        options: [
          {
            driver: 'raw',
            'node-name': format['node-name'],
            'read-only': format.ro,
            cache: cacheOf(format),
            discard: 'unmap',
            file: by,
          },
        ],
      });
      await this.absent(ctx, uuid, old);
    };
    if (await this.absent(ctx, uuid, passing)) await replace(passing, usual);
    await replace(usual, passing);
  }

  private async formatNode(ctx: RequestContext, uuid: string, volumeId: string): Promise<BlockNode> {
    const devices = (await this.libvirt.monitor(ctx, uuid, 'query-block')) as readonly {
      readonly inserted?: { readonly 'node-name'?: string; readonly image?: { readonly filename?: string } };
    }[];
    const disk = devices.find((one) => one.inserted?.image?.filename?.includes(volumeId) === true);
    const name = disk?.inserted?.['node-name'];
    const node = (await this.nodes(ctx, uuid)).find((one) => one['node-name'] === name);
    if (node === undefined || !node['node-name'].endsWith('-format'))
      throw new DomainError({
        kind: 'conflict',
        code: 'VolumeExtendFailed',
        message: `Volume ${volumeId} could not be extended. Reason: Failure to resize underlying volume on compute.`,
        args: { volume_id: volumeId },
      });
    return node;
  }

  private async nodes(ctx: RequestContext, uuid: string): Promise<readonly BlockNode[]> {
    return (await this.libvirt.monitor(ctx, uuid, 'query-named-block-nodes', { flat: true })) as readonly BlockNode[];
  }

  /** Removes a node; false when it is in use. */
  private async absent(ctx: RequestContext, uuid: string, node: string): Promise<boolean> {
    try {
      await this.libvirt.monitor(ctx, uuid, 'blockdev-del', { 'node-name': node });
      return true;
    } catch (error) {
      if (!(error instanceof MonitorRefusal)) throw error;
      if (/in use/i.test(error.description)) return false;
      if (/find|no such|not found/i.test(error.description)) return true;
      throw error;
    }
  }
}

function cacheOf({ cache }: BlockNode): { direct: boolean; 'no-flush': boolean } {
  return { direct: cache.direct, 'no-flush': cache['no-flush'] };
}
