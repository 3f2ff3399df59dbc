import type { RequestContext } from '@nestack/kernel/context';
import { asDomainError, type DomainError } from '@nestack/kernel/errors';
import {
  NovaError,
  POWER_STATE,
  type ConnectionInfo,
  type DiskSource,
  type InstanceSpec,
  type Nic,
  type PowerState,
} from '@nestack/nova/contract';
import { configDriveOf } from '../metadata/config-drive';
import type { GuestDisk, GuestSpec, HypervisorDriver, ImagePort } from '../ports';
import { localSizes } from '../servers/local-disks';
import { KeyedMutex } from './keyed-mutex';
import { MovesUnderWay, orAborted } from './moves-under-way';

export interface ComputeManagerDeps {
  readonly driver: HypervisorDriver;
  readonly images: Pick<ImagePort, 'download' | 'get' | 'upload'>;
  readonly host: string;
  /** Config drives for all guests, asked for or not. */
  readonly forceConfigDrive: boolean;
}

/** How many guests are started or removed at a time when a host puts itself in order. */
const AT_ONCE = 4;

export interface Reconciled {
  readonly known: readonly { readonly uuid: string; readonly power: PowerState }[];
  readonly failed: readonly { readonly uuid: string; readonly error: unknown }[];
}

/** What is true of the guests of one host is made so here; commands for one guest are taken one after the other. */
export class ComputeManager {
  private readonly mutex = new KeyedMutex();
  private readonly moves = new MovesUnderWay();
  /** Guests that commands came for since the last reconciliation began. */
  private readonly commanded = new Set<string>();

  constructor(private readonly deps: ComputeManagerDeps) {}

  /** Ensures the guest runs. */
  build(ctx: RequestContext, instance: InstanceSpec): Promise<{ power: PowerState; rootDevice: string }> {
    return this.command(instance.uuid, () => this.deps.driver.ensureGuest(ctx, this.guestOf(instance), this.fetch));
  }

  /** Ensures that nothing is left of it. */
  terminate(ctx: RequestContext, uuid: string, nics: readonly Nic[]): Promise<void> {
    return this.command(uuid, () => this.deps.driver.absentGuest(ctx, uuid, nics));
  }

  start(ctx: RequestContext, instance: InstanceSpec): Promise<PowerState> {
    return this.command(instance.uuid, () => this.deps.driver.powerOn(ctx, this.guestOf(instance)));
  }

  stop(ctx: RequestContext, uuid: string, timeoutS: number): Promise<PowerState> {
    return this.command(uuid, () => this.deps.driver.powerOff(ctx, uuid, timeoutS));
  }

  reboot(ctx: RequestContext, instance: InstanceSpec, type: 'SOFT' | 'HARD', timeoutS: number): Promise<PowerState> {
    return this.command(instance.uuid, () => this.deps.driver.reboot(ctx, this.guestOf(instance), type, timeoutS));
  }

  pause(ctx: RequestContext, uuid: string): Promise<PowerState> {
    return this.command(uuid, () => this.deps.driver.pause(ctx, uuid));
  }

  unpause(ctx: RequestContext, uuid: string): Promise<PowerState> {
    return this.command(uuid, () => this.deps.driver.unpause(ctx, uuid));
  }

  triggerCrashDump(ctx: RequestContext, uuid: string): Promise<void> {
    return this.command(uuid, () => this.deps.driver.injectNmi(ctx, uuid));
  }

  suspend(ctx: RequestContext, uuid: string): Promise<PowerState> {
    return this.command(uuid, () => this.deps.driver.suspend(ctx, uuid));
  }

  resume(ctx: RequestContext, instance: InstanceSpec): Promise<PowerState> {
    return this.command(instance.uuid, () => this.deps.driver.resume(ctx, this.guestOf(instance)));
  }

  rescue(ctx: RequestContext, instance: InstanceSpec): Promise<PowerState> {
    return this.command(instance.uuid, () => this.deps.driver.rescue(ctx, this.guestOf(instance), this.fetch));
  }

