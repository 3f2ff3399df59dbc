import { defineRpc } from '@nestack/kernel/rpc';
import Type, { type Static } from 'typebox';
import { FlavorSnapshot } from './types';

/** What the scheduler must know of a request. */
export const RequestSpec = Type.Object({
  instance_uuid: Type.String(),
  project_id: Type.String(),
  user_id: Type.String(),
  flavor: FlavorSnapshot,
  /** Disk that the guest takes on the host; 0 when it boots from a volume. */
  root_gb_on_host: Type.Integer(),
  /** Absent when it boots from a volume. */
  image_id: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  image_properties: Type.Record(Type.String(), Type.Unknown()),
  availability_zone: Type.Union([Type.String(), Type.Null()]),
  force_host: Type.Union([Type.String(), Type.Null()]),
  /** The only host that may be chosen, if it passes the filters like any other. upstream: requested_destination */
  requested_host: Type.Optional(Type.String()),
  /** Hosts that failed it already. */
  ignore_hosts: Type.Array(Type.String()),
  scheduler_hints: Type.Record(Type.String(), Type.Unknown()),
  /**
   * `rebuild`: only whether the host where the server is (`requested_host`) may have it with this image; nothing is claimed.
   * upstream: the hint _nova_check_type, which users could give as well
   */
  check_type: Type.Optional(Type.Literal('rebuild')),
});
export type RequestSpec = Static<typeof RequestSpec>;

/** A chosen host, its resources already claimed in Placement under the instance's uuid. */
export const Selection = Type.Object({
  service_host: Type.String(),
  nodename: Type.String(),
  compute_node_uuid: Type.String(),
  availability_zone: Type.String(),
});
export type Selection = Static<typeof Selection>;

/** A host that is not claimed, with what claims it. Tried when the chosen one fails. */
export const Alternate = Type.Object({ ...Selection.properties, allocation_request: Type.Unknown() });
export type Alternate = Static<typeof Alternate>;

export const SchedulerRpc = defineRpc({
  exchange: 'nova',
  topic: 'scheduler',
  version: '4.5',
  methods: {
    /** Filters and weighs the hosts and claims the best in Placement, atomically; repeated, it returns the claim it made. NoValidHost when none is left. */
    select_destinations: {
      kind: 'call',
      since: '4.5',
      idempotent: true,
      timeoutMs: 60_000,
      args: Type.Object({
        request_spec: RequestSpec,
        /** How many are wanted beside the chosen one. */
        alternates: Type.Optional(Type.Integer({ minimum: 0 })),
      }),
      reply: Type.Object({ selection: Selection, alternates: Type.Optional(Type.Array(Alternate)) }),
    },
  },
});
