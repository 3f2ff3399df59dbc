import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { duplexPair, Readable, type Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { RequestContext } from '@nestack/kernel/context';
import { DomainError } from '@nestack/kernel/errors';
import {
  POWER_STATE,
  type DiskSource,
  type HostFacts,
  type ImageSnapshotWire,
  type Nic,
  type PowerState,
} from '@nestack/nova/contract';
import { lastLines } from '../libvirt/console-log';
import { freeTarget } from '../libvirt/hardware';
import { isUp } from '../libvirt/power-watch';
import type {
  GuestDisk,
  GuestEvent,
  GuestSpec,
  GuestState,
  HypervisorDriver,
  ImageFetch,
  VncDisplay,
} from '@nestack/nova/domain';
import { emptyQcow2 } from './empty-qcow2';
import { fakeFacts } from './fake-facts';
import type { FakeOperation } from './fake-operations';
import { serveRfb } from './fake-rfb';
import { FakeScreen } from './fake-screen';

export interface FakeOptions {
  readonly dir: string;
  readonly host: string;
  readonly vcpus?: number;
  readonly memoryMb?: number;
  readonly diskGb?: number;
  /** Milliseconds that an operation takes. */
  readonly delays?: Readonly<Partial<Record<FakeOperation, number>>>;
  /** How many times in 100 an operation fails. */
  readonly failures?: Readonly<Partial<Record<FakeOperation, number>>>;
}

interface Guest {
  power: PowerState;
  name: string;
  memoryMb: number;
  console: string[];
  /** Differs each time it is started. */
  run?: string;
  volumes: Record<string, string>;
  nics: string[];
  /** Disks that it was started from beside its own. */
  rescue?: string;
  snapshots?: string[];
  /** What stands for the content of its root disk; null while that is set aside, or when it boots from a volume. */
  disk: string | null;
  /** The move that it came here by. */
  arrived?: string;
  /** What was set aside when it left, by the name that it is kept under. */
  kept?: Record<string, { readonly memoryMb: number; readonly disk: string | null }>;
}

/**
 * A hypervisor without guests: the state of each is kept in a file of its own that survives crashes, as a disk would, so
 * that what is left behind can be counted.
 */
export class FakeDriver implements HypervisorDriver {
  private guestsByUuid: Record<string, Guest> = {};
  private listeners: ((event: GuestEvent) => void)[] = [];
  /** Screens that somebody has looked at since their guest was started, with who looks now. */
  private readonly screens = new Map<string, { readonly screen: FakeScreen; readonly viewers: Set<Duplex> }>();
  private readonly startedAt = Date.now();

  constructor(private readonly options: FakeOptions) {}

  async open(): Promise<void> {
    const { dir } = this.options;
    await mkdir(dir, { recursive: true });
    for (const name of await readdir(dir)) {
      const uuid = /^([0-9a-f-]{36})\.json$/.exec(name)?.[1];
      if (uuid !== undefined)
        this.guestsByUuid[uuid] = JSON.parse(await readFile(path.join(dir, name), 'utf8')) as Guest;
    }
  }

  async close(): Promise<void> {
    await Promise.resolve();
    for (const uuid of [...this.screens.keys()]) this.darken(uuid);
  }

  async facts(): Promise<HostFacts> {
    await Promise.resolve();
    return fakeFacts(this.options, Object.values(this.guestsByUuid), this.startedAt);
  }

  /** What is kept of an image is its name. */
  async ensureImage(_ctx: RequestContext, image: ImageSnapshotWire): Promise<void> {
    await this.act('cache_image');
    await mkdir(this.imagesDir, { recursive: true });
    await writeFile(path.join(this.imagesDir, image.id), '');
  }

  /** Ids of the images that were cached. */
  async images(): Promise<readonly string[]> {
    await mkdir(this.imagesDir, { recursive: true });
    return readdir(this.imagesDir);
  }

  private get imagesDir(): string {
    return path.join(this.options.dir, '_base');
  }

  async ensureGuest(
    _ctx: RequestContext,
    spec: GuestSpec,
    _fetch: ImageFetch,
  ): Promise<{ power: PowerState; rootDevice: string }> {
    await this.act('spawn');
    const guest = this.guestsByUuid[spec.uuid] ?? this.newGuest(spec);
    if (guest.power !== POWER_STATE.running) this.begin(spec.uuid, guest);
    guest.power = POWER_STATE.running;
    guest.volumes = Object.fromEntries(spec.disks.map((disk) => [disk.volumeId, disk.device]));
    guest.nics = spec.nics.map((nic) => nic.port_id);
    this.guestsByUuid[spec.uuid] = guest;
    await this.save(spec.uuid);
    return { power: guest.power, rootDevice: '/dev/vda' };
  }

  async absentGuest(_ctx: RequestContext, uuid: string): Promise<void> {
    if (this.guestsByUuid[uuid] === undefined) return;
    await this.act('destroy');
    delete this.guestsByUuid[uuid];
    this.darken(uuid);
    await rm(this.file(uuid), { force: true });
  }

  async powerOn(_ctx: RequestContext, spec: GuestSpec): Promise<PowerState> {
    await this.act('power_on');
    const guest = (this.guestsByUuid[spec.uuid] ??= this.newGuest(spec));
    if (guest.disk === null) this.restore(guest);
    guest.console.push('[    0.000000] Linux version fake (power on)');
    return this.boot(spec.uuid);
  }

  async powerOff(_ctx: RequestContext, uuid: string): Promise<PowerState> {
    await this.act('power_off');
    return this.setPower(uuid, POWER_STATE.shutdown);
  }

  async reboot(_ctx: RequestContext, spec: GuestSpec, type: 'SOFT' | 'HARD'): Promise<PowerState> {
    await this.act('reboot');
    const guest = (this.guestsByUuid[spec.uuid] ??= this.newGuest(spec));
    guest.console.push(`[    0.000000] Linux version fake (${type.toLowerCase()} reboot)`);
    return this.boot(spec.uuid);
  }

  pause(_ctx: RequestContext, uuid: string): Promise<PowerState> {
    return this.setPower(uuid, POWER_STATE.paused);
  }

  unpause(_ctx: RequestContext, uuid: string): Promise<PowerState> {
    return this.setPower(uuid, POWER_STATE.running);
  }

  async injectNmi(_ctx: RequestContext, uuid: string): Promise<void> {
    const guest = this.guest(uuid);
    if (!isUp(guest.power))
      throw new DomainError({
        kind: 'conflict',
        code: 'InstanceNotRunning',
        message: `Instance ${uuid} is not running.`,
      });
    guest.console.push('Uhhuh. NMI received for unknown reason 30 on CPU 0.');
    await this.save(uuid);
  }

  async suspend(_ctx: RequestContext, uuid: string): Promise<PowerState> {
    await this.act('suspend');
    return this.setPower(uuid, POWER_STATE.shutdown);
  }

  async resume(_ctx: RequestContext, spec: GuestSpec): Promise<PowerState> {
    await this.act('resume');
    this.guestsByUuid[spec.uuid] ??= this.newGuest(spec);
    return this.boot(spec.uuid);
  }

  async rescue(_ctx: RequestContext, spec: GuestSpec): Promise<PowerState> {
    await this.act('rescue');
    const guest = (this.guestsByUuid[spec.uuid] ??= this.newGuest(spec));
    if (guest.rescue === undefined) guest.console.push('[    0.000000] Linux version fake (rescue)');
    guest.rescue = spec.rescue?.id ?? '';
    return this.boot(spec.uuid);
  }

  async unrescue(_ctx: RequestContext, spec: GuestSpec): Promise<PowerState> {
    await this.act('unrescue');
    const guest = (this.guestsByUuid[spec.uuid] ??= this.newGuest(spec));
    delete guest.rescue;
    return this.boot(spec.uuid);
  }

  async rebuild(
    _ctx: RequestContext,
    spec: GuestSpec,
    _fetch: ImageFetch,
  ): Promise<{ power: PowerState; rootDevice: string }> {
    await this.act('rebuild');
    const guest = (this.guestsByUuid[spec.uuid] ??= this.newGuest(spec));
    guest.name = spec.name;
    guest.disk = spec.image === null ? null : randomUUID();
    guest.console.push(`[    0.000000] Linux version fake (rebuilt from ${spec.image?.id ?? 'its volume'})`);
    return { power: await this.boot(spec.uuid), rootDevice: '/dev/vda' };
  }

  prepareArrival(): Promise<void> {
    return this.act('prep_resize');
  }

  async ensureSetAside(_ctx: RequestContext, uuid: string, { keep }: { readonly keep: string }): Promise<void> {
    const guest = this.guest(uuid);
    if (guest.kept?.[keep] !== undefined) return;
    await this.act('resize');
    this.restore(guest);
    guest.kept = { [keep]: { memoryMb: guest.memoryMb, disk: guest.disk } };
    guest.disk = null;
    await this.setPower(uuid, POWER_STATE.shutdown);
  }

  /** The content itself stands where real hosts tell how it is read. */
  async openSetAside(_ctx: RequestContext, uuid: string, keep: string): Promise<DiskSource> {
    await Promise.resolve();
    const kept = this.guest(uuid).kept?.[keep];
    if (kept === undefined) throw new Error(`the guest ${uuid} has nothing set aside under ${keep}`);
    const disks = kept.disk === null ? [] : [{ name: kept.disk, format: 'raw' as const, port: 1 }];
    return { address: '127.0.0.1', secret: '', disks };
  }

  async ensureArrived(
    _ctx: RequestContext,
    spec: GuestSpec,
    { keep, running, source }: Pick<Parameters<HypervisorDriver['ensureArrived']>[2], 'keep' | 'running' | 'source'>,
  ): Promise<PowerState> {
    const known = this.guestsByUuid[spec.uuid];
    const power = running ? POWER_STATE.running : POWER_STATE.shutdown;
    if (known?.arrived === keep) return this.setPower(spec.uuid, power);
    await this.act('finish_resize');
    const disk = source === null ? known?.kept?.[keep]?.disk : (await source()).disks[0]?.name;
    const guest = source === null ? this.guest(spec.uuid) : this.newGuest(spec);
    guest.disk = disk ?? null;
    guest.arrived = keep;
    guest.memoryMb = spec.flavor.memory_mb;
    guest.volumes = Object.fromEntries(spec.disks.map((one) => [one.volumeId, one.device]));
    guest.nics = spec.nics.map((nic) => nic.port_id);
    guest.console.push(`[    0.000000] Linux version fake (resized to ${String(spec.flavor.memory_mb)} MB)`);
    this.guestsByUuid[spec.uuid] = guest;
    return running ? this.boot(spec.uuid) : this.setPower(spec.uuid, power);
  }

  async ensureReturned(
    _ctx: RequestContext,
    spec: GuestSpec,
    { running }: { readonly running: boolean },
  ): Promise<PowerState> {
    const guest = this.guest(spec.uuid);
    await this.act('revert_resize');
    this.restore(guest);
    return running ? this.boot(spec.uuid) : this.setPower(spec.uuid, POWER_STATE.shutdown);
  }

  async absentSetAside(_ctx: RequestContext, uuid: string, keep: string): Promise<void> {
    const guest = this.guestsByUuid[uuid];
    if (guest?.kept?.[keep] === undefined) return;
    delete guest.kept;
    await this.save(uuid);
  }

  /** What stands for the content of a guest's root disk; undefined when there is no such guest here. */
  diskOf(uuid: string): string | null | undefined {
    return this.guestsByUuid[uuid]?.disk;
  }

  private restore(guest: Guest): void {
    const [kept] = Object.values(guest.kept ?? {});
    if (kept !== undefined) Object.assign(guest, kept);
    delete guest.kept;
    delete guest.arrived;
  }

  async ensureSnapshot(_ctx: RequestContext, uuid: string, name: string): Promise<void> {
    const guest = this.guest(uuid);
    if (guest.snapshots?.includes(name) === true) return;
    await this.act('snapshot');
    guest.snapshots = [...(guest.snapshots ?? []), name];
    await this.save(uuid);
  }

  async openSnapshot(uuid: string, name: string): Promise<NodeJS.ReadableStream> {
    await Promise.resolve();
    if (this.guest(uuid).snapshots?.includes(name) !== true) throw new Error(`there is no snapshot ${name}`);
    return Readable.from([emptyQcow2()]);
  }

  async absentSnapshot(_ctx: RequestContext, uuid: string, name: string): Promise<void> {
    const guest = this.guestsByUuid[uuid];
    if (guest?.snapshots === undefined) return;
    guest.snapshots = guest.snapshots.filter((one) => one !== name);
    await this.save(uuid);
  }

  async guests(): Promise<readonly GuestState[]> {
    await Promise.resolve();
    return Object.entries(this.guestsByUuid).map(([uuid, { power }]) => ({ uuid, power }));
  }

  async present(): Promise<readonly string[]> {
    await Promise.resolve();
    return Object.keys(this.guestsByUuid);
  }

  async console(uuid: string, lines: number | null): Promise<string> {
    await Promise.resolve();
    const all = this.guestsByUuid[uuid]?.console ?? [];
    const text = all.length === 0 ? '' : `${all.join('\n')}\n`;
    return lines === null ? text : lastLines(text, lines);
  }

  async vncDisplay(uuid: string): Promise<VncDisplay | null> {
    await Promise.resolve();
    const guest = this.guestsByUuid[uuid];
    if (guest === undefined || !isUp(guest.power)) return null;
    return { run: guest.run ?? '', connect: () => Promise.resolve(this.look(uuid, guest)) };
  }

  async diagnostics(uuid: string): Promise<Readonly<Record<string, unknown>>> {
    await Promise.resolve();
    const guest = this.guest(uuid);
    return { memory: guest.memoryMb * 1024, 'memory-actual': guest.memoryMb * 1024, cpu0_time: 0 };
  }

  async ensureVolume(_ctx: RequestContext, uuid: string, disk: GuestDisk): Promise<string> {
    const guest = this.guest(uuid);
    if (guest.volumes[disk.volumeId] === undefined) {
      await this.act('attach_volume');
      const taken = Object.values(guest.volumes).map((device) => device.replace('/dev/', ''));
      guest.volumes[disk.volumeId] = `/dev/${freeTarget(disk.device, taken)}`;
      guest.console.push(`virtio_blk: new disk ${guest.volumes[disk.volumeId] ?? ''}`);
      this.screens.get(uuid)?.screen.changed();
      await this.save(uuid);
    }
    return guest.volumes[disk.volumeId] ?? disk.device;
  }

  async ensureVolumeSize(...[, uuid, volume]: Parameters<HypervisorDriver['ensureVolumeSize']>): Promise<void> {
    const { volumeId, bytes } = volume;
    const guest = this.guest(uuid);
    const device = guest.volumes[volumeId];
    if (device === undefined || guest.power !== POWER_STATE.running) return;
    const line = `virtio_blk: ${device} detected capacity change to ${String(bytes / 512)}`;
    if (guest.console.includes(line)) return;
    await this.act('extend_volume');
    guest.console.push(line);
    await this.save(uuid);
  }

  async ensureSwapped(...[, uuid, from, { volumeId }]: Parameters<HypervisorDriver['ensureSwapped']>): Promise<void> {
    const guest = this.guest(uuid);
    const device = guest.volumes[from];
    if (guest.volumes[volumeId] !== undefined || device === undefined) return;
    await this.act('swap_volume');
    delete guest.volumes[from];
    guest.volumes[volumeId] = device;
    guest.console.push(`virtio_blk: ${device} is on volume ${volumeId}`);
    await this.save(uuid);
  }

  async absentVolume(_ctx: RequestContext, uuid: string, volumeId: string): Promise<void> {
    const guest = this.guestsByUuid[uuid];
    if (guest?.volumes[volumeId] === undefined) return;
    await this.act('detach_volume');
    delete guest.volumes[volumeId];
    await this.save(uuid);
  }

  async ensureInterface(_ctx: RequestContext, uuid: string, nic: Nic): Promise<void> {
    const guest = this.guest(uuid);
    if (guest.nics.includes(nic.port_id)) return;
    await this.act('attach_interface');
    guest.nics.push(nic.port_id);
    await this.save(uuid);
  }

  async absentInterface(_ctx: RequestContext, uuid: string, nic: Nic): Promise<void> {
    const guest = this.guestsByUuid[uuid];
    if (guest === undefined || !guest.nics.includes(nic.port_id)) return;
    await this.act('detach_interface');
    guest.nics = guest.nics.filter((one) => one !== nic.port_id);
    await this.save(uuid);
  }

  onEvent(listener: (event: GuestEvent) => void): void {
    this.listeners.push(listener);
  }

  private look(uuid: string, guest: Guest): Duplex {
    const lit = this.screens.get(uuid) ?? {
      screen: new FakeScreen(guest.name, () => guest.console.filter((line) => !line.endsWith(' login: '))),
      viewers: new Set(),
    };
    this.screens.set(uuid, lit);
    const [inner, outer] = duplexPair();
    lit.viewers.add(inner);
    inner.once('close', () => lit.viewers.delete(inner));
    serveRfb(inner, lit.screen, `QEMU (${guest.name})`);
    return outer;
  }

  /** Whoever looks at the screen sees it no more. */
  private darken(uuid: string): void {
    for (const viewer of this.screens.get(uuid)?.viewers ?? []) viewer.destroy();
    this.screens.delete(uuid);
  }

  /** The guest starts from its beginning. */
  private boot(uuid: string): Promise<PowerState> {
    this.begin(uuid, this.guest(uuid));
    return this.setPower(uuid, POWER_STATE.running);
  }

  private begin(uuid: string, guest: Guest): void {
    guest.run = randomUUID();
    this.darken(uuid);
  }

  private file(uuid: string): string {
    return path.join(this.options.dir, `${uuid}.json`);
  }

  private newGuest(spec: GuestSpec): Guest {
    return {
      power: POWER_STATE.running,
      run: randomUUID(),
      name: spec.name,
      memoryMb: spec.flavor.memory_mb,
      console: [
        '[    0.000000] Linux version fake',
        '[    0.000000] Command line: console=ttyS0',
        `Welcome to ${spec.name}`,
        `${spec.name} login: `,
      ],
      volumes: {},
      nics: [],
      disk: spec.image === null ? null : randomUUID(),
    };
  }

  private guest(uuid: string): Guest {
    const guest = this.guestsByUuid[uuid];
    if (guest === undefined)
      throw new DomainError({
        kind: 'notFound',
        code: 'InstanceNotFound',
        message: `Instance ${uuid} could not be found.`,
      });
    return guest;
  }

  private async setPower(uuid: string, power: PowerState): Promise<PowerState> {
    this.guest(uuid).power = power;
    if (!isUp(power)) this.darken(uuid);
    await this.save(uuid);
    return power;
  }

  private async act(operation: FakeOperation): Promise<void> {
    const wait = this.options.delays?.[operation] ?? 0;
    if (wait > 0) await delay(wait);
    if (Math.random() * 100 < (this.options.failures?.[operation] ?? 0)) {
      throw new DomainError({
        kind: 'conflict',
        code: 'FakeFailure',
        message: `The fake hypervisor was told to fail at ${operation}.`,
      });
    }
  }

  /** Renamed into place: a crash leaves the old state or the new one. Commands for one guest come one at a time. */
  private async save(uuid: string): Promise<void> {
    const temporary = `${this.file(uuid)}.new`;
    await writeFile(temporary, JSON.stringify(this.guestsByUuid[uuid]));
    await rename(temporary, this.file(uuid));
  }
}
