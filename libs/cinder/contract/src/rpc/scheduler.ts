import { defineRpc } from '@nestack/kernel/rpc';
import Type from 'typebox';

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
      args: Type.Object({ volume_id: Type.String() }),
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
