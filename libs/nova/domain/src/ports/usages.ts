import type { Tx } from '@nestack/kernel/context';
import type { Instance } from '../instance';

/** A server that was launched, deleted or not. */
export interface ServedInstance extends Pick<
  Instance,
  'uuid' | 'project_id' | 'display_name' | 'flavor' | 'vm_state' | 'terminated_at'
> {
  readonly launched_at: Date;
}

/** Servers that were there at some time between `start` and `end`; a project of null means all. */
export interface ServedQuery {
  readonly project_id: string | null;
  readonly start: Date;
  readonly end: Date;
  readonly limit: number;
  readonly marker?: string;
}

export interface UsageRepository {
  /** By project and id. Throws MarkerNotFound. */
  served(tx: Tx, query: ServedQuery): Promise<readonly ServedInstance[]>;
}
