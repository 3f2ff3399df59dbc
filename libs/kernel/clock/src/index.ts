/** Time as services see it; tests put a virtual one in its place. */
export interface Clock {
  /** Now, UTC. */
  now(): Date;
  /** Resolves after `ms` milliseconds, or at once when the signal aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => new Date(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) {
        resolve();
        return;
      }
      const done = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal?.addEventListener('abort', done, { once: true });
    }),
};

/** `2026-01-02T03:04:05Z`: nova servers, glance, neutron. */
export function isoSeconds(date: Date): string {
  return `${date.toISOString().slice(0, 19)}Z`;
}

/** `2026-01-02T03:04:05.000000Z`: keystone tokens and trusts. */
export function isoMicrosZ(date: Date): string {
  return `${date.toISOString().slice(0, 23)}000Z`;
}

/** `2026-01-02T03:04:05.123456`, no zone: cinder, nova's extensions, instance actions, services. */
export function isoMicros(date: Date): string {
  return `${date.toISOString().slice(0, 23)}000`;
}

/** `2026-01-02 03:04:05`: neutron agents. */
export function spacedSeconds(date: Date): string {
  return date.toISOString().slice(0, 19).replace('T', ' ');
}

const ISO_8601 = /^\s*(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(Z|[+-]\d\d(?::?\d\d)?)?)?\s*$/i;

/**
 * The moment that a text in ISO 8601 tells, UTC where it names no zone; null when it is in no such form. JavaScript itself takes `8`
 * for a date as well, which no database does.
 */
export function parseIsoTime(text: string): Date | null {
  const [, day, time = '00:00', zone = 'Z'] = ISO_8601.exec(text) ?? [];
  if (day === undefined) return null;
  const offset = /^[+-]/.test(zone) ? `${zone.slice(0, 3)}:${zone.slice(3).replace(':', '') || '00'}` : 'Z';
  const moment = new Date(`${day}T${time}${offset}`);
  return Number.isNaN(moment.getTime()) || moment.getUTCFullYear() < 1 || moment.getUTCFullYear() > 9999
    ? null
    : moment;
}
