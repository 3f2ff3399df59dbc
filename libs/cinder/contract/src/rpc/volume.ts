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
    /** Ensures the volume's data are those of an image, whatever they were. The volume is not in use. */
    reimage: {
      kind: 'call',
      since: '3.16',
      idempotent: true,
      timeoutMs: LONG,
      args: Type.Object({ volume_id: Type.String(), image_id: Type.String() }),
      reply: Type.Object({ image_metadata: Type.Record(Type.String(), Type.String()) }),
    },
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
    /** Gives a volume the content of a snapshot. */
    revert_to_snapshot: {
      kind: 'call',
      since: '3.16',
      idempotent: true,
      timeoutMs: LONG,
      args: Type.Object({ volume_id: Type.String(), snapshot_id: Type.String() }),
    },
    /** Ensures a copy of the volume's data on another backend (`host@backend#pool`) of the same host. */
    migrate_volume: {
      kind: 'call',
      since: '3.16',
      idempotent: true,
      timeoutMs: LONG,
      args: Type.Object({ volume_id: Type.String(), host: Type.String() }),
    },
    /** Ensures that a backend has nothing of a volume that is on another one. */
    delete_volume_copy: {
      kind: 'call',
      since: '3.16',
      idempotent: true,
      timeoutMs: LONG,
      args: Type.Object({ volume_id: Type.String(), host: Type.String() }),
    },
    /** GiB of a volume that is on a backend and not cinder's yet. */
    manage_existing_get_size: {
      kind: 'call',
      since: '3.16',
      idempotent: true,
      timeoutMs: 60_000,
      args: Type.Object({ host: Type.String(), name: Type.String() }),
      reply: Type.Object({ size: Type.Integer() }),
    },
    manage_existing: {
      kind: 'call',
      since: '3.16',
      idempotent: true,
      timeoutMs: 60_000,
      args: Type.Object({ volume_id: Type.String(), name: Type.String() }),
    },
    manage_existing_snapshot: {
      kind: 'call',
      since: '3.16',
      idempotent: true,
      timeoutMs: 60_000,
      args: Type.Object({ snapshot_id: Type.String(), name: Type.String() }),
    },
    /** What a backend has, and what of it is cinder's. */
    get_manageable: {
      kind: 'call',
      since: '3.16',
      idempotent: true,
      timeoutMs: 60_000,
      args: Type.Object({
        host: Type.String(),
        kind: Type.Union([Type.Literal('volume'), Type.Literal('snapshot')]),
      }),
      reply: Type.Array(
        Type.Object({
          name: Type.String(),
          size: Type.Integer(),
          cinder_id: Type.Union([Type.String(), Type.Null()]),
        }),
      ),
    },
    /** Holds what is backed up still, and says where it can be read on this host. */
    get_backup_device: {
      kind: 'call',
      since: '3.16',
      idempotent: true,
      timeoutMs: LONG,
      args: Type.Object({ backup_id: Type.String() }),
      reply: Type.Object({ path: Type.String() }),
    },
    remove_backup_device: {
      kind: 'call',
      since: '3.16',
      idempotent: true,
      timeoutMs: LONG,
      args: Type.Object({ backup_id: Type.String() }),
    },
    /** Says where a volume can be written on this host. */
    get_restore_device: {
      kind: 'call',
      since: '3.16',
      idempotent: true,
      timeoutMs: 60_000,
      args: ById,
      reply: Type.Object({ path: Type.String() }),
    },
    remove_restore_device: { kind: 'call', since: '3.16', idempotent: true, timeoutMs: 60_000, args: ById },
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
