import type { Duplex } from 'node:stream';
import type { RequestContext } from '@nestack/kernel/context';
import type {
  ConnectionInfo,
  DiskSource,
  FlavorSnapshot,
  HostFacts,
  ImageSnapshotWire,
  Nic,
  PowerState,
} from '@nestack/nova/contract';

/** A volume as the guest's disk. */
export interface GuestDisk {
  readonly volumeId: string;
  readonly connection: ConnectionInfo;
  /** `/dev/vdb`; what the guest calls it may differ. */
  readonly device: string;
  readonly boot: boolean;
}

/** Files of the config drive by their path on it. */
export type ConfigDriveFiles = Readonly<Record<string, string | Buffer>>;

/** A guest as it shall be on this host. */
export interface GuestSpec {
  readonly uuid: string;
  readonly name: string;
  readonly flavor: FlavorSnapshot;
  /** GiB of each ephemeral disk. */
  readonly ephemerals: readonly number[];
  /** Null when it boots from a volume. */
  readonly image: ImageSnapshotWire | null;
  /** Properties of the image on a root that is a volume. */
  readonly rootImageProperties?: Readonly<Record<string, unknown>>;
  readonly nics: readonly Nic[];
  readonly disks: readonly GuestDisk[];
  /** Null when the guest has no config drive. */
  readonly configDrive: ConfigDriveFiles | null;
  /** What it is rescued with: its root disk is then one of this image, its own comes behind it. */
  readonly rescue: ImageSnapshotWire | null;
}

/** The bytes of an image as a stream; the driver decides whether it needs them. */
export type ImageFetch = (ctx: RequestContext, imageId: string) => Promise<NodeJS.ReadableStream>;

/** A running guest's screen. */
export interface VncDisplay {
  /** Differs for each run of the guest: whoever was led to an earlier one must not come to this one. */
  readonly run: string;
  /** A connection that speaks RFB, the guest's side first. */
  connect(): Promise<Duplex>;
}

/** A guest that the hypervisor knows of. */
export interface GuestState {
  readonly uuid: string;
  readonly power: PowerState;
}

export type GuestEvent = { readonly uuid: string; readonly power: PowerState };

/**
 * A hypervisor. Every `ensure…` and `absent…` looks, acts and looks again: it succeeds when the world already is so, after
 * a crash in its middle too. Calls for one guest come one at a time.
 */
