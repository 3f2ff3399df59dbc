import { defineRpc } from '@nestack/kernel/rpc';
import Type from 'typebox';
import { GuestVolume, HostFacts, InstanceSpec, Nic } from './types';

/** What nova-compute asks of the service's database, which it cannot see. */
export const ConductorRpc = defineRpc({
  exchange: 'nova',
  topic: 'conductor',
  version: '3.0',
  methods: {
    /** A host comes up or its facts changed: upserts its service and compute node, and its resource provider in Placement. */
    compute_host_up: {
      kind: 'call',
      since: '3.0',
      idempotent: true,
      args: Type.Object({ host: Type.String(), facts: HostFacts }),
      reply: Type.Object({ compute_node_uuid: Type.String() }),
    },
    /** Heartbeat of a service; it counts as up for 60 s after it. */
    report_service_state: {
      kind: 'cast',
      since: '3.0',
      args: Type.Object({ host: Type.String(), binary: Type.String(), topic: Type.String() }),
    },
    /** The guests that shall be on a host, for its reconciliation after a restart: absent here means to be removed there, when `known` says that it was nova's. */
    instances_of_host: {
      kind: 'call',
      since: '3.0',
      idempotent: true,
      args: Type.Object({ host: Type.String(), present: Type.Array(Type.String()) }),
      reply: Type.Object({
        instances: Type.Array(
          Type.Object({
            instance: InstanceSpec,
            vm_state: Type.String(),
            task_state: Type.Union([Type.String(), Type.Null()]),
            /** Whether the guest shall run when no operation is under way. */
            should_run: Type.Boolean(),
            busy: Type.Boolean(),
          }),
        ),
        /** Of `present`: guests that belong nowhere any more (deleted) or to another host. */
        orphans: Type.Array(
          Type.Object({ uuid: Type.String(), nics: Type.Array(Nic), volumes: Type.Array(GuestVolume) }),
        ),
        /** Guests that an operation is at work on: where they belong is known when it is over. */
        undecided: Type.Array(Type.String()),
      }),
    },
    /**
     * Whether a guest still belongs on a host: asked before a command is carried out that has waited long for its host. With
     * a migration: whether that is still under way, from or to this host.
     */
    guest_wanted: {
      kind: 'call',
      since: '3.0',
      idempotent: true,
      args: Type.Object({
        host: Type.String(),
        instance_uuid: Type.String(),
        migration_uuid: Type.Optional(Type.String()),
      }),
      reply: Type.Object({ wanted: Type.Boolean() }),
    },
    /** A guest's power state changed by itself (powered off inside, crashed, started by its host). */
    power_state_changed: {
      kind: 'cast',
      since: '3.0',
      args: Type.Object({
        host: Type.String(),
        instance_uuid: Type.String(),
        power_state: Type.Integer(),
        at: Type.String(),
      }),
    },
  },
});