  unrescue(ctx: RequestContext, instance: InstanceSpec): Promise<PowerState> {
    return this.command(instance.uuid, () => this.deps.driver.unrescue(ctx, this.guestOf(instance)));
  }

  /** Makes its disks anew. */
  rebuild(ctx: RequestContext, instance: InstanceSpec): Promise<{ power: PowerState; rootDevice: string }> {
    return this.command(instance.uuid, () => this.deps.driver.rebuild(ctx, this.guestOf(instance), this.fetch));
  }

  /** Throws what makes it impossible for the guest to come here; answers the address at which this host is reached. */
  async prepareArrival(ctx: RequestContext, instance: InstanceSpec): Promise<string> {
    await this.command(instance.uuid, () => this.deps.driver.prepareArrival(ctx, this.guestOf(instance), this.fetch));
    return (await this.deps.driver.facts()).host_ip;
  }

  /** The guest leaves: it is off, its disks are set aside. */
  setAside(
    ctx: RequestContext,
    uuid: string,
    how: { readonly keep: string; readonly timeoutS: number; readonly to: string; readonly nics: readonly Nic[] },
  ): Promise<void> {
    const { keep, timeoutS, to, nics } = how;
    const absentNics = to === this.deps.host ? [] : nics;
    return this.command(uuid, () => {
      this.moves.assertOpen(keep);
      return this.deps.driver.ensureSetAside(ctx, uuid, { keep, timeoutS, absentNics });
    });
  }

  /** Says nothing about where the guest shall be: reconciliation goes its way. */
  openSetAside(ctx: RequestContext, uuid: string, keep: string): Promise<DiskSource> {
    return this.mutex.run(uuid, () => this.deps.driver.openSetAside(ctx, uuid, keep));
  }

  /** The guest is here, with its disks of the host that it left; `open` asks that host to show them. */
  arrive(
    ctx: RequestContext,
    instance: InstanceSpec,
    how: {
      readonly keep: string;
      readonly running: boolean;
      readonly from: string;
      readonly open: () => Promise<DiskSource>;
    },
  ): Promise<PowerState> {
    const { keep, running, from, open } = how;
    return this.command(instance.uuid, () =>
      this.moves.during(keep, (signal) => {
        const source = from === this.deps.host ? null : () => orAborted(open(), signal);
        const about = { keep, running, source, fetch: this.fetch, signal };
        return this.deps.driver.ensureArrived(ctx, this.guestOf(instance), about);
      }),
    );
  }

  /** The guest, which had come from a host, is not here any more; one that had come from this very host is off. */
  leave(
    ctx: RequestContext,
    uuid: string,
    how: { readonly keep: string; readonly from: string; readonly nics: readonly Nic[] },
  ): Promise<void> {
    this.moves.giveUp(how.keep);
    return this.command(uuid, async () => {
      if (how.from !== this.deps.host) return this.deps.driver.absentGuest(ctx, uuid, how.nics);
      const known = (await this.deps.driver.guests()).some((guest) => guest.uuid === uuid);
      if (known) await this.deps.driver.powerOff(ctx, uuid, 0);
    });
  }

  /** The guest is back where it had left, with the disks that were set aside. */
  takeBack(
    ctx: RequestContext,
    instance: InstanceSpec,
    how: { readonly keep: string; readonly running: boolean },
  ): Promise<PowerState> {
    this.moves.giveUp(how.keep);
    return this.command(instance.uuid, () => this.deps.driver.ensureReturned(ctx, this.guestOf(instance), how));
  }

  /** Nothing is left of what the guest was before it went to a host. */
  forget(
    ctx: RequestContext,
    uuid: string,
    how: { readonly keep: string; readonly to: string; readonly nics: readonly Nic[] },
  ): Promise<void> {
    const { driver, host } = this.deps;
    return this.command(uuid, () =>
      how.to === host ? driver.absentSetAside(ctx, uuid, how.keep) : driver.absentGuest(ctx, uuid, how.nics),
    );
  }

