import type { RequestContext } from '@nestack/kernel/context';
import { DomainError } from '@nestack/kernel/errors';
import type { ConnectionInfo } from '@nestack/nova/contract';
import { definedCopy, definedVolumes, volumeXml } from './domain-xml';
import { busOfDefinition } from './hardware';
import { LibvirtError } from './remote/connection';
import type { LibvirtClient } from './remote/libvirt-client';

/** libvirt tells when a copy has become equal; it is looked at again after this time if that was missed. */
const LOOK_AGAIN_MS = 5000;

interface Target {
  readonly volumeId: string;
  readonly connection: ConnectionInfo;
}

/** Disks of guests that move from one volume to another. */
export class GuestSwaps {
  constructor(private readonly libvirt: LibvirtClient) {}

  /**
   * Copies a running guest's disk and lets it go on with the copy; then the definition names the new volume as well. A copy
   * to somewhere else that was cut is given up. Throws VolumeRebaseFailed, with the guest on the former volume.
   */
  async ensureSwapped(ctx: RequestContext, uuid: string, from: string, to: Target, up: boolean): Promise<void> {
    if (up) await this.moveLive(ctx, uuid, from, to);
    const definition = (await this.libvirt.xml(uuid, 'inactive')) ?? '';
    const former = definedVolumes(definition).find((one) => one.volumeId === from);
    const named = definedVolumes(definition).find((one) => one.volumeId === to.volumeId);
    // libvirt itself has put the new address there; the serial number is still the former volume's.
    const old = former ?? (named?.xml.includes(`<serial>${to.volumeId}</serial>`) === false ? named : undefined);
    const target = (old ?? named)?.target;
    if (old !== undefined) await this.libvirt.detachDevice(ctx, uuid, old.xml, 'config');
    if (named === undefined || old !== undefined) {
      const bus = busOfDefinition(definition);
      await this.libvirt.attachDevice(ctx, uuid, volumeXml({ ...to, target: target ?? 'vdb', bus }), 'config');
    }
  }

  private async moveLive(ctx: RequestContext, uuid: string, from: string, to: Target): Promise<void> {
    for (;;) {
      // Before looking: what changes in between is not missed.
      const change = this.libvirt.nextChange(uuid, LOOK_AGAIN_MS);
      const definition = await this.libvirt.xml(uuid, 'current');
      const disks = definedVolumes(definition ?? '');
      const disk = disks.find((one) => one.volumeId === from);
      const copy = disk === undefined ? null : definedCopy(disk.xml);
      if (disks.some((one) => one.volumeId === to.volumeId)) {
        // Back on it: a copy to elsewhere that was cut is of no use.
        const here = disks.find((one) => one.volumeId === to.volumeId);
        if (here !== undefined && definedCopy(here.xml) !== null)
          await this.libvirt.blockJobAbort(ctx, uuid, here.target, 'cancel');
        return;
      }
      if (disk === undefined) throw swapFailed(uuid, `the guest does not have volume ${from}`);
      try {
        if (copy === null) {
          const xml = volumeXml({ ...to, target: disk.target, bus: busOfDefinition(definition ?? '') });
          await this.libvirt.blockCopy(ctx, uuid, disk.target, xml);
        } else if (copy.volumeId !== to.volumeId) {
          await this.libvirt.blockJobAbort(ctx, uuid, disk.target, 'cancel');
        } else if (copy.ready) {
          await this.libvirt.blockJobAbort(ctx, uuid, disk.target, 'pivot');
        } else {
          await change;
        }
      } catch (error) {
        if (!(error instanceof LibvirtError)) throw error;
        throw swapFailed(uuid, error.message);
      }
    }
  }
}

/** upstream: nova/exception.py VolumeRebaseFailed */
function swapFailed(uuid: string, reason: string): DomainError {
  return new DomainError({
    kind: 'conflict',
    code: 'VolumeRebaseFailed',
    message: `Volume rebase failed: ${reason}`,
    detail: `instance ${uuid}`,
    args: { reason },
  });
}
