import type { RequestContext } from '@nestack/kernel/context';
import { DomainError } from '@nestack/kernel/errors';
import type { Nic } from '@nestack/nova/contract';
import type { GuestDisk } from '@nestack/nova/domain';
import { definedInterface, definedTargets, definedVolumes, interfaceXml, volumeXml } from './domain-xml';
import { busOfDefinition, freeTarget } from './hardware';
import { LibvirtError } from './remote/connection';
import type { LibvirtClient, Scope } from './remote/libvirt-client';

/**
 * How long a guest may take to let a device go, and after what time it is asked again (it may just be booting).
 * upstream: device_detach_attempts, device_detach_timeout
 */
const DETACH_MS = 90_000;
const DETACH_AGAIN_MS = 10_000;

/** Devices of defined guests that come and go, in the running guest and in its definition alike. */
export class GuestDevices {
  constructor(private readonly libvirt: LibvirtClient) {}

  /** Attaches a volume where it is missing; answers the device. Throws DeviceAttachFailed. */
  async ensureVolume(ctx: RequestContext, uuid: string, disk: GuestDisk, up: boolean): Promise<string> {
    const definitions = await this.definitions(uuid, up);
    const found = [...definitions.values()].flatMap(definedVolumes).find((one) => one.volumeId === disk.volumeId);
    const taken = [...definitions.values()].flatMap(definedTargets);
    const bus = busOfDefinition(definitions.get('config') ?? '');
    const target = found?.target ?? freeTarget(disk.device, taken, bus);
    const xml = volumeXml({ volumeId: disk.volumeId, connection: disk.connection, target, bus });
    for (const [scope, definition] of definitions) {
      if (definedVolumes(definition).some((one) => one.volumeId === disk.volumeId)) continue;
      await this.attach(ctx, uuid, scope, xml);
    }
    return `/dev/${target}`;
  }

  async absentVolume(ctx: RequestContext, uuid: string, volumeId: string, up: boolean): Promise<void> {
    await this.absent(ctx, uuid, `volume ${volumeId}`, up, (definition) => {
      return definedVolumes(definition).find((one) => one.volumeId === volumeId)?.xml ?? null;
    });
  }

  async ensureInterface(ctx: RequestContext, uuid: string, nic: Nic, up: boolean): Promise<void> {
    for (const [scope, definition] of await this.definitions(uuid, up)) {
      if (definedInterface(definition, nic.mac_address) === null)
        await this.attach(ctx, uuid, scope, interfaceXml(nic));
    }
  }

  async absentInterface(ctx: RequestContext, uuid: string, nic: Nic, up: boolean): Promise<void> {
    await this.absent(ctx, uuid, `port ${nic.port_id}`, up, (definition) =>
      definedInterface(definition, nic.mac_address),
    );
  }

  /** What is defined for the next start and, when the guest runs, what it has now. Empty: there is no such guest. */
  private async definitions(uuid: string, up: boolean): Promise<ReadonlyMap<Scope, string>> {
    const found = new Map<Scope, string>();
    const live = up ? await this.libvirt.xml(uuid, 'current') : null;
    if (live !== null) found.set('live', live);
    const inactive = await this.libvirt.xml(uuid, 'inactive');
    if (inactive !== null) found.set('config', inactive);
    return found;
  }

  private async absent(
    ctx: RequestContext,
    uuid: string,
    what: string,
    up: boolean,
    find: (definition: string) => string | null,
  ): Promise<void> {
    const end = Date.now() + DETACH_MS;
    let askAt = 0;
    for (;;) {
      // Before looking: what changes in between is not missed.
      const change = this.libvirt.nextChange(uuid, DETACH_AGAIN_MS);
      const present = [...(await this.definitions(uuid, up))].flatMap(([scope, definition]) => {
        const xml = find(definition);
        return xml === null ? [] : [{ scope, xml }];
      });
      if (present.length === 0) return;
      const now = Date.now();
      if (now >= end) throw detachFailed(what);
      if (now >= askAt) {
        askAt = now + DETACH_AGAIN_MS;
        await Promise.all(present.map(({ scope, xml }) => this.detach(ctx, uuid, xml, scope)));
      } else {
        await change;
      }
    }
  }

  /** Refusals ("not found", "is already being unplugged") show in what is present at the next look. */
  private async detach(ctx: RequestContext, uuid: string, xml: string, scope: Scope): Promise<void> {
    try {
      await this.libvirt.detachDevice(ctx, uuid, xml, scope);
    } catch (error) {
      if (!(error instanceof LibvirtError)) throw error;
    }
  }

  private async attach(ctx: RequestContext, uuid: string, scope: Scope, xml: string): Promise<void> {
    try {
      await this.libvirt.attachDevice(ctx, uuid, xml, scope);
    } catch (error) {
      if (!(error instanceof LibvirtError)) throw error;
      throw new DomainError({
        kind: 'conflict',
        code: 'DeviceAttachFailed',
        message: `The device cannot be attached to instance ${uuid}.`,
        detail: error.message,
      });
    }
  }
}

/** upstream: nova/exception.py, DeviceDetachFailed */
function detachFailed(what: string): DomainError {
  const reason = 'Unable to detach the device from the live config.';
  return new DomainError({
    kind: 'conflict',
    code: 'DeviceDetachFailed',
    message: `Device detach failed for ${what}: ${reason}`,
    args: { device: what, reason },
  });
}
