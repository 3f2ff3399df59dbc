import { defineRpc } from '@nestack/kernel/rpc';
import Type from 'typebox';
import { ConnectionInfo, DiskSource, GuestVolume, InstanceSpec, Nic } from './types';

const Uuid = Type.String();
const Power = Type.Object({ power_state: Type.Integer() });
/** How long commands to hosts wait for their answer at most. */
export const COMPUTE_COMMAND_MS = 900_000;
const LONG = COMPUTE_COMMAND_MS;

/**
 * What nova-compute does on its host, sent to `compute.<host>`. Every method is idempotent: it makes what it names true
 * and answers the same when it already is; so sagas repeat it until an answer comes.
 */
export const ComputeRpc = defineRpc({
  exchange: 'nova',
  topic: 'compute',
  version: '6.0',
  methods: {
    /** Ensures the guest runs as specified: image in the cache, disk, taps, config drive, domain. Replaces nothing that runs already. */
    build_and_run_instance: {
      kind: 'call',
      since: '6.0',
      idempotent: true,
      timeoutMs: LONG,
      args: Type.Object({ instance: InstanceSpec }),
      reply: Type.Object({ power_state: Type.Integer(), root_device_name: Type.String() }),
    },
    /** Ensures that nothing of the guest is left on the host: domain, disks, config drive, console log, taps, volume connections. */
    terminate_instance: {
      kind: 'call',
      since: '6.0',
      idempotent: true,
      timeoutMs: LONG,
      args: Type.Object({ instance_uuid: Uuid, nics: Type.Array(Nic), volumes: Type.Array(GuestVolume) }),
    },
    /** Starts a guest that is off; redefines it from the specification when the host lost it but has its disk. */
    start_instance: {
      kind: 'call',
      since: '6.0',
      idempotent: true,
      timeoutMs: LONG,
      args: Type.Object({ instance: InstanceSpec }),
      reply: Power,
    },
    /** ACPI power-off, then the plug after `timeout_s`. */
    stop_instance: {
      kind: 'call',
      since: '6.0',
      idempotent: true,
      timeoutMs: LONG,
      args: Type.Object({ instance_uuid: Uuid, clean_shutdown: Type.Boolean(), timeout_s: Type.Integer() }),
      reply: Power,
    },
    /** Soft asks the guest (falling back to hard after `timeout_s`), hard destroys and starts anew. Repeated with the same message id it reboots once. */
    reboot_instance: {
      kind: 'call',
      since: '6.0',
      idempotent: true,
      timeoutMs: LONG,
      args: Type.Object({
        instance: InstanceSpec,
        reboot_type: Type.Union([Type.Literal('SOFT'), Type.Literal('HARD')]),
        timeout_s: Type.Integer(),
      }),
      reply: Power,
    },
    pause_instance: {
      kind: 'call',
      since: '6.0',
      idempotent: true,
      args: Type.Object({ instance_uuid: Uuid }),
      reply: Power,
    },
    unpause_instance: {
      kind: 'call',
      since: '6.0',
      idempotent: true,
      args: Type.Object({ instance_uuid: Uuid }),
      reply: Power,
    },
    /** Interrupts a running guest so that it writes its memory down. Repeated with the same message id it does so once. */
    trigger_crash_dump: {
      kind: 'call',
      since: '6.0',
      idempotent: true,
      args: Type.Object({ instance_uuid: Uuid }),
    },
    /** Writes the guest's memory to disk and ends its process. */
    suspend_instance: {
      kind: 'call',
      since: '6.0',
      idempotent: true,
      timeoutMs: LONG,
      args: Type.Object({ instance_uuid: Uuid }),
      reply: Power,
    },
    resume_instance: {
      kind: 'call',
      since: '6.0',
      idempotent: true,
      timeoutMs: LONG,
      args: Type.Object({ instance: InstanceSpec }),
      reply: Power,
    },
    /** Ensures the guest runs from a fresh disk of its rescue image, its own disk beside it. */
    rescue_instance: {
      kind: 'call',
      since: '6.0',
      idempotent: true,
      timeoutMs: LONG,
      args: Type.Object({ instance: InstanceSpec }),
      reply: Power,
    },
    /** Ensures the guest runs from its own disk again and nothing of the rescue is left. */
    unrescue_instance: {
      kind: 'call',
      since: '6.0',
      idempotent: true,
      timeoutMs: LONG,
      args: Type.Object({ instance: InstanceSpec }),
      reply: Power,
    },
    /** Replaces the guest's disks by fresh ones of its image and starts it; volumes and NICs stay. Repeated with the same message id it does so once. */
    rebuild_instance: {
      kind: 'call',
      since: '6.0',
      idempotent: true,
      timeoutMs: LONG,
      args: Type.Object({ instance: InstanceSpec }),
      reply: Type.Object({ power_state: Type.Integer(), root_device_name: Type.String() }),
    },
    /** Throws what makes it impossible that the guest moves here with these sizes; nothing is left that would have to be taken back. */
    prep_resize: {
      kind: 'call',
      since: '6.0',
      idempotent: true,
      timeoutMs: LONG,
      args: Type.Object({ instance: InstanceSpec, migration_uuid: Uuid }),
      reply: Type.Object({ host_ip: Type.String() }),
    },
    /** On the host that the guest leaves: ensures that it is shut down and its disks are set aside under the migration's uuid. */
    resize_instance: {
      kind: 'call',
      since: '6.0',
      idempotent: true,
      timeoutMs: LONG,
      args: Type.Object({
        instance_uuid: Uuid,
        nics: Type.Array(Nic),
        migration_uuid: Uuid,
        dest_host: Type.String(),
        timeout_s: Type.Integer(),
      }),
    },
    /** On the host that the guest goes to: ensures that it has its disks, fetched from `source_host`, in the sizes of its specification; it runs if it shall. */
    finish_resize: {
      kind: 'call',
      since: '6.0',
      idempotent: true,
      timeoutMs: LONG,
      args: Type.Object({
        instance: InstanceSpec,
        migration_uuid: Uuid,
        source_host: Type.String(),
        running: Type.Boolean(),
      }),
      reply: Power,
    },
    /** Asked by the host that a guest goes to: where the disks that were set aside can be read, once, with the secret of this answer. */
    open_disks: {
      kind: 'call',
      since: '6.0',
      idempotent: true,
      args: Type.Object({ instance_uuid: Uuid, migration_uuid: Uuid }),
      reply: DiskSource,
    },
    /** On the host that the guest had gone to: ensures that it does not run there, and that nothing of it is left unless it came from there. */
    revert_resize: {
      kind: 'call',
      since: '6.0',
      idempotent: true,
      timeoutMs: LONG,
      args: Type.Object({
        instance_uuid: Uuid,
        nics: Type.Array(Nic),
        migration_uuid: Uuid,
        source_host: Type.String(),
      }),
    },
    /** On the host that the guest had left: ensures that it has the disks that were set aside, and the sizes of its specification; it runs if it shall. */
    finish_revert_resize: {
      kind: 'call',
      since: '6.0',
      idempotent: true,
      timeoutMs: LONG,
      args: Type.Object({ instance: InstanceSpec, migration_uuid: Uuid, running: Type.Boolean() }),
      reply: Power,
    },
    /** On the host that the guest left: ensures that what was set aside is gone, and all else of the guest if it went elsewhere. */
    confirm_resize: {
      kind: 'call',
      since: '6.0',
      idempotent: true,
      timeoutMs: LONG,
      args: Type.Object({
        instance_uuid: Uuid,
        nics: Type.Array(Nic),
        migration_uuid: Uuid,
        dest_host: Type.String(),
      }),
    },
    /** Ensures a whole copy of the guest's disk as it is now lies on the host; a guest that runs goes on running. */
    snapshot_instance: {
      kind: 'call',
      since: '6.0',
      idempotent: true,
      timeoutMs: LONG,
      args: Type.Object({ instance_uuid: Uuid, image_id: Uuid, running: Type.Boolean() }),
    },
    /** Ensures the copy is in glance as the image's data. */
    upload_snapshot: {
      kind: 'call',
      since: '6.0',
      idempotent: true,
      timeoutMs: LONG,
      args: Type.Object({ instance_uuid: Uuid, image_id: Uuid }),
    },
    /** Removes the copy; a guest that was halted for it goes on. */
    remove_snapshot: {
      kind: 'call',
      since: '6.0',
      idempotent: true,
      args: Type.Object({ instance_uuid: Uuid, image_id: Uuid, running: Type.Boolean() }),
    },
    /** The last `tail_length` lines of the serial console (all that is kept when null). */
    get_console_output: {
      kind: 'call',
      since: '6.0',
      idempotent: true,
      args: Type.Object({ instance_uuid: Uuid, tail_length: Type.Union([Type.Integer(), Type.Null()]) }),
      reply: Type.Object({ output: Type.String() }),
    },
    /**
     * Where the host leads to the guest's screen: with `CONNECT <internal_access_path>` on this address, as long as the guest
     * runs as it does now. Throws ConsoleTypeUnavailable, ConsoleNotReady.
     */
    get_vnc_console: {
      kind: 'call',
      since: '6.0',
      idempotent: true,
      args: Type.Object({ instance_uuid: Uuid, console_type: Type.String() }),
      reply: Type.Object({ host: Type.String(), port: Type.Integer(), internal_access_path: Type.String() }),
    },
    get_diagnostics: {
      kind: 'call',
      since: '6.0',
      idempotent: true,
      args: Type.Object({ instance_uuid: Uuid }),
      reply: Type.Object({ diagnostics: Type.Record(Type.String(), Type.Unknown()) }),
    },
    /** What cinder needs to know of the host to export a volume to it. */
    get_volume_connector: {
      kind: 'call',
      since: '6.0',
      idempotent: true,
      args: Type.Object({}),
      reply: Type.Object({ connector: Type.Record(Type.String(), Type.Unknown()) }),
    },
    attach_volume: {
      kind: 'call',
      since: '6.0',
      idempotent: true,
      timeoutMs: LONG,
      args: Type.Object({
        instance_uuid: Uuid,
        volume_id: Uuid,
        device: Type.Union([Type.String(), Type.Null()]),
        connection_info: ConnectionInfo,
      }),
      reply: Type.Object({ device: Type.String() }),
    },
    /** Ensures the disk is out of the guest. */
    detach_volume: {
      kind: 'call',
      since: '6.0',
      idempotent: true,
      timeoutMs: LONG,
      args: Type.Object({
        instance_uuid: Uuid,
        volume_id: Uuid,
        connection_info: Type.Union([ConnectionInfo, Type.Null()]),
      }),
    },
    /**
     * Ensures that the guest's disk is the new volume, with what was on the old one if it runs; the guest goes on meanwhile.
     * Fails with the old one in place.
     */
    swap_volume: {
      kind: 'call',
      since: '6.0',
      idempotent: true,
      timeoutMs: LONG,
      args: Type.Object({
        instance_uuid: Uuid,
        old_volume_id: Uuid,
        new_volume_id: Uuid,
        connection_info: ConnectionInfo,
        /** Bytes. */
        new_size: Type.Integer(),
      }),
    },
    /** Ensures the guest, if it runs, uses this connection of a volume of its and sees a disk of this many bytes; never a smaller one. */
    extend_volume: {
      kind: 'call',
      since: '6.0',
      idempotent: true,
      timeoutMs: LONG,
      args: Type.Object({
        instance_uuid: Uuid,
        volume_id: Uuid,
        connection_info: ConnectionInfo,
        new_size: Type.Integer(),
      }),
    },
    attach_interface: {
      kind: 'call',
      since: '6.0',
      idempotent: true,
      timeoutMs: LONG,
      args: Type.Object({ instance_uuid: Uuid, nic: Nic }),
    },
    detach_interface: {
      kind: 'call',
      since: '6.0',
      idempotent: true,
      timeoutMs: LONG,
      args: Type.Object({ instance_uuid: Uuid, nic: Nic }),
    },
    /** Has the host fetch images into its cache, for servers to come. What cannot be fetched at the moment is tried again. */
    cache_images: {
      kind: 'cast',
      since: '6.0',
      args: Type.Object({ image_ids: Type.Array(Uuid) }),
    },
    get_host_uptime: {
      kind: 'call',
      since: '6.0',
      idempotent: true,
      args: Type.Object({}),
      reply: Type.Object({ uptime: Type.String() }),
    },
  },
});
