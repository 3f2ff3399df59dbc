import type {
  ConnectionInfo,
  FlavorSnapshot,
  HostFacts,
  InstanceSpec,
  Nic,
  PowerState,
  TaskState,
  VmState,
} from '@nestack/nova/contract';

/** What went wrong with an instance, as its `fault` shows it. */
export interface InstanceFault {
  readonly code: number;
  readonly message: string;
  readonly details: string | null;
  /** ISO 8601 */
  readonly created: string;
}

/** An image as frozen into the instance at its creation. */
export type ImageSnapshot = NonNullable<InstanceSpec['image']>;

/** A server. */
export interface Instance {
  readonly uuid: string;
  readonly project_id: string;
  readonly user_id: string;
  readonly display_name: string;
  readonly hostname: string;
  readonly display_description: string | null;
  readonly vm_state: VmState;
  readonly task_state: TaskState | null;
  readonly power_state: PowerState;
  readonly progress: number;
  readonly host: string | null;
  readonly node: string | null;
  readonly availability_zone: string | null;
  readonly launch_index: number;
  readonly reservation_id: string;
  readonly flavor: FlavorSnapshot;
  /** Null when it boots from a volume. */
  readonly image: ImageSnapshot | null;
  readonly key_name: string | null;
  readonly key_data: string | null;
  readonly user_data: string | null;
  readonly config_drive: boolean;
  readonly metadata: Readonly<Record<string, string>>;
  readonly tags: readonly string[];
  readonly access_ip_v4: string | null;
  readonly access_ip_v6: string | null;
  readonly disk_config: 'AUTO' | 'MANUAL';
  readonly locked_by: 'owner' | 'admin' | null;
  readonly locked_reason: string | null;
  readonly root_device_name: string | null;
  /** The ports of the guest as last seen from neutron, in order. */
  readonly nics: readonly Nic[];
  readonly fault: InstanceFault | null;
  readonly request: BootRequest;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly launched_at: Date | null;
  readonly terminated_at: Date | null;
  readonly deleted_at: Date | null;
}

/** What may be changed of an instance. */
export type InstancePatch = Partial<
  Pick<
    Instance,
    | 'display_name'
    | 'hostname'
    | 'display_description'
    | 'vm_state'
    | 'task_state'
    | 'power_state'
    | 'progress'
    | 'host'
    | 'node'
    | 'availability_zone'
    | 'flavor'
    | 'metadata'
    | 'tags'
    | 'access_ip_v4'
    | 'access_ip_v6'
    | 'disk_config'
    | 'image'
    | 'key_name'
    | 'key_data'
    | 'user_data'
    | 'locked_by'
    | 'locked_reason'
    | 'root_device_name'
    | 'nics'
    | 'fault'
    | 'request'
    | 'launched_at'
    | 'terminated_at'
    | 'deleted_at'
  >
>;

/** One wanted NIC. */
export interface NetworkRequest {
  readonly network_id: string | null;
  readonly port_id: string | null;
  readonly fixed_ip: string | null;
  readonly tag: string | null;
  /** False on a network whose ports have no security groups. */
  readonly port_security_enabled?: boolean;
}

/** Sizes of a server's local disks where they are not its flavor's: GiB and MiB. */
export interface LocalDisks {
  /** Of each ephemeral disk. */
  readonly ephemerals?: readonly number[];
  /** The one ephemeral disk of servers that were made before there could be several. */
  readonly ephemeral_gb?: number;
  readonly swap_mb?: number;
}

