import type { Entry } from './journal';
import type { Nodes } from './nodes';
import type { SagaStep } from './surface';

type Step = SagaStep<unknown>;

/** Events that go into the journal together, and what holds of the run once they are there. */
export class Batch {
  readonly entries: Entry[] = [];
  /** The step whose condition could not be told. */
  failing: Step | null = null;
  private readonly outputs = new Map<string, unknown>();
  private readonly passed = new Set<string>();

  constructor(
    private readonly nodes: Nodes,
    private readonly steps: readonly Step[],
    private readonly wanted: (step: Step, batch: Batch) => boolean,
  ) {}

  copy(): Batch {
    const copy = new Batch(this.nodes, this.steps, this.wanted);
    copy.entries.push(...this.entries);
    for (const [name, output] of this.outputs) copy.outputs.set(name, output);
    for (const name of this.passed) copy.passed.add(name);
    return copy;
  }

  done(step: Step, output: unknown): void {
    this.entries.push({ node: step.name, event: 'done', output });
    this.outputs.set(step.name, output);
    this.passed.add(step.name);
  }

  start(step: Step): void {
    if (!this.nodes.of(step.name).started) this.entries.push({ node: step.name, event: 'started' });
  }

  /** The step that comes next; those that shall not run are noted as skipped. */
  next(): Step | null {
    for (const step of this.steps) {
      const state = this.nodes.of(step.name);
      if (state.done || state.skipped || this.passed.has(step.name)) continue;
      this.failing = step;
      const wanted = state.started || step.when === undefined || this.wanted(step, this);
      this.failing = null;
      if (wanted) return step;
      this.entries.push({ node: step.name, event: 'skipped' });
      this.passed.add(step.name);
    }
    return null;
  }

  has(name: string): boolean {
    return this.outputs.has(name);
  }

  output(name: string): unknown {
    return this.outputs.get(name);
  }
}
