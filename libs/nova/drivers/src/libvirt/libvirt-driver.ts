import { existsSync } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { RequestContext } from '@nestack/kernel/context';
import { DomainError } from '@nestack/kernel/errors';
import { POWER_STATE, type DiskSource, type HostFacts, type Nic, type PowerState } from '@nestack/nova/contract';
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
import { absentTap, ensureTaps } from '../vif/tap';
import { Commands } from './commands';
import { ConsoleKeeper, consoleTail, trimLog } from './console-log';
import { ensureLibvirtd, qemuLogDir, socketOfUri } from './daemon';
import { DiskTransfers } from './disk-transfers';
import { definedTaps, domainXml, type DomainPlan } from './domain-xml';
import { legacyDiagnostics, powerOf } from './domain-stats';
import { GuestBlock } from './guest-block';
import { notFound, notRunning } from './guest-errors';
import { GuestDevices } from './guest-devices';
import { GuestDisks } from './guest-disks';
import { GuestFiles } from './guest-files';
import { GuestMoves } from './guest-moves';
import { shutDown } from './guest-shutdown';
import { GuestSnapshots } from './guest-snapshots';
import { planOf, roomOf, rootDeviceOf } from './guest-plan';
import { hostFacts } from './host-facts';
import { ImageCache } from './image-cache';
import { KvmProbe } from './kvm-probe';
import { isUp, PowerWatch } from './power-watch';
import type { LibvirtOptions } from './libvirt-options';
import { LibvirtError } from './remote/connection';
import { LibvirtClient } from './remote/libvirt-client';
import { displayOf, vncSocket } from './vnc-display';

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
  private readonly disks: GuestDisks;
  private readonly moves: GuestMoves;
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
    this.disks = new GuestDisks(this.images);
    const transfers = new DiskTransfers(options.hostIp, this.commands);
    this.moves = new GuestMoves((uuid) => this.files(uuid), this, transfers, this.commands);
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
      await ensureTaps(spec.nics);
      const found = await this.powerNow(spec.uuid);
      const rootDevice = rootDeviceOf(spec);
      if (isUp(found)) return { power: found, rootDevice };
      await this.disks.ensure(ctx, this.files(spec.uuid), spec, fetch);
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
      await this.moves.absentTransfers(uuid);
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
      await ensureTaps(spec.nics);
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
      await ensureTaps(spec.nics);
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

  async injectNmi(ctx: RequestContext, uuid: string): Promise<void> {
    await this.libvirt.monitor(ctx, uuid, 'inject-nmi');
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
      await ensureTaps(spec.nics);
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
      await this.disks.ensureRescue(ctx, files, rescue, spec.flavor.root_gb, fetch);
      if (up) await this.destroy(ctx, spec.uuid);
      await ensureTaps(spec.nics);
      return this.start(ctx, spec);
    });
  }

  unrescue(ctx: RequestContext, spec: GuestSpec): Promise<PowerState> {
    return this.power.during(spec.uuid, async () => {
      const files = this.files(spec.uuid);
      const definition = (await this.libvirt.xml(spec.uuid, 'current')) ?? '';
      const rescued = definition.includes(files.rescueDisk);
      if (rescued && isUp(await this.powerNow(spec.uuid))) await this.destroy(ctx, spec.uuid);
      await ensureTaps(spec.nics);
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
      await ensureTaps(spec.nics);
      await this.disks.ensure(ctx, this.files(spec.uuid), spec, fetch);
      const power = await this.start(ctx, spec);
      await this.removeUnusedImages();
      return { power, rootDevice: rootDeviceOf(spec) };
    });
  }

  prepareArrival(ctx: RequestContext, spec: GuestSpec, fetch: ImageFetch): Promise<void> {
    return this.disks.prepare(ctx, spec, fetch);
  }

  readonly ensureImage: HypervisorDriver['ensureImage'] = async (ctx, image, fetch) => {
    await this.images.ensure(ctx, image, null, fetch);
  };

  async ensureSetAside(
    ctx: RequestContext,
    uuid: string,
    how: { readonly keep: string; readonly timeoutS: number; readonly absentNics: readonly Nic[] },
  ): Promise<void> {
    await this.moves.setAside(ctx, uuid, how);
    for (const nic of how.absentNics) await absentTap(nic.devname);
  }

  openSetAside(ctx: RequestContext, uuid: string, keep: string): Promise<DiskSource> {
    return this.moves.open(ctx, uuid, keep);
  }

  async ensureArrived(
    ctx: RequestContext,
    spec: GuestSpec,
    { running, fetch, ...how }: Parameters<HypervisorDriver['ensureArrived']>[2],
  ): Promise<PowerState> {
    if (isUp(await this.powerNow(spec.uuid))) return POWER_STATE.running;
    // First, so that the network agent wires them while the disks come.
    if (running) await ensureTaps(spec.nics);
    await this.moves.bring(ctx, spec, how);
    await this.disks.ensure(ctx, this.files(spec.uuid), spec, fetch);
    if (running) return this.powerOn(ctx, spec);
    await this.define(ctx, spec);
    return POWER_STATE.shutdown;
  }

  ensureReturned(
    ctx: RequestContext,
    spec: GuestSpec,
    how: Parameters<GuestMoves['takeBack']>[2],
  ): Promise<PowerState> {
    return this.moves.takeBack(ctx, spec, how);
  }

  absentSetAside(_ctx: RequestContext, uuid: string, keep: string): Promise<void> {
    return this.moves.absent(uuid, keep);
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

  async ensureVolumeSize(...[ctx, uuid, volume]: Parameters<HypervisorDriver['ensureVolumeSize']>): Promise<void> {
    if (await this.requireDefined(uuid)) await this.block.ensureConnection(ctx, uuid, volume);
  }

  async ensureSwapped(...[ctx, uuid, from, to]: Parameters<HypervisorDriver['ensureSwapped']>): Promise<void> {
    await this.block.ensureSwapped(ctx, uuid, from, to, await this.requireDefined(uuid));
  }

  async absentVolume(ctx: RequestContext, uuid: string, volumeId: string): Promise<void> {
    return this.devices.absentVolume(ctx, uuid, volumeId, isUp(await this.powerNow(uuid)));
  }

  async ensureInterface(ctx: RequestContext, uuid: string, nic: Nic): Promise<void> {
    const up = await this.requireDefined(uuid);
    await ensureTaps([nic]);
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
    const plan = await this.plan(ctx, spec, files);
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

  /** Makes a guest known that is not to run: libvirt has it, as it has others that are off. */
  private async define(ctx: RequestContext, spec: GuestSpec): Promise<void> {
    await this.libvirt.define(ctx, spec.uuid, domainXml(await this.plan(ctx, spec, this.files(spec.uuid))));
  }

  /** The guest as libvirt is told of it; its files are there. */
  private async plan(ctx: RequestContext, spec: GuestSpec, files: GuestFiles): Promise<DomainPlan> {
    await files.ensureDir();
    await this.moves.restore(spec.uuid);
    if (spec.image !== null && !existsSync(files.disk))
      throw new Error(`the disk of the guest ${spec.uuid} is not on this host`);
    await files.ensureExtraDisks(ctx, spec.ephemerals, spec.flavor.swap_mb);
    if (spec.configDrive !== null) await files.ensureConfigDrive(ctx, spec.configDrive);
    // QEMU would make it, too, but then it could not be watched yet.
    await writeFile(files.console, '', { flag: 'a', mode: 0o600 });
    await trimLog(files.console);
    const screen = vncSocket(this.vncDir, spec.uuid);
    return planOf(spec, files, { virtType: await this.virtType(), vncSocket: screen });
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
    if (!(await this.requireDefined(uuid))) throw notRunning(uuid);
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