  snapshot(ctx: RequestContext, uuid: string, imageId: string, running: boolean): Promise<void> {
    return this.command(uuid, () => this.deps.driver.ensureSnapshot(ctx, uuid, imageId, running));
  }

  /** Gives a snapshot to glance; the guest takes other commands meanwhile. Throws while another upload of it is not over. */
  async uploadSnapshot(ctx: RequestContext, uuid: string, imageId: string): Promise<void> {
    const { images, driver } = this.deps;
    const found = await images.get(ctx, imageId, 'service');
    if (found === null) throw NovaError.ImageNotFoundApi();
    if (found.status === 'active') return;
    if (found.status === 'saving') throw NovaError.ImageIsBusy({ image_id: imageId });
    await images.upload(ctx, imageId, await driver.openSnapshot(uuid, imageId));
  }

  removeSnapshot(ctx: RequestContext, uuid: string, imageId: string, running: boolean): Promise<void> {
    return this.command(uuid, () => this.deps.driver.absentSnapshot(ctx, uuid, imageId, running));
  }

  console(uuid: string, lines: number | null): Promise<string> {
    return this.deps.driver.console(uuid, lines);
  }

  async diagnostics(uuid: string): Promise<Record<string, unknown>> {
    return { ...(await this.deps.driver.diagnostics(uuid)) };
  }

  /** What storage backends need to know of this host. */
  async connector(): Promise<Record<string, unknown>> {
    const facts = await this.deps.driver.facts();
    return {
      host: this.deps.host,
      ip: facts.host_ip,
      initiator: `iqn.1993-08.org.debian:01:${this.deps.host}`,
      multipath: false,
      os_type: process.platform,
      platform: process.arch,
      do_local_attach: false,
    };
  }

  attachVolume(
    ctx: RequestContext,
    uuid: string,
    volumeId: string,
    connection: ConnectionInfo,
    device: string | null,
  ): Promise<string> {
    return this.command(uuid, () =>
      this.deps.driver.ensureVolume(ctx, uuid, { volumeId, connection, device: device ?? '/dev/vdb', boot: false }),
    );
  }

  detachVolume(ctx: RequestContext, uuid: string, volumeId: string): Promise<void> {
    return this.command(uuid, () => this.deps.driver.absentVolume(ctx, uuid, volumeId));
  }

  swapVolume(
    ctx: RequestContext,
    uuid: string,
    from: string,
    to: { readonly volumeId: string; readonly connection: ConnectionInfo; readonly bytes: number },
  ): Promise<void> {
    return this.command(uuid, () => this.deps.driver.ensureSwapped(ctx, uuid, from, to));
  }

  extendVolume(
    ctx: RequestContext,
    uuid: string,
    volumeId: string,
    connection: ConnectionInfo,
    bytes: number,
  ): Promise<void> {
    return this.command(uuid, () => this.deps.driver.ensureVolumeSize(ctx, uuid, { volumeId, connection, bytes }));
  }

  attachInterface(ctx: RequestContext, uuid: string, nic: Nic): Promise<void> {
    return this.command(uuid, () => this.deps.driver.ensureInterface(ctx, uuid, nic));
  }

  detachInterface(ctx: RequestContext, uuid: string, nic: Nic): Promise<void> {
    return this.command(uuid, () => this.deps.driver.absentInterface(ctx, uuid, nic));
  }

  /**
   * Ensures that images are in the host's cache. One that cannot be does not keep the others out; throws for it at the end,
   * `unavailable` rather than anything else, since trying again may help.
   */
  async cacheImages(ctx: RequestContext, ids: readonly string[]): Promise<void> {
    const { driver, images } = this.deps;
    const failures: DomainError[] = [];
    for (const id of ids) {
      try {
        const found = await images.get(ctx, id, 'service');
        if (found === null) throw NovaError.BadRequest({ reason: `Image ${id} could not be found.` });
        await driver.ensureImage(ctx, found.image, this.fetch);
      } catch (error) {
        failures.push(asDomainError(error));
      }
    }
    const failure = failures.find(({ kind }) => kind === 'unavailable') ?? failures[0];
    if (failure !== undefined) throw failure;
  }