export interface HypervisorDriver {
  /** Starts what it needs (libvirt's daemon); guests that run are found again. */
  open(): Promise<void>;
  /** Leaves guests running. */
  close(): Promise<void>;
  facts(): Promise<HostFacts>;
  /** Defines and starts the guest; what is there already is kept. Throws what makes it impossible. */
  ensureGuest(
    ctx: RequestContext,
    spec: GuestSpec,
    fetch: ImageFetch,
  ): Promise<{ readonly power: PowerState; readonly rootDevice: string }>;
  /** Nothing of the guest is left: process, definition, disks, config drive, console log, taps. */
  absentGuest(ctx: RequestContext, uuid: string, nics: readonly Nic[]): Promise<void>;
  /** Starts a guest that is off; needs the specification to define it anew when the hypervisor has lost it. Disks that were set aside are taken back if it has no others. */
  powerOn(ctx: RequestContext, spec: GuestSpec): Promise<PowerState>;
  /** Asks the guest by ACPI and pulls the plug after `timeoutS` (0: at once). */
  powerOff(ctx: RequestContext, uuid: string, timeoutS: number): Promise<PowerState>;
  /** `SOFT` asks the guest first; `HARD` starts it anew. */
  reboot(ctx: RequestContext, spec: GuestSpec, type: 'SOFT' | 'HARD', timeoutS: number): Promise<PowerState>;
  pause(ctx: RequestContext, uuid: string): Promise<PowerState>;
  unpause(ctx: RequestContext, uuid: string): Promise<PowerState>;
  /** Sends a running guest a non-maskable interrupt; throws for one that does not run. */
  injectNmi(ctx: RequestContext, uuid: string): Promise<void>;
  /** Keeps the guest's memory on disk and ends its process. */
  suspend(ctx: RequestContext, uuid: string): Promise<PowerState>;
  /** Goes on from the kept memory; boots when there is none. */
  resume(ctx: RequestContext, spec: GuestSpec): Promise<PowerState>;
  /** Ensures the guest runs from a disk of `spec.rescue`. */
  rescue(ctx: RequestContext, spec: GuestSpec, fetch: ImageFetch): Promise<PowerState>;
  /** Ensures the guest runs from its own disk again; that of the rescue is gone. */
  unrescue(ctx: RequestContext, spec: GuestSpec): Promise<PowerState>;
  /** Makes disks and config drive anew and starts the guest; consoles, volumes and NICs stay. What cannot be fetched leaves the guest as it was. */
  rebuild(
    ctx: RequestContext,
    spec: GuestSpec,
    fetch: ImageFetch,
  ): Promise<{ readonly power: PowerState; readonly rootDevice: string }>;
  /** Throws what makes it impossible for a guest to come here from another host. Fetches what it needs of images besides its disks. */
  prepareArrival(ctx: RequestContext, spec: GuestSpec, fetch: ImageFetch): Promise<void>;
  /**
   * Ensures the guest is off, shut down within `timeoutS`, and its disks are set aside under a name; its taps are gone when
   * it leaves for another host.
   */
  ensureSetAside(
    ctx: RequestContext,
    uuid: string,
    how: { readonly keep: string; readonly timeoutS: number; readonly absentNics: readonly Nic[] },
  ): Promise<void>;
  /** Shows the disks that were set aside to one reader of another host, anew at each call. */
  openSetAside(ctx: RequestContext, uuid: string, keep: string): Promise<DiskSource>;
  /**
   * Ensures the guest is here with the disks that were set aside, in the sizes of `spec`, and runs if it shall. `source`
   * tells where the other host shows them; null: they were set aside on this host, where they stay.
   */
  ensureArrived(
    ctx: RequestContext,
    spec: GuestSpec,
    how: {
      readonly keep: string;
      readonly running: boolean;
      readonly source: (() => Promise<DiskSource>) | null;
      readonly fetch: ImageFetch;
      /** The move is given up. */
      readonly signal: AbortSignal;
    },
  ): Promise<PowerState>;
  /** Ensures the guest has the disks again that were set aside, if there are any, and the sizes of `spec`. */
  ensureReturned(
    ctx: RequestContext,
    spec: GuestSpec,
    how: { readonly keep: string; readonly running: boolean },
  ): Promise<PowerState>;
  absentSetAside(ctx: RequestContext, uuid: string, keep: string): Promise<void>;
  /** Ensures a whole copy of the guest's root disk as it is now; a guest that shall run (`running`) runs afterwards. */
  ensureSnapshot(ctx: RequestContext, uuid: string, name: string, running: boolean): Promise<void>;
  /** The bytes of the copy, qcow2; throws when there is none. */
  openSnapshot(uuid: string, name: string): Promise<NodeJS.ReadableStream>;
  absentSnapshot(ctx: RequestContext, uuid: string, name: string, running: boolean): Promise<void>;
  /** Ensures the image is in the host's cache, ready for guests; throws ImageUnacceptable. */
  ensureImage(ctx: RequestContext, image: ImageSnapshotWire, fetch: ImageFetch): Promise<void>;
  guests(): Promise<readonly GuestState[]>;
  /** Uuids of all guests that anything is left of on this host, be it a file of one that was never defined. */
  present(): Promise<readonly string[]>;
  /** The tail of the serial console, bounded; empty when there is none. */
  console(uuid: string, lines: number | null): Promise<string>;
  /** Null when the guest does not run, or has no screen. */
  vncDisplay(uuid: string): Promise<VncDisplay | null>;
  diagnostics(uuid: string): Promise<Readonly<Record<string, unknown>>>;
  /** The device's name as given to the guest. Works on running guests and on those that are off. */
  ensureVolume(ctx: RequestContext, uuid: string, disk: GuestDisk): Promise<string>;
  /** Ensures a running guest uses this connection of a volume and sees at least so many bytes; one that is off does so when it starts. */
  ensureVolumeSize(
    ctx: RequestContext,
    uuid: string,
    volume: { readonly volumeId: string; readonly connection: ConnectionInfo; readonly bytes: number },
  ): Promise<void>;
  /**
   * Ensures the guest's disk that was the volume `from` is another one of at least so many bytes; one that runs is copied
   * there first, without a halt. Fails with the former in place.
   */
  ensureSwapped(
    ctx: RequestContext,
    uuid: string,
    from: string,
    to: { readonly volumeId: string; readonly connection: ConnectionInfo; readonly bytes: number },
  ): Promise<void>;
  absentVolume(ctx: RequestContext, uuid: string, volumeId: string): Promise<void>;
  ensureInterface(ctx: RequestContext, uuid: string, nic: Nic): Promise<void>;
  absentInterface(ctx: RequestContext, uuid: string, nic: Nic): Promise<void>;
  /** Changes that nobody asked for: a guest that powered itself off, a crash. */
  onEvent(listener: (event: GuestEvent) => void): void;
}

/** Injection token of the host's driver. */
export const HYPERVISOR = Symbol('HypervisorDriver');
