import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { RequestContext } from '@nestack/kernel/context';
import { DomainError } from '@nestack/kernel/errors';
import type { Logger } from '@nestack/kernel/log';
import { waitFor } from '@nestack/kernel/process';
import { POWER_STATE, type HostFacts, type Nic, type PowerState } from '@nestack/nova/contract';
import type { GuestDisk, GuestEvent, GuestSpec, GuestState, HypervisorDriver, ImageFetch } from '@nestack/nova/domain';
import { absentTap, ensureTap } from '../vif/tap';
import { consoleTail, trimLog } from './console-log';
import { ensureLibvirtd, libvirtUri, MAX_SOCKET_PATH } from './daemon';
import { domainName, domainXml, freeTarget, type VolumePlan } from './domain-xml';
import { guestStats, legacyDiagnostics, powerOf } from './domain-stats';
import { GuestDevices } from './guest-devices';
import { GuestFiles } from './guest-files';
import { hostFacts, versionOf } from './host-facts';
import { ImageCache } from './image-cache';
import { kvmWorks } from './kvm-probe';
import { LifecycleEvents } from './lifecycle-events';
import { Commands, Virsh } from './virsh';

export interface LibvirtOptions {
  readonly host: string;
  readonly hostIp: string;
  /** Folder of the host's libvirt daemon: its configuration, sockets and state. */
  readonly stateDir: string;
  /** Disks and console logs, a folder per guest; images in `_base`. */
  readonly instancesDir: string;
  /** Name of the network namespace that stands for the host; null: the machine's own. */
  readonly networkNamespace: string | null;
  /** `auto`: KVM where a guest really boots with it. */
  readonly virtType: 'auto' | 'kvm' | 'qemu';
  /** Kernel and initial RAM disk of the guest image, to try KVM with. */
  readonly probeKernel?: string | null;
  readonly probeInitrd?: string | null;
  readonly emulator?: string;
  readonly log: Logger;
}

const EMULATOR = '/usr/bin/qemu-system-x86_64';
/** A guest that was not up yet has not heard the first request. upstream: CONF.shutdown_retry_interval */
const ASK_AGAIN_MS = 10_000;
const TRIM_MS = 60_000;
/** Events follow what was asked for; after this time they are changes of their own. */
const SETTLE_MS = 1000;

/** Guests under QEMU, through a libvirt daemon of the host's own. */
export class LibvirtDriver implements HypervisorDriver {
  private readonly virsh: Virsh;
  private readonly commands: Commands;
  private readonly devices: GuestDevices;
  private readonly images: ImageCache;
  private readonly events: LifecycleEvents;
  private readonly listeners: ((event: GuestEvent) => void)[] = [];
  /** Power states that are known to who asked; others are told as events. */
  private readonly known = new Map<string, PowerState>();
  private readonly busy = new Map<string, number>();
  private readonly settling = new Set<NodeJS.Timeout>();
  private virtType: 'kvm' | 'qemu' = 'qemu';
  private version = 0;
  private trimmer: NodeJS.Timeout | null = null;

  constructor(private readonly options: LibvirtOptions) {
    this.commands = new Commands(options.log, options.host);
    this.virsh = new Virsh(libvirtUri(options.stateDir), this.commands);
    this.devices = new GuestDevices(this.virsh, options.stateDir);
    this.images = new ImageCache(path.join(options.instancesDir, '_base'), this.commands);
    this.events = new LifecycleEvents(
      this.virsh.uri,
      options.log,
      (uuid) => this.settle(uuid),
      () => void this.lookAtAll(),
    );
  }

  async open(): Promise<void> {
    const { stateDir, instancesDir, networkNamespace, log } = this.options;
    for (const dir of [path.join(instancesDir, '_base'), path.join(stateDir, 'vnc')])
      await mkdir(dir, { recursive: true, mode: 0o750 });
    await ensureLibvirtd(stateDir, networkNamespace, log);
    this.virtType = await this.chooseType();
    this.version = versionOf(await this.virsh.run(null, ['version']));
    for (const { uuid, power } of await this.guests()) this.known.set(uuid, power);
    this.events.start();
    this.trimmer = setInterval(() => void this.trimLogs(), TRIM_MS);
    this.trimmer.unref();
  }