  /** From now on, guests that commands come for are left out of `reconcile`: the commands know better. */
  beginReconciliation(): void {
    this.commanded.clear();
  }

  /**
   * Brings the host in line with what the conductor says after a restart: orphans go, guests that should run are started,
   * guests that another operation works on are left to it. Answers the power states that are known now, and what failed.
   */
  async reconcile(
    ctx: RequestContext,
    wanted: readonly { readonly instance: InstanceSpec; readonly should_run: boolean; readonly busy: boolean }[],
    orphans: readonly { readonly uuid: string; readonly nics: readonly Nic[] }[],
  ): Promise<Reconciled> {
    const failed: { uuid: string; error: unknown }[] = [];
    const eachOf = <T>(items: readonly T[], uuidOf: (item: T) => string, work: (item: T) => Promise<void>) =>
      inParallel(items, async (item) => {
        const uuid = uuidOf(item);
        if (this.commanded.has(uuid)) return;
        await work(item).catch((error: unknown) => failed.push({ uuid, error }));
      });
    const { driver } = this.deps;
    await eachOf(
      orphans,
      (orphan) => orphan.uuid,
      ({ uuid, nics }) => this.mutex.run(uuid, () => driver.absentGuest(ctx, uuid, nics)),
    );
    const found = new Map((await driver.guests()).map((guest) => [guest.uuid, guest.power]));
    const known: { uuid: string; power: PowerState }[] = [];
    await eachOf(
      wanted.filter(({ busy }) => !busy),
      ({ instance }) => instance.uuid,
      async ({ instance, should_run: run }) => {
        const { uuid } = instance;
        const now = found.get(uuid);
        const down = now !== POWER_STATE.running && now !== POWER_STATE.paused;
        if (run && down) {
          known.push({ uuid, power: now ?? POWER_STATE.shutdown });
          const power = await this.mutex.run(uuid, () => driver.powerOn(ctx, this.guestOf(instance)));
          known.push({ uuid, power });
        } else if (run && now === POWER_STATE.paused) {
          // Halted for a snapshot that a crash has ended.
          known.push({ uuid, power: await this.mutex.run(uuid, () => driver.unpause(ctx, uuid)) });
        } else if (now !== undefined) {
          known.push({ uuid, power: now });
        }
      },
    );
    return { known: [...new Map(known.map((one) => [one.uuid, one])).values()], failed };
  }

  private readonly fetch = (ctx: RequestContext, imageId: string): Promise<NodeJS.ReadableStream> =>
    this.deps.images.download(ctx, imageId, 'service');

  private command<T>(uuid: string, work: () => Promise<T>): Promise<T> {
    this.commanded.add(uuid);
    return this.mutex.run(uuid, work);
  }

  private guestOf(instance: InstanceSpec): GuestSpec {
    return {
      uuid: instance.uuid,
      name: instance.name,
      flavor: instance.flavor,
      ephemerals: instance.ephemerals ?? localSizes(instance.flavor).ephemerals,
      image: instance.image,
      ...(instance.root_image_properties === undefined ? {} : { rootImageProperties: instance.root_image_properties }),
      nics: instance.nics,
      disks: instance.volumes.map((volume, at): GuestDisk => ({
        volumeId: volume.volume_id,
        connection: volume.connection_info,
        device: volume.device ?? `/dev/vd${String.fromCharCode(98 + at)}`,
        boot: volume.boot_index === 0,
      })),
      configDrive: instance.config_drive || this.deps.forceConfigDrive ? configDriveOf(instance) : null,
      rescue: instance.rescue_image ?? null,
    };
  }
}

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values();
  const worker = async (): Promise<void> => {
    for (const item of queue) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, worker));
}
