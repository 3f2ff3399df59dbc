import { Check } from 'typebox/value';
import type { SagaRow } from './journal';
import type { SagaDefinition } from './surface';

/** A run's version before anyone has begun it. */
export const NOT_BEGUN = 0;

/** What a worker can take up: the newest plan of each kind begins runs, it and those kept beside it go on with older ones. */
export class Plans {
  private readonly byKind = new Map<string, SagaDefinition[]>();

  /** Throws when a version of the kind is known already. */
  add(definition: SagaDefinition): void {
    const { kind } = definition;
    const known = this.byKind.get(kind) ?? [];
    const taken = new Set(known.flatMap(versionsOf));
    for (const version of versionsOf(definition))
      if (taken.has(version)) throw new Error(`saga ${kind} of version ${String(version)} is registered twice`);
    this.byKind.set(
      kind,
      [...known, definition].sort((a, b) => b.version - a.version),
    );
  }

  has(kind: string): boolean {
    return this.byKind.has(kind);
  }

  get kinds(): readonly string[] {
    return [...this.byKind.keys()];
  }

  /** The version that a run gets with its first claim, by kind. */
  get begun(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.byKind].map(([kind, [newest]]) => [kind, newest?.version ?? 1]));
  }

  /** Each kind with each version that can be taken up. */
  get known(): readonly { readonly kind: string; readonly version: number }[] {
    return [...this.byKind].flatMap(([kind, plans]) =>
      [NOT_BEGUN, ...plans.flatMap(versionsOf)].map((version) => ({ kind, version })),
    );
  }

  /** The plan that a claimed run goes on by; null when it was started with parameters that this plan does not have. */
  of(row: Pick<SagaRow, 'kind' | 'version' | 'params' | 'lease_epoch'>): SagaDefinition | null {
    const plan = this.byKind.get(row.kind)?.find((one) => versionsOf(one).includes(row.version)) ?? null;
    // Who starts a run knows its parameters, not its plan, and may be of another version than who begins it.
    const asked = row.lease_epoch > 1 && row.version === plan?.version;
    return plan === null || asked || Check(plan.params, row.params) ? plan : null;
  }
}

function versionsOf({ version, continues = [] }: SagaDefinition): readonly number[] {
  return [version, ...continues];
}
