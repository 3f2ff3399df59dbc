import { existsSync } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { RequestContext } from '@nestack/kernel/context';
import { DomainError } from '@nestack/kernel/errors';
import type { Logger } from '@nestack/kernel/log';
import { POWER_STATE, type HostFacts, type ImageSnapshotWire, type Nic, type PowerState } from '@nestack/nova/contract';
import {
  guestName,
  type GuestDisk,
  type GuestEvent,
  type GuestSpec,
  type GuestState,
  type HypervisorDriver,
  type ImageFetch,
  type VncDisplay,
} from '@nestack/nova/domain';
import { absentTap, ensureTap } from '../vif/tap';
import { Commands } from './commands';
import { ConsoleKeeper, consoleTail, trimLog } from './console-log';
import { ensureLibvirtd, qemuLogDir, socketOfUri } from './daemon';
import { definedTaps, domainXml } from './domain-xml';
import { legacyDiagnostics, powerOf } from './domain-stats';
import { GuestBlock } from './guest-block';
import { notFound, notRunning } from './guest-errors';
import { GuestDevices } from './guest-devices';
import { GuestFiles } from './guest-files';
import { GuestResizes } from './guest-resizes';
import { shutDown } from './guest-shutdown';
import { GuestSnapshots } from './guest-snapshots';
import { planOf, plainImage, roomOf, rootDeviceOf } from './guest-plan';
import { hardwareOf } from './hardware';
import { hostFacts } from './host-facts';
import { ImageCache } from './image-cache';
import { KvmProbe } from './kvm-probe';
import { isUp, PowerWatch } from './power-watch';
import { LibvirtError } from './remote/connection';
import { LibvirtClient } from './remote/libvirt-client';
import { displayOf, vncSocket } from './vnc-display';

export interface LibvirtOptions {
  readonly host: string;
  readonly hostIp: string;
  /** A libvirt that others run; null: the host starts a daemon of its own below `stateDir`. */
  readonly uri: string | null;
  /** Guests' disks and consoles, images, sockets: everything of the host. */
  readonly stateDir: string;
  /** `auto`: KVM where a guest really boots with it. */
  readonly virtType: 'auto' | 'kvm' | 'qemu';
  /** Kernel and initial RAM disk of the small guest image, to try KVM with. */
  readonly probeKernel: string | null;
  readonly probeInitrd: string | null;
  readonly log: Logger;
}

const EMULATOR = '/usr/bin/qemu-system-x86_64';
const IMAGES = '_base';
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Guests under QEMU, through libvirt. */
export class LibvirtDriver implements HypervisorDriver {
  private readonly instancesDir: string;
  private readonly vncDir: string;
  private readonly commands: Commands;
  private readonly libvirt: LibvirtClient;
  private readonly devices: GuestDevices;
  private readonly block: GuestBlock;
  private readonly images: ImageCache;
  private readonly resizes: GuestResizes;
  private readonly snapshots: GuestSnapshots;
  private readonly consoles: ConsoleKeeper;
  private readonly power: PowerWatch;
  private readonly kvm: KvmProbe;

  constructor(private readonly options: LibvirtOptions) {
    const { stateDir, log, probeKernel: kernel, probeInitrd: initrd } = options;
    this.instancesDir = path.join(stateDir, 'instances');
    this.vncDir = path.join(stateDir, 'vnc');
    this.commands = new Commands(log);
    this.libvirt = new LibvirtClient({
      socket: () => this.socket(),
      log,
      onChange: (uuid) => this.power.changed(uuid),
      onConnected: () => this.power.anythingChanged(),
    });
    this.devices = new GuestDevices(this.libvirt);
    this.block = new GuestBlock(this.libvirt);
    this.images = new ImageCache(path.join(this.instancesDir, IMAGES), this.commands);
    this.resizes = new GuestResizes((uuid) => this.files(uuid), this, this.commands);
    this.snapshots = new GuestSnapshots((uuid) => this.files(uuid), this.libvirt, this.commands);
    this.consoles = new ConsoleKeeper(log);
    this.power = new PowerWatch(() => this.powers(), log);
    this.kvm = new KvmProbe({ dir: stateDir, emulator: EMULATOR, kernel, initrd }, log);
  }

