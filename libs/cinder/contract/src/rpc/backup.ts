import { defineRpc } from '@nestack/kernel/rpc';
import Type from 'typebox';

const LONG = 6 * 3_600_000;

/** cinder-backup on one host, sent to `backup.<host>`. All methods make what they name true and may be repeated. */
export const BackupRpc = defineRpc({
  exchange: 'cinder',
  topic: 'backup',
  version: '2.4',
  methods: {
    /** Ensures a backup of what can be read at a path, and says where it is. */
    create_backup: {
      kind: 'call',
      since: '2.0',
      idempotent: true,
      timeoutMs: LONG,
      args: Type.Object({ backup_id: Type.String(), path: Type.String() }),
      reply: Type.Object({ container: Type.String(), service_metadata: Type.String(), object_count: Type.Integer() }),
    },
    /** Writes a backup, and all that it builds on, to a path; answers what it knows of the volume. */
    restore_backup: {
      kind: 'call',
      since: '2.0',
      idempotent: true,
      timeoutMs: LONG,
      args: Type.Object({ backup_id: Type.String(), path: Type.String(), volume_is_new: Type.Boolean() }),
      reply: Type.Object({ volume_meta: Type.Union([Type.String(), Type.Null()]) }),
    },
    /** Ensures that nothing of a backup is left. */
    delete_backup: {
      kind: 'call',
      since: '2.0',
      idempotent: true,
      timeoutMs: LONG,
      args: Type.Object({ backup_id: Type.String() }),
    },
  },
});
