import { setTimeout as delay } from 'node:timers/promises';
import { childContext, type RequestContext } from '@nestack/kernel/context';
import { asDomainError } from '@nestack/kernel/errors';
import type { Logger } from '@nestack/kernel/log';
import { recordTrace } from '@nestack/kernel/trace';
import { guestName } from '@nestack/nova/domain';
import { LIBVIRT_ERROR, LibvirtError, PROGRAM, RemoteConnection, libvirtUnavailable } from './connection';
import { XdrWriter, type XdrReader } from './xdr';

/** Numbers of the protocol's procedures and events. */
const PROC = {
  connectOpen: 1,
  connectGetVersion: 4,
  domainGetXmlDesc: 14,
  domainResume: 28,
  domainSuspend: 34,
  domainAttachDeviceFlags: 160,
  domainDetachDeviceFlags: 161,
  domainManagedSave: 182,
  domainHasManagedSave: 183,
  domainManagedSaveRemove: 184,
  domainCreateWithFlags: 196,
  domainUndefineFlags: 231,
  domainDestroyFlags: 234,
  domainBlockJobAbort: 237,
  domainShutdownFlags: 258,
  registerEvent: 316,
  eventLifecycle: 318,
  eventDeviceRemoved: 333,
  eventBlockJob: 339,
  getAllDomainStats: 344,
  domainBlockCopy: 345,
  domainDefineXmlFlags: 350,
  eventDeviceRemovalFailed: 367,
} as const;

/** The one procedure of the part for QEMU that is used. */
const QEMU_MONITOR_COMMAND = 1;

/** virDomainEventID of what is listened to. */
const EVENTS = { lifecycle: 0, deviceRemoved: 15, blockJob: 16, deviceRemovalFailed: 22 } as const;

const SHUTDOWN_ACPI = 1;
const UNDEFINE_MANAGED_SAVE_AND_SNAPSHOTS = 1 | 2;
const XML_INACTIVE = 2;
/** virDomainModificationImpact */
const SCOPE = { live: 1, config: 2 } as const;
/** virDomainStatsTypes: state; and state, balloon, processors, interfaces, disks. */
const STATS_STATE = 1;
const STATS_ALL = 1 | 2 | 4 | 8 | 16 | 32;

/** virDomainBlockCopyFlags: what is there is written over, not kept over a crash of the guest, and behind no write. */
const COPY_ONTO_ALWAYS_EQUAL = 2 | 4 | 8;
/** virDomainBlockJobAbortFlags */
const JOB_ABORT = { cancel: 0, pivot: 2 } as const;

const CALL_MS = 120_000;
/** How long a call waits for a daemon that is just being started. */
const CONNECT_MS = 10_000;
const RETRY_MS = { first: 100, most: 2000 };

export type Scope = keyof typeof SCOPE;

/** One guest's values, as `virsh domstats` names them. */
export type DomainStats = Readonly<Record<string, string>>;

export interface LibvirtClientOptions {
  /** Path of the daemon's socket; may start the daemon first. */
  readonly socket: () => Promise<string>;
  readonly log: Logger;
  /** A guest's life or devices have changed. */
  readonly onChange: (uuid: string) => void;
  /** The connection is there (again): changes may have been missed. */
  readonly onConnected: () => void;
}

/** QEMU's refusal of a command. */
export class MonitorRefusal extends Error {
  constructor(
    readonly command: string,
    readonly description: string,
  ) {
    super(`${command}: ${description}`);
    this.name = 'MonitorRefusal';
  }
}

/** libvirt's calls that the driver needs, over one connection that is renewed whenever it breaks. */
export class LibvirtClient {
  private current: RemoteConnection | null = null;
  /** One that is not ready to be asked yet. */
  private opening: RemoteConnection | null = null;
  private closed = false;
  private readonly stopping = new AbortController();
  private readonly waiting = new Set<() => void>();
  private readonly changeWaiters = new Map<string, Set<() => void>>();
  private life: Promise<void> = Promise.resolve();

  constructor(private readonly options: LibvirtClientOptions) {}

  start(): void {
    this.life = this.stayConnected();
  }

  async close(): Promise<void> {
    this.closed = true;
    this.stopping.abort();
    this.current?.close();
    this.opening?.close();
    this.wake();
    await this.life;
  }