  async open(): Promise<void> {
    await mkdir(this.vncDir, { recursive: true, mode: 0o700 });
    await mkdir(this.instancesDir, { recursive: true, mode: 0o750 });
    await this.images.open();
    for (const uuid of await this.instanceFolders()) this.keepConsole(this.files(uuid));
    await this.removeUnusedImages();
    this.libvirt.start();
  }

  async close(): Promise<void> {
    this.consoles.close();
    this.power.close();
    await this.libvirt.close();
  }

  async facts(): Promise<HostFacts> {
    const [powers, hypervisorVersion, virtType] = await Promise.all([
      this.powers(),
      this.libvirt.version(),
      this.virtType(),
    ]);
    return hostFacts({
      host: this.options.host,
      hostIp: this.options.hostIp,
      instancesDir: this.instancesDir,
      virtType,
      hypervisorVersion,
      runningGuests: [...powers.values()].filter((power) => power === POWER_STATE.running).length,
    });
  }

  ensureGuest(
    ctx: RequestContext,
    spec: GuestSpec,
    fetch: ImageFetch,
  ): Promise<{ readonly power: PowerState; readonly rootDevice: string }> {
    return this.power.during(spec.uuid, async () => {
      // First, so that the network agent wires them while the disk is made.
      await this.ensureTaps(spec.nics);
      const found = await this.powerNow(spec.uuid);
      const rootDevice = rootDeviceOf(spec);
      if (isUp(found)) return { power: found, rootDevice };
      await this.ensureDisks(ctx, spec, fetch);
      return { power: await this.start(ctx, spec), rootDevice };
    });
  }

  absentGuest(ctx: RequestContext, uuid: string, nics: readonly Nic[]): Promise<void> {
    return this.power.during(uuid, async () => {
      const definition = await this.libvirt.xml(uuid, 'current');
      if (definition !== null) {
        if (isUp(await this.powerNow(uuid))) await this.destroy(ctx, uuid);
        await this.undefine(ctx, uuid);
      }
      // Those of the definition, too: the plugging of one may have been cut in its middle.
      const taps = new Set([...nics.map((nic) => nic.devname), ...definedTaps(definition ?? '')]);
      for (const tap of taps) await absentTap(tap);
      const files = this.files(uuid);
      this.consoles.forget(files.console);
      const screen = vncSocket(this.vncDir, uuid);
      if (screen !== null) await rm(screen, { force: true });
      await rm(path.join(qemuLogDir(await this.socket()), `${guestName(uuid)}.log`), { force: true });
      await files.absent();
      await this.removeUnusedImages();
    });
  }

  powerOn(ctx: RequestContext, spec: GuestSpec): Promise<PowerState> {
    return this.power.during(spec.uuid, async () => {
      const found = await this.powerNow(spec.uuid);
      if (isUp(found)) return found;
      await this.ensureTaps(spec.nics);
      return this.start(ctx, spec);
    });
  }

  powerOff(ctx: RequestContext, uuid: string, timeoutS: number): Promise<PowerState> {
    return this.power.during(uuid, async () => {
      const found = await this.powerNow(uuid);
      if (found === null) throw notFound(uuid);
      if (!isUp(found)) return found;
      if (found !== POWER_STATE.running || !(await this.shutDown(ctx, uuid, timeoutS))) await this.destroy(ctx, uuid);
      return POWER_STATE.shutdown;
    });
  }

  reboot(ctx: RequestContext, spec: GuestSpec, type: 'SOFT' | 'HARD', timeoutS: number): Promise<PowerState> {
    return this.power.during(spec.uuid, async () => {
      const found = await this.powerNow(spec.uuid);
      const obeyed =
        type === 'SOFT' && found === POWER_STATE.running && (await this.shutDown(ctx, spec.uuid, timeoutS));
      if (isUp(found) && !obeyed) await this.destroy(ctx, spec.uuid);
      await this.ensureTaps(spec.nics);
      return this.start(ctx, spec);
    });
  }

  pause(ctx: RequestContext, uuid: string): Promise<PowerState> {
    return this.power.during(uuid, async () => {
      await this.requireUp(uuid);
      if ((await this.powerNow(uuid)) !== POWER_STATE.paused) await this.libvirt.suspend(ctx, uuid);
      return POWER_STATE.paused;
    });
  }

