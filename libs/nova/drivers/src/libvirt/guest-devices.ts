import { randomUUID } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { RequestContext } from '@nestack/kernel/context';
import { DomainError } from '@nestack/kernel/errors';
import type { Nic } from '@nestack/nova/contract';
import type { GuestDisk } from '@nestack/nova/domain';
import {
  definedInterface,
  definedTargets,
  definedVolumes,
  domainName,
  freeTarget,
  interfaceXml,
  volumeXml,
} from './domain-xml';
import type { Virsh } from './virsh';

/** How long a guest may take to let a device go, and after what time it is asked again (it may just be booting). */
const DETACH_MS = 60_000;
const DETACH_AGAIN_MS = 5000;
const LOOK_MS = 200;

type Scope = 'live' | 'config';

/** Devices of defined guests that come and go, in the running guest and in its definition alike. */
export class GuestDevices {
  constructor(
    private readonly virsh: Virsh,
    /** Folder for the descriptions that virsh reads. */
    private readonly dir: string,
  ) {}

  /** Attaches a volume where it is missing; answers the device. */
  async ensureVolume(ctx: RequestContext, uuid: string, disk: GuestDisk): Promise<string> {
    const definitions = await this.definitions(uuid);
    const found = [...definitions.values()].flatMap(definedVolumes).find((one) => one.volumeId === disk.volumeId);
    const taken = [...definitions.values()].flatMap(definedTargets);
    const target = found?.target ?? freeTarget(disk.device, taken);
    const xml = volumeXml({ volumeId: disk.volumeId, connection: disk.connection, target });
    for (const [scope, definition] of definitions) {
      if (definedVolumes(definition).some((one) => one.volumeId === disk.volumeId)) continue;
      await this.attach(ctx, uuid, scope, xml);
    }
    return `/dev/${target}`;
  }

  async absentVolume(ctx: RequestContext, uuid: string, volumeId: string): Promise<void> {
    await this.absent(ctx, uuid, `volume ${volumeId}`, (definition) => {
      return definedVolumes(definition).find((one) => one.volumeId === volumeId)?.xml ?? null;
    });
  }

  async ensureInterface(ctx: RequestContext, uuid: string, nic: Nic): Promise<void> {
    for (const [scope, definition] of await this.definitions(uuid)) {
      if (definedInterface(definition, nic.mac_address) === null)
        await this.attach(ctx, uuid, scope, interfaceXml(nic));
    }
  }

  async absentInterface(ctx: RequestContext, uuid: string, nic: Nic): Promise<void> {
    await this.absent(ctx, uuid, `port ${nic.port_id}`, (definition) => definedInterface(definition, nic.mac_address));
  }

  /** What is defined for the next start and, when the guest runs, what it has now. Empty: there is no such guest. */
  async definitions(uuid: string): Promise<ReadonlyMap<Scope, string>> {
    const found = new Map<Scope, string>();
    const domain = domainName(uuid);
    const state = await this.virsh.try(null, ['domstate', domain]);
    if (state.code !== 0) return found;
    const off = ['shut off', 'crashed'].includes(state.stdout.trim());
    if (!off) {
      const live = await this.virsh.try(null, ['dumpxml', domain]);
      if (live.code === 0) found.set('live', live.stdout);
    }
    const inactive = await this.virsh.try(null, ['dumpxml', domain, '--inactive']);
    if (inactive.code === 0) found.set('config', inactive.stdout);
    return found;
  }

  private async absent(
    ctx: RequestContext,
    uuid: string,
    what: string,
    find: (definition: string) => string | null,
  ): Promise<void> {
    const end = Date.now() + DETACH_MS;
    let askAt = 0;
    for (;;) {
      const present = [...(await this.definitions(uuid))].flatMap(([scope, definition]) => {
        const xml = find(definition);
        return xml === null ? [] : [{ scope, xml }];
      });
      if (present.length === 0) return;
      if (Date.now() >= end)
        throw new DomainError({
          kind: 'conflict',
          code: 'DeviceDetachFailed',
          message: `Device detach failed for ${what}: the guest does not let it go.`,
        });
      if (Date.now() >= askAt) {
        askAt = Date.now() + DETACH_AGAIN_MS;
        // Refusals ("not found", "already being unplugged") show in what is present at the next look.
        for (const { scope, xml } of present)
          await this.withFile(xml, (file) => this.change(ctx, uuid, 'detach', scope, file));
      } else {
        await delay(LOOK_MS);
      }
    }
  }

  private async attach(ctx: RequestContext, uuid: string, scope: Scope, xml: string): Promise<void> {
    const result = await this.withFile(xml, (file) => this.change(ctx, uuid, 'attach', scope, file));
    if (result.code !== 0)
      throw new DomainError({
        kind: 'conflict',
        code: 'DeviceAttachFailed',
        message: `The device cannot be attached to instance ${uuid}.`,
        detail: result.stderr,
      });
  }

  private change(ctx: RequestContext, uuid: string, verb: 'attach' | 'detach', scope: Scope, file: string) {
    return this.virsh.try(ctx, [`${verb}-device`, domainName(uuid), file, `--${scope}`], uuid);
  }

  private async withFile<T>(xml: string, work: (file: string) => Promise<T>): Promise<T> {
    await mkdir(this.dir, { recursive: true });
    const file = path.join(this.dir, `device-${randomUUID()}.xml`);
    await writeFile(file, xml, { mode: 0o600 });
    try {
      return await work(file);
    } finally {
      await rm(file, { force: true });
    }
  }
}
