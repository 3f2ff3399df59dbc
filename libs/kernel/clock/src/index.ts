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
