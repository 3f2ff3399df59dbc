import type { RequestContext } from '@nestack/kernel/context';

/** What nova is told of a server's port. upstream: neutron/notifiers/nova.py */
export interface ComputeEvent {
  readonly name: 'network-vif-plugged' | 'network-vif-unplugged' | 'network-vif-deleted' | 'network-changed';
  readonly server_uuid: string;
  /** The port; for `network-changed` of a floating IP its address. */
  readonly tag: string;
  readonly status: 'completed' | 'failed';
}

/** Nova, as neutron tells it. */
export interface ComputePort {
  /**
   * Delivers events. Resolves when nova has them or does not know the servers (any more); throws `unavailable` when it has to
   * be tried again.
   */
  notify(ctx: RequestContext, events: readonly ComputeEvent[]): Promise<void>;
}

export const COMPUTE_PORT = Symbol('ComputePort');