  /** QEMU 7.2.22 is 7002022. */
  async version(): Promise<number> {
    return Number((await this.ask(PROC.connectGetVersion, null)).uhyper());
  }

  /** State of all our guests. */
  states(): Promise<ReadonlyMap<string, DomainStats>> {
    return this.stats(STATS_STATE, null);
  }

  /** Everything that is counted of one guest; null when there is none. */
  async counters(uuid: string): Promise<DomainStats | null> {
    try {
      return (await this.stats(STATS_ALL, uuid)).get(uuid) ?? null;
    } catch (error) {
      if (isNoDomain(error)) return null;
      throw error;
    }
  }

  /** The definition: of what runs, or of what the next start will bring. Null when there is no such guest. */
  async xml(uuid: string, which: 'current' | 'inactive'): Promise<string | null> {
    try {
      const args = domainArg(uuid).uint(which === 'inactive' ? XML_INACTIVE : 0);
      return (await this.ask(PROC.domainGetXmlDesc, args)).text();
    } catch (error) {
      if (isNoDomain(error)) return null;
      throw error;
    }
  }

  define(ctx: RequestContext, uuid: string, xml: string): Promise<void> {
    return this.act(ctx, 'define', uuid, PROC.domainDefineXmlFlags, new XdrWriter().text(xml).uint(0));
  }

  create(ctx: RequestContext, uuid: string): Promise<void> {
    return this.act(ctx, 'create', uuid, PROC.domainCreateWithFlags, domainArg(uuid).uint(0));
  }

  destroy(ctx: RequestContext, uuid: string): Promise<void> {
    return this.act(ctx, 'destroy', uuid, PROC.domainDestroyFlags, domainArg(uuid).uint(0));
  }

  /** Presses the power button. */
  shutdown(ctx: RequestContext, uuid: string): Promise<void> {
    return this.act(ctx, 'shutdown', uuid, PROC.domainShutdownFlags, domainArg(uuid).uint(SHUTDOWN_ACPI));
  }

  undefine(ctx: RequestContext, uuid: string): Promise<void> {
    const args = domainArg(uuid).uint(UNDEFINE_MANAGED_SAVE_AND_SNAPSHOTS);
    return this.act(ctx, 'undefine', uuid, PROC.domainUndefineFlags, args);
  }

  suspend(ctx: RequestContext, uuid: string): Promise<void> {
    return this.act(ctx, 'suspend', uuid, PROC.domainSuspend, domainArg(uuid));
  }

  resume(ctx: RequestContext, uuid: string): Promise<void> {
    return this.act(ctx, 'resume', uuid, PROC.domainResume, domainArg(uuid));
  }

  /** Keeps the memory of a guest for its next start and ends it. */
  managedSave(ctx: RequestContext, uuid: string): Promise<void> {
    return this.act(ctx, 'managed-save', uuid, PROC.domainManagedSave, domainArg(uuid).uint(0));
  }

  /** Forgets the memory that was kept, if any was. */
  async managedSaveRemove(ctx: RequestContext, uuid: string): Promise<void> {
    const kept = (await this.ask(PROC.domainHasManagedSave, domainArg(uuid).uint(0))).int();
    if (kept === 1)
      await this.act(ctx, 'managed-save-remove', uuid, PROC.domainManagedSaveRemove, domainArg(uuid).uint(0));
  }

  attachDevice(ctx: RequestContext, uuid: string, xml: string, scope: Scope): Promise<void> {
    const args = domainArg(uuid).text(xml).uint(SCOPE[scope]);
    return this.act(ctx, `attach-device ${scope}`, uuid, PROC.domainAttachDeviceFlags, args);
  }

  detachDevice(ctx: RequestContext, uuid: string, xml: string, scope: Scope): Promise<void> {
    const args = domainArg(uuid).text(xml).uint(SCOPE[scope]);
    return this.act(ctx, `detach-device ${scope}`, uuid, PROC.domainDetachDeviceFlags, args);
  }