  async close(): Promise<void> {
    if (this.trimmer !== null) clearInterval(this.trimmer);
    for (const timer of this.settling) clearTimeout(timer);
    await this.events.close();
  }

  async facts(): Promise<HostFacts> {
    const guests = await this.guests();
    return hostFacts({
      host: this.options.host,
      hostIp: this.options.hostIp,
      instancesDir: this.options.instancesDir,
      virtType: this.virtType,
      hypervisorVersion: this.version,
      runningGuests: guests.filter(({ power }) => power === POWER_STATE.running).length,
    });
  }

  ensureGuest(
    ctx: RequestContext,
    spec: GuestSpec,
    fetch: ImageFetch,
  ): Promise<{ readonly power: PowerState; readonly rootDevice: string }> {
    return this.during(spec.uuid, async () => {
      // First, so that the network agent wires them while the disk is made.
      await this.ensureTaps(spec.nics);
      const found = await this.power(spec.uuid);
      if (isUp(found)) return { power: found, rootDevice: '/dev/vda' };
      const files = this.files(spec.uuid);
      await files.ensureDir();
      if (spec.image !== null) {
        const room = spec.flavor.root_gb === 0 ? null : spec.flavor.root_gb * 1024 ** 3;
        const base = await this.images.ensure(ctx, spec.image, room, fetch);
        await files.ensureOverlay(ctx, base.file, room ?? base.bytes);
      }
      return { power: await this.start(ctx, spec), rootDevice: '/dev/vda' };
    });
  }

  absentGuest(ctx: RequestContext, uuid: string, nics: readonly Nic[]): Promise<void> {
    return this.during(uuid, async () => {
      const domain = domainName(uuid);
      const state = await this.power(uuid);
      if (state !== null) {
        if (isUp(state)) await this.destroy(ctx, uuid);
        const undefined_ = await this.virsh.try(
          ctx,
          ['undefine', domain, '--managed-save', '--snapshots-metadata'],
          uuid,
        );
        if (undefined_.code !== 0 && (await this.power(uuid)) !== null)
          throw new Error(`the guest ${uuid} cannot be undefined: ${undefined_.stderr.trim()}`);
      }
      for (const nic of nics) await absentTap(this.options.networkNamespace, nic.devname);
      await rm(this.vncSocket(uuid), { force: true });
      await rm(path.join(this.options.stateDir, 'log', 'qemu', `${domain}.log`), { force: true });
      await this.files(uuid).absent();
      this.known.delete(uuid);
    });
  }

  powerOn(ctx: RequestContext, spec: GuestSpec): Promise<PowerState> {
    return this.during(spec.uuid, async () => {
      const found = await this.power(spec.uuid);
      if (isUp(found)) return found;
      await this.ensureTaps(spec.nics);
      return this.start(ctx, spec);
    });
  }

  powerOff(ctx: RequestContext, uuid: string, timeoutS: number): Promise<PowerState> {
    return this.during(uuid, async () => {
      const found = await this.power(uuid);
      if (found === null) throw notFound(uuid);
      if (!isUp(found)) return found;
      if (found !== POWER_STATE.running || !(await this.shutDown(ctx, uuid, timeoutS))) await this.destroy(ctx, uuid);
      return POWER_STATE.shutdown;
    });
  }

  reboot(ctx: RequestContext, spec: GuestSpec, type: 'SOFT' | 'HARD', timeoutS: number): Promise<PowerState> {
    return this.during(spec.uuid, async () => {
      const found = await this.power(spec.uuid);
      const obeyed =
        type === 'SOFT' && found === POWER_STATE.running && (await this.shutDown(ctx, spec.uuid, timeoutS));
      if (isUp(found) && !obeyed) await this.destroy(ctx, spec.uuid);
      await this.ensureTaps(spec.nics);
      return this.start(ctx, spec);
    });
  }

  pause(ctx: RequestContext, uuid: string): Promise<PowerState> {
    return this.during(uuid, async () => {
      if ((await this.power(uuid)) !== POWER_STATE.paused)
        await this.virsh.run(ctx, ['suspend', domainName(uuid)], uuid);
      return POWER_STATE.paused;
    });
  }

  unpause(ctx: RequestContext, uuid: string): Promise<PowerState> {
    return this.during(uuid, async () => {
      if ((await this.power(uuid)) !== POWER_STATE.running)
        await this.virsh.run(ctx, ['resume', domainName(uuid)], uuid);
      return POWER_STATE.running;
    });
  }

