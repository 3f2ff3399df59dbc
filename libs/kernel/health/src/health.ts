/** One thing that a service needs; throws when it is not there. */
export type HealthCheck = () => Promise<void>;

export interface HealthReport {
  readonly healthy: boolean;
  readonly checks: readonly {
    readonly name: string;
    readonly ok: boolean;
    readonly reason: string;
    readonly durationMs: number;
  }[];
}

/** Runs all checks at once, each for at most `timeoutMs`. */
export async function checkHealth(
  checks: Readonly<Record<string, HealthCheck>>,
  timeoutMs = 2000,
): Promise<HealthReport> {
  const results = await Promise.all(
    Object.entries(checks).map(async ([name, check]) => {
      const began = performance.now();
      const reason = await within(check, timeoutMs);
      return { name, ok: reason === null, reason: reason ?? 'OK', durationMs: Math.round(performance.now() - began) };
    }),
  );
  return { healthy: results.every((one) => one.ok), checks: results };
}

async function within(check: HealthCheck, timeoutMs: number): Promise<string | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`no answer within ${String(timeoutMs)} ms`), timeoutMs);
  });
  try {
    return await Promise.race([check().then(() => null), late]);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    clearTimeout(timer);
  }
}