  /** Starts to copy a disk of a running guest onto what `xml` describes; from then on, once equal, both get every write. */
  blockCopy(ctx: RequestContext, uuid: string, target: string, xml: string): Promise<void> {
    const args = domainArg(uuid).text(target).text(xml).uint(0).uint(COPY_ONTO_ALWAYS_EQUAL);
    return this.act(ctx, 'block-copy', uuid, PROC.domainBlockCopy, args);
  }

  /** Ends the copying of a disk: the guest stays on the former, or goes on with the copy. */
  blockJobAbort(ctx: RequestContext, uuid: string, target: string, how: keyof typeof JOB_ABORT): Promise<void> {
    const args = domainArg(uuid).text(target).uint(JOB_ABORT[how]);
    return this.act(ctx, `block-job-abort ${how}`, uuid, PROC.domainBlockJobAbort, args);
  }

  /** Asks the guest's QEMU itself; throws MonitorRefusal with its words. */
  async monitor(
    ctx: RequestContext,
    uuid: string,
    command: string,
    args: Readonly<Record<string, unknown>> = {},
  ): Promise<unknown> {
    const line = JSON.stringify({ execute: command, arguments: args });
    const reply = await this.recorded(ctx, `qemu ${command}`, uuid, async () => {
      const call = domainArg(uuid).text(line).uint(0);
      return (await this.call(QEMU_MONITOR_COMMAND, call, PROGRAM.qemu)).text();
    });
    const { error, return: value } = JSON.parse(reply) as { error?: { desc?: string }; return?: unknown };
    if (error !== undefined) throw new MonitorRefusal(command, error.desc ?? '');
    return value;
  }

  /** The next change of a guest, or `ms` later. Ask for it before looking at what may change. */
  nextChange(uuid: string, ms: number): Promise<void> {
    return new Promise((resolve) => {
      const waiters = this.changeWaiters.get(uuid) ?? new Set();
      this.changeWaiters.set(uuid, waiters);
      const done = (): void => {
        clearTimeout(timer);
        waiters.delete(done);
        if (waiters.size === 0 && this.changeWaiters.get(uuid) === waiters) this.changeWaiters.delete(uuid);
        resolve();
      };
      const timer = setTimeout(done, ms);
      waiters.add(done);
    });
  }

  private async act(
    ctx: RequestContext,
    name: string,
    uuid: string,
    procedure: number,
    args: XdrWriter,
  ): Promise<void> {
    await this.recorded(ctx, name, uuid, () => this.call(procedure, args));
  }

  private async recorded<T>(ctx: RequestContext, name: string, uuid: string, work: () => Promise<T>): Promise<T> {
    const { log } = this.options;
    const start = new Date();
    const began = performance.now();
    const record = (status: string): void =>
      recordTrace(log, childContext(ctx), {
        kind: 'driver',
        from: log.service,
        to: 'libvirt',
        name,
        start,
        durationMs: performance.now() - began,
        status,
        resource: `server:${uuid}`,
      });
    try {
      const result = await work();
      record('ok');
      return result;
    } catch (error) {
      record(`error ${error instanceof LibvirtError ? String(error.code) : asDomainError(error).code}`);
      throw error;
    }
  }

  private async stats(kinds: number, uuid: string | null): Promise<ReadonlyMap<string, DomainStats>> {
    const args = new XdrWriter().uint(uuid === null ? 0 : 1);
    if (uuid !== null) writeDomain(args, uuid);
    const reply = await this.ask(PROC.getAllDomainStats, args.uint(kinds).uint(0));
    const guests = new Map<string, DomainStats>();
    for (const { domain, values } of reply.list(() => ({ domain: readDomain(reply), values: readParams(reply) })))
      if (domain !== null) guests.set(domain, values);
    return guests;
  }

  /** A question that changes nothing is asked again when the daemon ends before its answer. */
  private async ask(procedure: number, args: XdrWriter | null): Promise<XdrReader> {
    try {
      return await this.call(procedure, args);
    } catch (error) {
      if (error instanceof LibvirtError || this.closed) throw error;
      return this.call(procedure, args);
    }
  }

  private async call(procedure: number, args: XdrWriter | null, program?: number): Promise<XdrReader> {
    const connection = this.current ?? (await this.connected());
    return connection.call(procedure, args, CALL_MS, program);
  }