  async guests(): Promise<readonly GuestState[]> {
    return guestStats(await this.virsh.run(null, ['domstats', '--state', '--raw'])).map(({ uuid, stats }) => ({
      uuid,
      power: powerOf(stats),
    }));
  }

  console(uuid: string, lines: number | null): Promise<string> {
    return consoleTail(this.files(uuid).console, lines);
  }

  async diagnostics(uuid: string): Promise<Readonly<Record<string, unknown>>> {
    const shown = await this.virsh.try(null, ['domstats', '--raw', domainName(uuid)]);
    const [guest] = shown.code === 0 ? guestStats(shown.stdout) : [];
    if (guest === undefined) throw notFound(uuid);
    return legacyDiagnostics(guest.stats);
  }

  async ensureVolume(ctx: RequestContext, uuid: string, disk: GuestDisk): Promise<string> {
    await this.requireDefined(uuid);
    return this.devices.ensureVolume(ctx, uuid, disk);
  }

  absentVolume(ctx: RequestContext, uuid: string, volumeId: string): Promise<void> {
    return this.devices.absentVolume(ctx, uuid, volumeId);
  }

  async ensureInterface(ctx: RequestContext, uuid: string, nic: Nic): Promise<void> {
    await this.requireDefined(uuid);
    await this.ensureTaps([nic]);
    await this.devices.ensureInterface(ctx, uuid, nic);
  }

  async absentInterface(ctx: RequestContext, uuid: string, nic: Nic): Promise<void> {
    await this.devices.absentInterface(ctx, uuid, nic);
    await absentTap(this.options.networkNamespace, nic.devname);
  }

  onEvent(listener: (event: GuestEvent) => void): void {
    this.listeners.push(listener);
  }

  /** Defines the guest as specified and starts it; its disk is there. */
  private async start(ctx: RequestContext, spec: GuestSpec): Promise<PowerState> {
    const files = this.files(spec.uuid);
    await files.ensureDir();
    if (spec.image !== null && !existsSync(files.disk))
      throw new Error(`the disk of the guest ${spec.uuid} is not on this host`);
    if (spec.configDrive !== null) await files.ensureConfigDrive(ctx, spec.configDrive);
    await trimLog(files.console);
    const definition = path.join(this.options.stateDir, `define-${randomUUID()}.xml`);
    await writeFile(definition, this.definitionOf(spec, files), { mode: 0o600 });
    try {
      await this.virsh.run(ctx, ['define', definition], spec.uuid);
    } finally {
      await rm(definition, { force: true });
    }
    const started = await this.virsh.try(ctx, ['start', domainName(spec.uuid)], spec.uuid);
    if (started.code !== 0 && (await this.power(spec.uuid)) !== POWER_STATE.running)
      throw new DomainError({
        kind: 'conflict',
        code: 'InstanceDeployFailure',
        message: `Failed to start instance ${spec.uuid}.`,
        detail: started.stderr,
      });
    return POWER_STATE.running;
  }

  private definitionOf(spec: GuestSpec, files: GuestFiles): string {
    const socket = this.vncSocket(spec.uuid);
    const taken: string[] = [];
    const volumes = spec.disks.map((disk): VolumePlan => {
      const target = disk.boot && spec.image === null ? 'vda' : freeTarget(disk.device, taken);
      taken.push(target);
      return { volumeId: disk.volumeId, connection: disk.connection, target };
    });
    return domainXml({
      uuid: spec.uuid,
      name: spec.name,
      vcpus: spec.flavor.vcpus,
      memoryMb: spec.flavor.memory_mb,
      virtType: this.virtType,
      emulator: this.options.emulator ?? EMULATOR,
      rootDisk: spec.image === null ? null : files.disk,
      configDrive: spec.configDrive === null ? null : files.configDrive,
      consoleLog: files.console,
      vncSocket: Buffer.byteLength(socket) <= MAX_SOCKET_PATH ? socket : null,
      volumes,
      nics: spec.nics,
    });
  }

