import { DomainError } from '@nestack/kernel/errors';

/** The error that a fake throws when it was told to fail. */
export function outage(what: string): DomainError {
  return new DomainError({ kind: 'unavailable', code: 'FakeOutage', message: `${what} is away.` });
}

/** A refusal that no repetition changes. */
export function refusal(what: string): DomainError {
  return new DomainError({ kind: 'badRequest', code: 'FakeRefusal', message: `${what} refuses.` });
}

/** What a fake service has been asked, and what it shall do wrong or late. */
export class Faults {
  readonly calls: string[] = [];
  /** Hosts that cannot be served. */
  readonly hosts = new Set<string>();
  private readonly planned = new Map<string, { error: Error; times: number; after: boolean }>();
  private readonly overdue = new Map<
    string,
    { readonly error: Error; readonly due: Promise<void>; done: Promise<unknown> }
  >();
  private readonly gates = new Map<string, { readonly opened: Promise<void>; readonly open: () => void }>();

  /** Lets the next `times` calls of an operation fail; with `after` their effect happens all the same, as when an answer is lost. */
  fail(operation: string, error: Error, options: { readonly times?: number; readonly after?: boolean } = {}): void {
    this.planned.set(operation, { error, times: options.times ?? 1, after: options.after ?? false });
  }

  /** Lets the next call of an operation fail; its effect happens when the returned function is called, as when it was waited for too short. */
  late(operation: string, error: Error): () => Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const one = { error, due: promise, done: Promise.resolve() as Promise<unknown> };
    this.overdue.set(operation, one);
    return async () => {
      resolve();
      await one.done;
    };
  }

  /** Holds all calls of an operation until the returned function is called. */
  hold(operation: string): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.gates.set(operation, { opened: promise, open: resolve });
    return () => {
      this.gates.delete(operation);
      resolve();
    };
  }

  /** How often an operation was asked for. */
  count(operation: string): number {
    return this.calls.filter((one) => one === operation).length;
  }

  /** Nothing fails nor is held any more. */
  forget(): void {
    for (const { open } of this.gates.values()) open();
    this.gates.clear();
    this.calls.length = 0;
    this.planned.clear();
    this.overdue.clear();
    this.hosts.clear();
  }

  /** Runs one operation of a fake as planned. */
  async run<T>(operation: string, act: () => T | Promise<T>): Promise<T> {
    this.calls.push(operation);
    await this.gates.get(operation)?.opened;
    const overdue = this.overdue.get(operation);
    if (overdue !== undefined) {
      this.overdue.delete(operation);
      overdue.done = overdue.due.then(act);
      throw overdue.error;
    }
    const plan = this.planned.get(operation);
    if (plan !== undefined) {
      plan.times -= 1;
      if (plan.times <= 0) this.planned.delete(operation);
      if (plan.after) await act();
      throw plan.error;
    }
    return act();
  }
}
