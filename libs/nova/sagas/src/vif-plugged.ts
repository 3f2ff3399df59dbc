import type { SagaRun, SagaStep } from '@nestack/kernel/saga';
import { NovaError } from '@nestack/nova/contract';
import type { SagaDeps } from './deps';

/** The event by which neutron tells that a port works where it is bound; its tag is the port's id. */
export const VIF_PLUGGED = 'network-vif-plugged';

interface Target {
  readonly instance_uuid: string;
}

/**
 * Waits until neutron has told of all ports of a server that they work. Before ports are bound to another host, what was told
 * of the host before must be forgotten. upstream: nova/virt/libvirt/driver.py _create_guest_with_network
 */
export function vifPlugged<P extends Target>(
  deps: SagaDeps,
  options: {
    readonly when?: (run: SagaRun<P>) => boolean;
    readonly pivot?: boolean;
    /** `continue` where there is no way back: the output is null when neutron says nothing in time, or that it failed. */
    readonly onTimeout?: 'continue';
  } = {},
): SagaStep<P> {
  return {
    type: 'wait',
    name: 'vif_plugged',
    timeoutMs: deps.vifPluggingTimeoutMs,
    ...options,
    check: async (_ctx, tx, run): Promise<{ readonly ports: number } | null | undefined> => {
      const instance = await deps.instances.find(tx, run.params.instance_uuid);
      if (instance === null) throw NovaError.InstanceNotFound({ instance_id: run.params.instance_uuid });
      const plugged = await deps.events.of(tx, instance.uuid, VIF_PLUGGED);
      if (instance.nics.some((nic) => plugged.get(nic.port_id) === 'failed')) {
        if (options.onTimeout === 'continue') return null;
        throw NovaError.Conflict({ reason: VIF_FAILED });
      }
      return instance.nics.every((nic) => plugged.has(nic.port_id)) ? { ports: instance.nics.length } : undefined;
    },
  };
}

/** upstream: VirtualInterfaceCreateException */
export const VIF_FAILED = 'Virtual Interface creation failed';