  unpause(ctx: RequestContext, uuid: string): Promise<PowerState> {
    return this.power.during(uuid, async () => {
      await this.requireUp(uuid);
      if ((await this.powerNow(uuid)) !== POWER_STATE.running) await this.libvirt.resume(ctx, uuid);
      return POWER_STATE.running;
    });
  }

  suspend(ctx: RequestContext, uuid: string): Promise<PowerState> {
    return this.power.during(uuid, async () => {
      if (await this.requireDefined(uuid)) await this.libvirt.managedSave(ctx, uuid);
      return POWER_STATE.shutdown;
    });
  }

  resume(ctx: RequestContext, spec: GuestSpec): Promise<PowerState> {
    return this.power.during(spec.uuid, async () => {
      if (isUp(await this.powerNow(spec.uuid))) return POWER_STATE.running;
      await this.ensureTaps(spec.nics);
      return this.start(ctx, spec, { fromMemory: true });
    });
  }

  rescue(ctx: RequestContext, spec: GuestSpec, fetch: ImageFetch): Promise<PowerState> {
    return this.power.during(spec.uuid, async () => {
      const { rescue } = spec;
      if (rescue === null) throw new Error(`the guest ${spec.uuid} has nothing to be rescued with`);
      const files = this.files(spec.uuid);
      const up = isUp(await this.powerNow(spec.uuid));
      const definition = (await this.libvirt.xml(spec.uuid, 'current')) ?? '';
      if (up && definition.includes(files.rescueDisk)) return POWER_STATE.running;
      await this.ensureDisksOf(ctx, rescue, spec.flavor.root_gb, fetch, {
        disk: files.rescueDisk,
        kernel: files.rescueKernel,
        ramdisk: files.rescueRamdisk,
        files,
      });
      if (up) await this.destroy(ctx, spec.uuid);
      await this.ensureTaps(spec.nics);
      return this.start(ctx, spec);
    });
  }

  unrescue(ctx: RequestContext, spec: GuestSpec): Promise<PowerState> {
    return this.power.during(spec.uuid, async () => {
      const files = this.files(spec.uuid);
      const definition = (await this.libvirt.xml(spec.uuid, 'current')) ?? '';
      const rescued = definition.includes(files.rescueDisk);
      if (rescued && isUp(await this.powerNow(spec.uuid))) await this.destroy(ctx, spec.uuid);
      await this.ensureTaps(spec.nics);
      const own = { ...spec, rescue: null };
      const power = isUp(await this.powerNow(spec.uuid)) ? POWER_STATE.running : await this.start(ctx, own);
      await files.absentRescue();
      return power;
    });
  }

  rebuild(
    ctx: RequestContext,
    spec: GuestSpec,
    fetch: ImageFetch,
  ): Promise<{ readonly power: PowerState; readonly rootDevice: string }> {
    return this.power.during(spec.uuid, async () => {
      // Before the old disk goes.
      if (spec.image !== null) await this.images.ensure(ctx, spec.image, roomOf(spec.flavor.root_gb), fetch);
      if (isUp(await this.powerNow(spec.uuid))) await this.destroy(ctx, spec.uuid);
      await this.files(spec.uuid).absentDisks();
      await this.ensureTaps(spec.nics);
      await this.ensureDisks(ctx, spec, fetch);
      const power = await this.start(ctx, spec);
      await this.removeUnusedImages();
      return { power, rootDevice: rootDeviceOf(spec) };
    });
  }

  ensureResized(ctx: RequestContext, spec: GuestSpec, how: Parameters<GuestResizes['ensure']>[2]): Promise<PowerState> {
    return this.resizes.ensure(ctx, spec, how);
  }

  revertResized(ctx: RequestContext, spec: GuestSpec, how: Parameters<GuestResizes['revert']>[2]): Promise<PowerState> {
    return this.resizes.revert(ctx, spec, how);
  }

  absentKept(_ctx: RequestContext, uuid: string, keep: string): Promise<void> {
    return this.resizes.absent(uuid, keep);
  }

  ensureSnapshot(ctx: RequestContext, uuid: string, name: string, running: boolean): Promise<void> {
    return this.power.during(uuid, async () => {
      const power = await this.powerNow(uuid);
      if (power === null) throw notFound(uuid);
      await this.snapshots.ensure(ctx, uuid, name, { power, running });
    });
  }

  openSnapshot(uuid: string, name: string): Promise<NodeJS.ReadableStream> {
    return this.snapshots.open(uuid, name);
  }