  private async connected(): Promise<RemoteConnection> {
    const end = Date.now() + CONNECT_MS;
    while (this.current === null && !this.closed && Date.now() < end) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(done, end - Date.now());
        const { waiting } = this;
        function done(): void {
          clearTimeout(timer);
          waiting.delete(done);
          resolve();
        }
        waiting.add(done);
      });
    }
    if (this.current === null) throw libvirtUnavailable('libvirt cannot be reached');
    return this.current;
  }

  private wake(): void {
    for (const done of [...this.waiting]) done();
  }

  private async stayConnected(): Promise<void> {
    let wait = RETRY_MS.first;
    while (!this.closed) {
      const broken = Promise.withResolvers<string>();
      try {
        const socket = await this.options.socket();
        if (this.closed) return;
        const connection = await RemoteConnection.open(socket, (proc, body) => this.heard(proc, body), broken.resolve);
        this.opening = connection;
        if (this.closed) connection.close();
        await this.greet(connection);
        this.opening = null;
        this.current = connection;
        wait = RETRY_MS.first;
        this.options.onConnected();
        this.wake();
        const reason = await broken.promise;
        this.current = null;
        if (!this.closed) this.options.log.warn(null, 'libvirt.connection_lost', { reason });
      } catch (error) {
        if (!this.closed) this.options.log.warn(null, 'libvirt.unreachable', { error: detailOf(error) });
        await delay(wait, undefined, { signal: this.stopping.signal }).catch(() => undefined);
        wait = Math.min(wait * 2, RETRY_MS.most);
      }
    }
  }

  private async greet(connection: RemoteConnection): Promise<void> {
    try {
      const name = new XdrWriter();
      name.optional('qemu:///system', (text) => name.text(text)).uint(0);
      await connection.call(PROC.connectOpen, name, CALL_MS);
      for (const id of Object.values(EVENTS)) {
        // Of all domains: none is named.
        await connection.call(PROC.registerEvent, new XdrWriter().int(id).uint(0), CALL_MS);
      }
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  private heard(procedure: number, body: XdrReader): void {
    if (
      procedure !== PROC.eventLifecycle &&
      procedure !== PROC.eventDeviceRemoved &&
      procedure !== PROC.eventBlockJob &&
      procedure !== PROC.eventDeviceRemovalFailed
    )
      return;
    // The number of our registration comes first.
    body.int();
    const uuid = readDomain(body);
    if (uuid === null) return;
    for (const done of [...(this.changeWaiters.get(uuid) ?? [])]) done();
    if (procedure === PROC.eventLifecycle) this.options.onChange(uuid);
  }
}

export function isNoDomain(error: unknown): boolean {
  return error instanceof LibvirtError && error.code === LIBVIRT_ERROR.noDomain;
}

function detailOf(error: unknown): string {
  const detail = asDomainError(error).detail;
  return detail ?? (error instanceof Error ? error.message : String(error));
}

function domainArg(uuid: string): XdrWriter {
  const args = new XdrWriter();
  writeDomain(args, uuid);
  return args;
}

/** libvirt finds domains by their uuid; the number of what runs may stay open. */
function writeDomain(to: XdrWriter, uuid: string): void {
  to.text(guestName(uuid))
    .fixed(Buffer.from(uuid.replaceAll('-', ''), 'hex'))
    .int(-1);
}

/** The guest's uuid; null for domains that are not ours. */
function readDomain(from: XdrReader): string | null {
  const name = from.text();
  from.fixed(16);
  from.int();
  return /^instance-([0-9a-f-]{36})$/.exec(name)?.[1] ?? null;
}

/** virTypedParameters, as text. */
function readParams(from: XdrReader): Record<string, string> {
  const values: Record<string, string> = {};
  from.list(() => {
    const name = from.text();
    values[name] = readParam(from, from.int());
  });
  return values;
}

function readParam(from: XdrReader, type: number): string {
  switch (type) {
    case 1:
    case 6:
      return String(from.int());
    case 2:
      return String(from.uint());
    case 3:
      return String(from.hyper());
    case 4:
      return String(from.uhyper());
    case 5:
      return String(from.double());
    case 7:
      return from.text();
    default:
      throw new RangeError(`a value of the unknown type ${type}`);
  }
}