/** What the user asked beyond the instance's own fields; kept for scheduling and retries. */
export interface BootRequest {
  /** `none` wants no NIC at all, `auto` one on the network that neutron makes for the project. */
  readonly networks: readonly NetworkRequest[] | 'none' | 'auto';
  /** Security group ids for the ports that nova makes. */
  readonly security_groups: readonly string[];
  /** Names of the groups of its ports, as nova shows them. */
  readonly security_group_names: readonly string[];
  readonly scheduler_hints: Readonly<Record<string, unknown>>;
  readonly availability_zone: string | null;
  /** Where it is made whatever the filters say. */
  readonly force_host: string | null;
  /** Where it is made if the filters let it. */
  readonly requested_host?: string;
  /** Certificates that its image may be signed with. */
  readonly trusted_image_certificates?: readonly string[];
  readonly personality: readonly { readonly path: string; readonly contents: string }[];
  readonly local?: LocalDisks;
  /** What is known of the image on a root that is a volume. */
  readonly root_image_properties?: Readonly<Record<string, unknown>>;
  /** The image that it is rescued with, while it is. */
  readonly rescue?: ImageSnapshot;
  /** What a shelved server is made from again; no image when its root is a volume. */
  readonly shelved?: {
    readonly image_id: string | null;
    /** When, as ISO 8601; absent for those of before it was kept. */ readonly at?: string;
  };
}

export type BdmSource = 'image' | 'volume' | 'snapshot' | 'blank';

/** A disk of an instance that is (or becomes) a volume. */
export interface BlockDevice {
  readonly id: number;
  readonly instance_uuid: string;
  readonly source_type: BdmSource;
  /** Image or snapshot that the volume is made from. */
  readonly source_id: string | null;
  readonly volume_id: string | null;
  readonly volume_size: number | null;
  readonly volume_type: string | null;
  readonly attachment_id: string | null;
  readonly connection_info: ConnectionInfo | null;
  /** `/dev/vdb` */
  readonly device_name: string | null;
  readonly boot_index: number | null;
  readonly delete_on_termination: boolean;
  readonly tag: string | null;
  readonly state: 'reserved' | 'attached' | 'detaching';
}

export type BlockDevicePatch = Partial<
  Pick<
    BlockDevice,
    | 'volume_id'
    | 'volume_size'
    | 'attachment_id'
    | 'connection_info'
    | 'device_name'
    | 'state'
    | 'delete_on_termination'
  >
>;

export interface Flavor {
  readonly flavor_id: string;
  readonly name: string;
  readonly vcpus: number;
  readonly memory_mb: number;
  readonly root_gb: number;
  readonly ephemeral_gb: number;
  readonly swap_mb: number;
  readonly rxtx_factor: number;
  readonly is_public: boolean;
  readonly disabled: boolean;
  readonly description: string | null;
  readonly extra_specs: Readonly<Record<string, string>>;
  readonly created_at: Date;
  readonly updated_at: Date | null;
}

export interface KeyPair {
  readonly id: number;
  readonly user_id: string;
  readonly name: string;
  readonly type: 'ssh' | 'x509';
  readonly fingerprint: string;
  readonly public_key: string;
  readonly created_at: Date;
}

/** A group of hosts. */
export interface Aggregate {
  readonly id: number;
  readonly uuid: string;
  readonly name: string;
  readonly hosts: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly created_at: Date;
  readonly updated_at: Date | null;
}

/** A nova service on a host (`nova-compute`, `nova-conductor`, `nova-scheduler`). */
export interface ComputeService {
  readonly id: number;
  readonly uuid: string;
  readonly host: string;
  readonly binary: string;
  readonly topic: string;
  readonly availability_zone: string;
  readonly disabled: boolean;
  readonly disabled_reason: string | null;
  readonly forced_down: boolean;
  readonly last_seen_up: Date | null;
  readonly created_at: Date;
  readonly updated_at: Date | null;
}

/** The name of a server's guest at its hypervisor; unique by the uuid. upstream: `instance_name_template` */
export function guestName(uuid: string): string {
  return `instance-${uuid}`;
}

/** Seconds without a heartbeat after which a service counts as down. upstream: `service_down_time`. */
export const SERVICE_DOWN_S = 60;

/** Whether a service is up now. */
export function isUp(service: Pick<ComputeService, 'forced_down' | 'last_seen_up'>, now: Date): boolean {
  if (service.forced_down || service.last_seen_up === null) return false;
  return now.getTime() - service.last_seen_up.getTime() <= SERVICE_DOWN_S * 1000;
}

/** A hypervisor; its uuid is its resource provider's. */
export interface ComputeNode {
  readonly id: number;
  readonly uuid: string;
  readonly host: string;
  readonly facts: HostFacts;
  readonly service_id: number;
  readonly created_at: Date;
  readonly updated_at: Date | null;
}