  absentSnapshot(ctx: RequestContext, uuid: string, name: string, running: boolean): Promise<void> {
    return this.power.during(uuid, async () => {
      await this.snapshots.absent(ctx, uuid, name, { power: await this.powerNow(uuid), running });
    });
  }

  async guests(): Promise<readonly GuestState[]> {
    return [...(await this.powers())].map(([uuid, power]) => ({ uuid, power }));
  }

  async present(): Promise<readonly string[]> {
    const [powers, folders] = await Promise.all([this.powers(), this.instanceFolders()]);
    return [...new Set([...powers.keys(), ...folders])];
  }

  console(uuid: string, lines: number | null): Promise<string> {
    return consoleTail(this.files(uuid).console, lines);
  }

  async vncDisplay(uuid: string): Promise<VncDisplay | null> {
    const definition = isUp(await this.powerNow(uuid)) ? await this.libvirt.xml(uuid, 'current') : null;
    return definition === null ? null : displayOf(definition);
  }

  async diagnostics(uuid: string): Promise<Readonly<Record<string, unknown>>> {
    const counters = await this.libvirt.counters(uuid);
    if (counters === null) throw notFound(uuid);
    return legacyDiagnostics(counters);
  }

  async ensureVolume(ctx: RequestContext, uuid: string, disk: GuestDisk): Promise<string> {
    return this.devices.ensureVolume(ctx, uuid, disk, await this.requireDefined(uuid));
  }

  async ensureVolumeSize(
    ctx: RequestContext,
    uuid: string,
    volume: Parameters<HypervisorDriver['ensureVolumeSize']>[2],
  ): Promise<void> {
    if (await this.requireDefined(uuid)) await this.block.ensureConnection(ctx, uuid, volume);
  }

  async absentVolume(ctx: RequestContext, uuid: string, volumeId: string): Promise<void> {
    return this.devices.absentVolume(ctx, uuid, volumeId, isUp(await this.powerNow(uuid)));
  }

  async ensureInterface(ctx: RequestContext, uuid: string, nic: Nic): Promise<void> {
    const up = await this.requireDefined(uuid);
    await this.ensureTaps([nic]);
    await this.devices.ensureInterface(ctx, uuid, nic, up);
  }

  async absentInterface(ctx: RequestContext, uuid: string, nic: Nic): Promise<void> {
    await this.devices.absentInterface(ctx, uuid, nic, isUp(await this.powerNow(uuid)));
    await absentTap(nic.devname);
  }

  onEvent(listener: (event: GuestEvent) => void): void {
    this.power.onEvent(listener);
  }

  /** Defines the guest as specified and starts it; its disk is there. Throws InstanceDeployFailure. */
  private async start(
    ctx: RequestContext,
    spec: GuestSpec,
    how: { readonly fromMemory: boolean } = { fromMemory: false },
  ): Promise<PowerState> {
    const files = this.files(spec.uuid);
    await files.ensureDir();
    if (spec.image !== null && !existsSync(files.disk))
      throw new Error(`the disk of the guest ${spec.uuid} is not on this host`);
    await files.ensureExtraDisks(ctx, spec.flavor.ephemeral_gb, spec.flavor.swap_mb);
    if (spec.configDrive !== null) await files.ensureConfigDrive(ctx, spec.configDrive);
    // QEMU would make it, too, but then it could not be watched yet.
    await writeFile(files.console, '', { flag: 'a', mode: 0o600 });
    await trimLog(files.console);
    const screen = vncSocket(this.vncDir, spec.uuid);
    const plan = planOf(spec, files, { virtType: await this.virtType(), vncSocket: screen });
    try {
      await this.libvirt.define(ctx, spec.uuid, domainXml(plan));
      if (!how.fromMemory) await this.libvirt.managedSaveRemove(ctx, spec.uuid);
      await this.libvirt.create(ctx, spec.uuid);
    } catch (error) {
      if (!(error instanceof LibvirtError)) throw error;
      if ((await this.powerNow(spec.uuid)) !== POWER_STATE.running)
        throw new DomainError({
          kind: 'conflict',
          code: 'InstanceDeployFailure',
          message: `Failed to start instance ${spec.uuid}: ${error.message}`,
          args: { reason: error.message },
        });
    }
    this.keepConsole(files);
    return POWER_STATE.running;
  }

