import { defineRpc } from '@nestack/kernel/rpc';
import Type from 'typebox';

/** Volumes whose backends a new one shall be on, or not on. */
export const SchedulerHints = Type.Object({
  same_host: Type.Optional(Type.Array(Type.String())),
  different_host: Type.Optional(Type.Array(Type.String())),
});

/** cinder-scheduler: chooses the backend of a volume among those that report capacity. */
export const SchedulerRpc = defineRpc({
  exchange: 'cinder',
  topic: 'scheduler',
  version: '3.12',
  methods: {
    /** Answers a backend with room for the volume: `host@backend#pool`. NoValidBackend when there is none. */
    create_volume: {
      kind: 'call',
      since: '3.0',
      idempotent: true,
      timeoutMs: 20_000,
      args: Type.Object({ volume_id: Type.String(), hints: Type.Optional(SchedulerHints) }),
      reply: Type.Object({ host: Type.String() }),
    },
    /** Answers the pool that a volume goes to: the named one, or one that suits a type; NoValidBackend when there is none. */
    migrate_volume: {
      kind: 'call',
      since: '3.12',
      idempotent: true,
      timeoutMs: 20_000,
      args: Type.Object({
        volume_id: Type.String(),
        host: Type.Union([Type.String(), Type.Null()]),
        volume_type_id: Type.Union([Type.String(), Type.Null()]),
      }),
      reply: Type.Object({ host: Type.String() }),
    },
    /** Answers the host of the cinder-backup that can read what is backed up. */
    create_backup: {
      kind: 'call',
      since: '3.12',
      idempotent: true,
      timeoutMs: 20_000,
      args: Type.Object({ backup_id: Type.String() }),
      reply: Type.Object({ host: Type.String() }),
    },
    /** Answers a backend that can have the group and volumes of all its types. NoValidBackend when there is none. */
    create_group: {
      kind: 'call',
      since: '3.12',
      idempotent: true,
      timeoutMs: 20_000,
      args: Type.Object({ group_id: Type.String() }),
      reply: Type.Object({ host: Type.String() }),
    },
  },
});
