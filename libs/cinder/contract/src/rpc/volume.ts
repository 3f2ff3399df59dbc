import { defineRpc } from '@nestack/kernel/rpc';
import Type from 'typebox';
import { ConnectionInfo } from '../connection-info';

const ById = Type.Object({ volume_id: Type.String() });
const LONG = 1_800_000;

/** cinder-volume on one host, sent to `volume.<host>`. All methods make what they name true and may be repeated. */
export const VolumeRpc = defineRpc({
  exchange: 'cinder',
  topic: 'volume',
  version: '3.16',
  methods: {
    /** Ensures the volume's data: empty, from its image, its snapshot or its source volume. */
    create_volume: {
      kind: 'call',
      since: '3.0',
      idempotent: true,
      timeoutMs: LONG,
      args: ById,
      reply: Type.Object({ image_metadata: Type.Union([Type.Record(Type.String(), Type.String()), Type.Null()]) }),
    },
    /** Ensures that nothing of the volume is left, its export included. */
    delete_volume: { kind: 'call', since: '3.0', idempotent: true, timeoutMs: LONG, args: ById },
    extend_volume: {
      kind: 'call',
      since: '3.0',
      idempotent: true,
      timeoutMs: LONG,
      args: Type.Object({ volume_id: Type.String(), new_size: Type.Integer() }),
    },
    /** Ensures the volume's export for a host and says how to connect. */
    initialize_connection: {
      kind: 'call',
      since: '3.0',
      idempotent: true,
      timeoutMs: 60_000,
      args: Type.Object({ volume_id: Type.String(), connector: Type.Record(Type.String(), Type.Unknown()) }),
      reply: ConnectionInfo,
    },
    /** Ends the export when no attachment needs it any more. */
    terminate_connection: { kind: 'call', since: '3.0', idempotent: true, timeoutMs: 60_000, args: ById },
    create_snapshot: {
      kind: 'call',
      since: '3.0',
      idempotent: true,
      timeoutMs: LONG,
      args: Type.Object({ snapshot_id: Type.String() }),
    },
    delete_snapshot: {
      kind: 'call',
      since: '3.0',
      idempotent: true,
      timeoutMs: LONG,
      args: Type.Object({ snapshot_id: Type.String() }),
    },
    /** Ensures snapshots of all volumes of a group, taken at one moment. */
    create_group_snapshot: {
      kind: 'call',
      since: '3.16',
      idempotent: true,
      timeoutMs: LONG,
      args: Type.Object({ group_snapshot_id: Type.String() }),
    },
    /** Writes the volume's content into a queued image. */
    copy_volume_to_image: {
      kind: 'call',
      since: '3.0',
      idempotent: true,
      timeoutMs: LONG,
      args: Type.Object({ volume_id: Type.String(), image_id: Type.String(), disk_format: Type.String() }),
    },
  },
});