  /** What is made from images. */
  private async ensureDisks(ctx: RequestContext, spec: GuestSpec, fetch: ImageFetch): Promise<void> {
    const files = this.files(spec.uuid);
    await files.ensureDir();
    if (spec.image === null) return;
    const { disk, kernel, ramdisk } = files;
    await this.ensureDisksOf(ctx, spec.image, spec.flavor.root_gb, fetch, { disk, kernel, ramdisk, files });
  }

  private async ensureDisksOf(
    ctx: RequestContext,
    image: ImageSnapshotWire,
    rootGib: number,
    fetch: ImageFetch,
    { disk, kernel, ramdisk, files }: { disk: string; kernel: string; ramdisk: string; files: GuestFiles },
  ): Promise<void> {
    const { kernelId, ramdiskId } = hardwareOf(image.properties);
    for (const [id, file] of [
      [kernelId, kernel],
      [ramdiskId, ramdisk],
    ] as const) {
      if (id === null || existsSync(file)) continue;
      await files.ensureLinked(await this.images.ensure(ctx, plainImage(id), null, fetch), file);
    }
    if (existsSync(disk)) return;
    const room = roomOf(rootGib);
    const base = await this.images.ensure(ctx, image, room, fetch);
    await files.ensureOverlay(ctx, base, room ?? base.bytes, disk);
  }

  private shutDown(ctx: RequestContext, uuid: string, timeoutS: number): Promise<boolean> {
    return shutDown(ctx, this.libvirt, uuid, timeoutS, async () => isUp(await this.powerNow(uuid)));
  }

  private async destroy(ctx: RequestContext, uuid: string): Promise<void> {
    try {
      await this.libvirt.destroy(ctx, uuid);
    } catch (error) {
      if (isUp(await this.powerNow(uuid))) throw error;
    }
  }

  private async undefine(ctx: RequestContext, uuid: string): Promise<void> {
    try {
      await this.libvirt.undefine(ctx, uuid);
    } catch (error) {
      if ((await this.powerNow(uuid)) !== null) throw error;
    }
  }

  private async powers(): Promise<ReadonlyMap<string, PowerState>> {
    return new Map([...(await this.libvirt.states())].map(([uuid, stats]) => [uuid, powerOf(stats)]));
  }

  /** Null when libvirt does not know the guest; throws when libvirt does not answer. */
  private async powerNow(uuid: string): Promise<PowerState | null> {
    return (await this.powers()).get(uuid) ?? null;
  }

  /** Whether the guest is up; throws when there is none. */
  private async requireDefined(uuid: string): Promise<boolean> {
    const power = await this.powerNow(uuid);
    if (power === null) throw notFound(uuid);
    return isUp(power);
  }

  private async requireUp(uuid: string): Promise<void> {
    if (await this.requireDefined(uuid)) return;
    throw notRunning(uuid);
  }

  private async ensureTaps(nics: readonly Nic[]): Promise<void> {
    await Promise.all(nics.map((nic) => ensureTap(nic.devname, nic.mtu)));
  }

  private virtType(): Promise<'kvm' | 'qemu'> | 'kvm' | 'qemu' {
    const { virtType } = this.options;
    return virtType === 'auto' ? this.kvm.works().then((works) => (works ? 'kvm' : 'qemu')) : virtType;
  }

  /** Path of libvirt's socket; starts the host's own daemon where nobody else runs one. */
  private socket(): Promise<string> {
    const { uri, stateDir, log } = this.options;
    return uri === null ? ensureLibvirtd(path.join(stateDir, 'libvirt'), log) : Promise.resolve(socketOfUri(uri));
  }

  private files(uuid: string): GuestFiles {
    return new GuestFiles(this.instancesDir, uuid, this.commands);
  }

  private keepConsole(files: GuestFiles): void {
    if (existsSync(files.console)) this.consoles.keep(files.console);
  }

  private async instanceFolders(): Promise<readonly string[]> {
    return (await readdir(this.instancesDir)).filter((name) => UUID.test(name));
  }

  private async removeUnusedImages(): Promise<void> {
    const bases = await Promise.all((await this.instanceFolders()).map((uuid) => this.files(uuid).bases()));
    await this.images.removeUnused(new Set(bases.flat()));
  }
}
