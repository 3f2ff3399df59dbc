import { POWER_STATE, type PowerState } from '@nestack/nova/contract';
import type { GuestEvent } from '@nestack/nova/domain';
import type { Logger } from '@nestack/kernel/log';

/** Reboots inside the guest and the like pass through states that are not worth telling. */
const SETTLE_MS = 500;
/** When all are looked at after a new connection: a daemon that is finding its guests again tells nothing of their end. */
const LOOKS_MS = [500, 3000, 10_000];

/** Tells of guests whose power changes without having been asked to. */
export class PowerWatch {
  private readonly listeners: ((event: GuestEvent) => void)[] = [];
  /** Power states that whoever asks for changes knows already. */
  private readonly known = new Map<string, PowerState>();
  private readonly busy = new Map<string, number>();
  /** When work on a guest last began or ended, by a clock of its own: what was seen before may be of its middle. */
  private readonly touched = new Map<string, number>();
  private now = 0;
  private readonly timers = new Map<string, NodeJS.Timeout>();
  private looks: readonly NodeJS.Timeout[] = [];

  constructor(
    /** The power of all guests. */
    private readonly look: () => Promise<ReadonlyMap<string, PowerState>>,
    private readonly log: Logger,
  ) {}

  onEvent(listener: (event: GuestEvent) => void): void {
    this.listeners.push(listener);
  }

  /** Runs what changes a guest's power: the events that it causes are not told, its outcome goes to who asked. */
  async during<T>(uuid: string, work: () => Promise<T>): Promise<T> {
    this.busy.set(uuid, (this.busy.get(uuid) ?? 0) + 1);
    this.touch(uuid);
    try {
      return await work();
    } finally {
      if (this.busy.get(uuid) === 1) await this.learn(uuid);
      const left = (this.busy.get(uuid) ?? 1) - 1;
      if (left > 0) this.busy.set(uuid, left);
      else this.busy.delete(uuid);
      this.touch(uuid);
    }
  }

  /** Something happened to a guest. */
  changed(uuid: string): void {
    if (this.timers.has(uuid)) return;
    const timer = setTimeout(() => {
      this.timers.delete(uuid);
      void this.tellChanges((one) => one === uuid);
    }, SETTLE_MS);
    this.timers.set(uuid, timer);
  }

  /** Anything may have happened. Guests that are seen for the first time are only learnt. */
  anythingChanged(): void {
    for (const timer of this.looks) clearTimeout(timer);
    this.looks = LOOKS_MS.map((ms) => setTimeout(() => void this.tellChanges(() => true), ms));
  }

  close(): void {
    for (const timer of [...this.timers.values(), ...this.looks]) clearTimeout(timer);
  }

  private touch(uuid: string): void {
    this.now += 1;
    this.touched.set(uuid, this.now);
  }

  private async learn(uuid: string): Promise<void> {
    try {
      const power = (await this.look()).get(uuid);
      if (power === undefined) this.known.delete(uuid);
      else this.known.set(uuid, power);
    } catch (error) {
      // The next event or connection brings it.
      this.log.warn(null, 'libvirt.no_answer', { uuid, error: String(error) });
    }
  }

  private async tellChanges(concerns: (uuid: string) => boolean): Promise<void> {
    const since = this.now;
    let found: ReadonlyMap<string, PowerState>;
    try {
      found = await this.look();
    } catch (error) {
      // A renewed connection looks at everything again.
      this.log.warn(null, 'libvirt.no_answer', { error: String(error) });
      return;
    }
    for (const uuid of this.touched.keys()) if (!found.has(uuid) && !this.busy.has(uuid)) this.touched.delete(uuid);
    for (const [uuid, power] of found) {
      if (!concerns(uuid) || this.busy.has(uuid) || (this.touched.get(uuid) ?? 0) > since) continue;
      const before = this.known.get(uuid);
      this.known.set(uuid, power);
      if (before === undefined || before === power) continue;
      this.log.info(null, 'guest.power_changed', { uuid, before, power });
      for (const listener of this.listeners) listener({ uuid, power });
    }
  }
}

/** Whether a guest has a process. */
export function isUp(power: PowerState | null | undefined): power is PowerState {
  return power === POWER_STATE.running || power === POWER_STATE.paused || power === POWER_STATE.suspended;
}
