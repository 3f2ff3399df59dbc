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
  },
});
