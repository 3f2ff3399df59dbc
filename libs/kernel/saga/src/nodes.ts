import type { EventRow } from './journal';
import type { SagaStep } from './surface';

/** What the journal says of one step, as this process knows it. */
export interface NodeState {
  started: boolean;
  done: boolean;
  skipped: boolean;
  undone: boolean;
  output: unknown;
  /** When it was first started, in this process's monotonic time. */
  startedAt: number;
}

/** The steps of one run by name. */
export class Nodes {
  private readonly states = new Map<string, NodeState>();

  /** A step's state; one that the journal does not know yet is all false. */
  of(name: string): NodeState {
    let state = this.states.get(name);
    if (state === undefined) {
      state = {
        started: false,
        done: false,
        skipped: false,
        undone: false,
        output: undefined,
        startedAt: performance.now(),
      };
      this.states.set(name, state);
    }
    return state;
  }

  /** The first step that has neither been done nor skipped. */
  next(steps: readonly SagaStep<unknown>[]): SagaStep<unknown> | null {
    return steps.find((step) => !this.of(step.name).done && !this.of(step.name).skipped) ?? null;
  }

  /** Takes in one journaled event. */
  apply({ node, event, output, age_ms: age }: EventRow): void {
    const state = this.of(node);
    if (event === 'started') {
      state.started = true;
      state.startedAt = performance.now() - age;
    } else if (event === 'done') {
      state.done = true;
      state.output = output;
    } else if (event === 'skipped') state.skipped = true;
    else if (event === 'undone') state.undone = true;
  }
}
