import Type from 'typebox';
import { ImageOfInstance } from './rpc/types';

const Uuid = Type.String();

/** Of operations that move a server. */
export const MoveParams = Type.Object({
  instance_uuid: Uuid,
  migration_uuid: Uuid,
  stale: Type.Array(Uuid),
  /** Hosts that it must not go to. */
  ignore_hosts: Type.Array(Type.String()),
  /** The only one that it may go to. */
  requested_host: Type.Union([Type.String(), Type.Null()]),
});

/**
 * The long operations of nova: kind, parameters and instance action, started by nova-api in the transaction that sets
 * the states, run by nova-conductor. All else they need is in the schema.
 */
export const NovaSagas = {
  serverCreate: { kind: 'server.create', action: 'create', params: Type.Object({ instance_uuid: Uuid }) },
  serverDelete: { kind: 'server.delete', action: 'delete', params: Type.Object({ instance_uuid: Uuid }) },
  serverStart: { kind: 'server.start', action: 'start', params: Type.Object({ instance_uuid: Uuid }) },
  serverStop: { kind: 'server.stop', action: 'stop', params: Type.Object({ instance_uuid: Uuid }) },
  serverReboot: {
    kind: 'server.reboot',
    action: 'reboot',
    params: Type.Object({ instance_uuid: Uuid, type: Type.Union([Type.Literal('SOFT'), Type.Literal('HARD')]) }),
  },
  serverPause: { kind: 'server.pause', action: 'pause', params: Type.Object({ instance_uuid: Uuid }) },
  serverUnpause: { kind: 'server.unpause', action: 'unpause', params: Type.Object({ instance_uuid: Uuid }) },
  crashDump: {
    kind: 'server.trigger_crash_dump',
    action: 'trigger_crash_dump',
    params: Type.Object({ instance_uuid: Uuid }),
  },
  serverSuspend: { kind: 'server.suspend', action: 'suspend', params: Type.Object({ instance_uuid: Uuid }) },
  serverResume: { kind: 'server.resume', action: 'resume', params: Type.Object({ instance_uuid: Uuid }) },
  /** What is rescued with is kept in the instance's request; `was` is where a failure leads back to. */
  serverRescue: {
    kind: 'server.rescue',
    action: 'rescue',
    params: Type.Object({ instance_uuid: Uuid, was: Type.String() }),
  },
  serverUnrescue: { kind: 'server.unrescue', action: 'unrescue', params: Type.Object({ instance_uuid: Uuid }) },
  /** The instance has its new image already; a server that was stopped is stopped again. `reimage` puts an image on the volume that is its root. */
  serverRebuild: {
    kind: 'server.rebuild',
    action: 'rebuild',
    params: Type.Object({
      instance_uuid: Uuid,
      stopped: Type.Boolean(),
      preserve_ephemeral: Type.Boolean(),
      reimage: Type.Optional(Type.Object({ bdm_id: Type.Integer(), volume_id: Uuid, image_id: Uuid })),
      /** With another image: what the server was made of, which it is again when its host may not have the new one. */
      former: Type.Optional(
        Type.Object({
          image: Type.Union([ImageOfInstance, Type.Null()]),
          root_image_properties: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
        }),
      ),
    }),
  },
  /**
   * The migration's row has both flavors; the old one is claimed under its uuid until the move is confirmed. `stale` ones
   * were left by a reset of the server's state.
   */
  serverResize: { kind: 'server.resize', action: 'resize', params: MoveParams },
  /** The same with one flavor: a cold migration. */
  serverMigrate: { kind: 'server.migrate', action: 'migrate', params: MoveParams },
  confirmResize: {
    kind: 'server.confirm_resize',
    action: 'confirmResize',
    params: Type.Object({ instance_uuid: Uuid, migration_uuid: Uuid }),
  },
  revertResize: {
    kind: 'server.revert_resize',
    action: 'revertResize',
    params: Type.Object({ instance_uuid: Uuid, migration_uuid: Uuid }),
  },
  /** Without an image for servers whose root is a volume. */
  serverShelve: {
    kind: 'server.shelve',
    action: 'shelve',
    params: Type.Object({
      instance_uuid: Uuid,
      was: Type.String(),
      image_id: Type.Union([Uuid, Type.Null()]),
      image: Type.Record(Type.String(), Type.Unknown()),
    }),
  },
  /** One that is kept on its host leaves it. */
  shelveOffload: {
    kind: 'server.shelve_offload',
    action: 'shelveOffload',
    params: Type.Object({ instance_uuid: Uuid }),
  },
  /** One that is kept on its host starts there. */
  unshelveKept: { kind: 'server.unshelve_kept', action: 'unshelve', params: Type.Object({ instance_uuid: Uuid }) },
  serverUnshelve: {
    kind: 'server.unshelve',
    action: 'unshelve',
    params: Type.Object({ instance_uuid: Uuid, host: Type.Union([Type.String(), Type.Null()]) }),
  },
  /** The image as glance's create takes it; its id is chosen by the request that starts the operation. */
  createImage: {
    kind: 'server.create_image',
    action: 'createImage',
    params: Type.Object({
      instance_uuid: Uuid,
      image_id: Uuid,
      image: Type.Record(Type.String(), Type.Unknown()),
    }),
  },
  /** The same, and of the backups of this type of the server only the newest `rotation` are kept. */
  createBackup: {
    kind: 'server.create_backup',
    action: 'createBackup',
    params: Type.Object({
      instance_uuid: Uuid,
      image_id: Uuid,
      image: Type.Record(Type.String(), Type.Unknown()),
      backup_type: Type.String(),
      rotation: Type.Integer({ minimum: 0 }),
    }),
  },
  /** The same of a server that boots from a volume: an image without data that names snapshots of its volumes. */
  createVolumeImage: {
    kind: 'server.create_volume_image',
    action: 'createImage',
    params: Type.Object({
      instance_uuid: Uuid,
      image_id: Uuid,
      image: Type.Record(Type.String(), Type.Unknown()),
    }),
  },
  /** The block device mapping and the cinder attachment (reserved) exist when it starts. */
  attachVolume: {
    kind: 'server.attach_volume',
    action: 'attach_volume',
    params: Type.Object({ instance_uuid: Uuid, volume_id: Uuid, bdm_id: Type.Integer() }),
  },
  detachVolume: {
    kind: 'server.detach_volume',
    action: 'detach_volume',
    params: Type.Object({ instance_uuid: Uuid, volume_id: Uuid, bdm_id: Type.Integer() }),
  },
  /** Another volume takes the place of `volume_id`; what the request did of it is told by an event under the new one's id. */
  swapVolume: {
    kind: 'server.swap_volume',
    action: 'swap_volume',
    params: Type.Object({ instance_uuid: Uuid, volume_id: Uuid, new_volume_id: Uuid, bdm_id: Type.Integer() }),
  },
  /** Not an action of users': a reservation that cinder makes after the operation that asked for it was undone is ended. */
  lateReservation: {
    kind: 'server.late_reservation',
    params: Type.Object({ instance_uuid: Uuid, volume_id: Uuid }),
  },
  /** Cinder has made the volume larger. */
  extendVolume: {
    kind: 'server.extend_volume',
    action: 'extend_volume',
    params: Type.Object({ instance_uuid: Uuid, volume_id: Uuid }),
  },
  /** The request makes or takes the port and tells by an event under `key`: the id of a port that there is, or what one that is made is found by. */
  attachInterface: {
    kind: 'server.attach_interface',
    action: 'attach_interface',
    params: Type.Object({ instance_uuid: Uuid, key: Uuid }),
  },
  detachInterface: {
    kind: 'server.detach_interface',
    action: 'detach_interface',
    params: Type.Object({ instance_uuid: Uuid, port_id: Uuid }),
  },
} as const;