  /** Asks the guest to shut down; false when it has not within the time. */
  private async shutDown(ctx: RequestContext, uuid: string, timeoutS: number): Promise<boolean> {
    const end = Date.now() + timeoutS * 1000;
    while (Date.now() < end) {
      await this.virsh.try(ctx, ['shutdown', domainName(uuid), '--mode', 'acpi'], uuid);
      const wait = Math.min(ASK_AGAIN_MS, Math.max(0, end - Date.now()));
      const off = await waitFor('the guest to shut down', async () => !isUp(await this.power(uuid)), wait, 250).then(
        () => true,
        () => false,
      );
      if (off) return true;
    }
    return false;
  }

  private async destroy(ctx: RequestContext, uuid: string): Promise<void> {
    const result = await this.virsh.try(ctx, ['destroy', domainName(uuid)], uuid);
    if (result.code !== 0 && isUp(await this.power(uuid)))
      throw new Error(`the guest ${uuid} cannot be ended: ${result.stderr.trim()}`);
  }

  /** Null when libvirt does not know the guest; throws when libvirt does not answer. */
  private async power(uuid: string): Promise<PowerState | null> {
    return (await this.guests()).find((guest) => guest.uuid === uuid)?.power ?? null;
  }

  private async requireDefined(uuid: string): Promise<void> {
    if ((await this.power(uuid)) === null) throw notFound(uuid);
  }

  private async ensureTaps(nics: readonly Nic[]): Promise<void> {
    await Promise.all(nics.map((nic) => ensureTap(this.options.networkNamespace, nic.devname, nic.mtu)));
  }

  private async chooseType(): Promise<'kvm' | 'qemu'> {
    const { virtType, stateDir, probeKernel, probeInitrd, emulator, log } = this.options;
    if (virtType !== 'auto') return virtType;
    const works = await kvmWorks(
      { dir: stateDir, emulator: emulator ?? EMULATOR, kernel: probeKernel ?? null, initrd: probeInitrd ?? null },
      log,
    );
    return works ? 'kvm' : 'qemu';
  }

  private files(uuid: string): GuestFiles {
    return new GuestFiles(this.options.instancesDir, uuid, this.commands);
  }

  private vncSocket(uuid: string): string {
    return path.join(this.options.stateDir, 'vnc', `${uuid}.sock`);
  }

  /** Runs what changes a guest's power; events that it causes are not told, its outcome is known. */
  private async during<T>(uuid: string, work: () => Promise<T>): Promise<T> {
    this.busy.set(uuid, (this.busy.get(uuid) ?? 0) + 1);
    try {
      return await work();
    } finally {
      const power = await this.power(uuid).catch(() => null);
      if (power !== null) this.known.set(uuid, power);
      const left = (this.busy.get(uuid) ?? 1) - 1;
      if (left === 0) this.busy.delete(uuid);
      else this.busy.set(uuid, left);
    }
  }

  /** Something happened to a guest: tells of its power once nobody works on it, if it is not known. */
  private settle(uuid: string): void {
    const timer = setTimeout(() => {
      this.settling.delete(timer);
      if (this.busy.has(uuid)) return;
      void this.power(uuid)
        .then((power) => this.tell(uuid, power))
        .catch((error: unknown) => this.options.log.warn(null, 'libvirt.no_answer', { uuid, error }));
    }, SETTLE_MS);
    timer.unref();
    this.settling.add(timer);
  }

  private async lookAtAll(): Promise<void> {
    const found = await this.guests().catch(() => []);
    for (const { uuid } of found) this.settle(uuid);
  }

  private tell(uuid: string, power: PowerState | null): void {
    if (power === null || this.busy.has(uuid) || this.known.get(uuid) === power) return;
    this.known.set(uuid, power);
    for (const listener of this.listeners) listener({ uuid, power });
  }

  private async trimLogs(): Promise<void> {
    try {
      for (const name of await readdir(this.options.instancesDir)) await trimLog(this.files(name).console);
    } catch (error) {
      this.options.log.warn(null, 'console.trim_failed', { error });
    }
  }
}

function isUp(power: PowerState | null): power is PowerState {
  return power === POWER_STATE.running || power === POWER_STATE.paused || power === POWER_STATE.suspended;
}

function notFound(uuid: string): DomainError {
  return new DomainError({
    kind: 'notFound',
    code: 'InstanceNotFound',
    message: `Instance ${uuid} could not be found.`,
    args: { instance_id: uuid },
  });
}
