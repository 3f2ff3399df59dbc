import Type, { type Static } from 'typebox';

const Nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

/** A flavor as an instance keeps it: frozen at its creation. */
export const FlavorSnapshot = Type.Object({
  id: Type.String(),
  name: Type.String(),
  vcpus: Type.Integer(),
  memory_mb: Type.Integer(),
  root_gb: Type.Integer(),
  ephemeral_gb: Type.Integer(),
  swap_mb: Type.Integer(),
  extra_specs: Type.Record(Type.String(), Type.String()),
  description: Nullable(Type.String()),
});
export type FlavorSnapshot = Static<typeof FlavorSnapshot>;

/** One subnet of a NIC, as guests are told by config drive and metadata service. */
export const NicSubnet = Type.Object({
  id: Type.String(),
  cidr: Type.String(),
  ip_version: Type.Integer(),
  gateway_ip: Nullable(Type.String()),
  enable_dhcp: Type.Boolean(),
  dns_nameservers: Type.Array(Type.String()),
  host_routes: Type.Array(Type.Object({ destination: Type.String(), nexthop: Type.String() })),
});
export type NicSubnet = Static<typeof NicSubnet>;

/** One NIC of a guest: its neutron port after binding. */
export const Nic = Type.Object({
  port_id: Type.String(),
  network_id: Type.String(),
  network_label: Type.String(),
  mac_address: Type.String(),
  /** Host device: `tap` + first 11 characters of the port id. */
  devname: Type.String(),
  /** Linux bridge of the network on a host: `brq` + first 11 characters of the network id. */
  bridge: Type.String(),
  mtu: Type.Integer(),
  vif_type: Type.String(),
  fixed_ips: Type.Array(Type.Object({ ip_address: Type.String(), subnet_id: Type.String() })),
  /** Floating IPs by the fixed one that they stand for. */
  floating_ips: Type.Optional(Type.Array(Type.Object({ ip_address: Type.String(), fixed_ip_address: Type.String() }))),
  subnets: Type.Array(NicSubnet),
  tag: Nullable(Type.String()),
  /** Made by nova, so deleted with the server; the user's own ports are only unbound. */
  created_by_nova: Type.Boolean(),
});
export type Nic = Static<typeof Nic>;

/** How a host reaches a volume: cinder's connection_info. */
export const ConnectionInfo = Type.Object({
  driver_volume_type: Type.String(),
  data: Type.Record(Type.String(), Type.Unknown()),
});
export type ConnectionInfo = Static<typeof ConnectionInfo>;

/** A volume of a guest. */
export const GuestVolume = Type.Object({
  volume_id: Type.String(),
  attachment_id: Nullable(Type.String()),
  /** `/dev/vdb` */
  device: Nullable(Type.String()),
  boot_index: Nullable(Type.Integer()),
  /** What its user calls it. */
  tag: Type.Optional(Nullable(Type.String())),
  connection_info: ConnectionInfo,
});
export type GuestVolume = Static<typeof GuestVolume>;

/** Where the disks of a guest that leaves its host can be read. What shows them ends with the first reader. */
export const DiskSource = Type.Object({
  address: Type.String(),
  /** Key of the TLS connection, in hexadecimal; for these disks and this once alone. Never logged nor journaled. */
  secret: Type.String(),
  disks: Type.Array(Type.Object({ name: Type.String(), format: Type.Enum(['qcow2', 'raw']), port: Type.Integer() })),
});
export type DiskSource = Static<typeof DiskSource>;

/** An image as an instance keeps it. */
export const ImageOfInstance = Type.Object({
  id: Type.String(),
  disk_format: Type.String(),
  container_format: Type.String(),
  size: Type.Integer(),
  checksum: Nullable(Type.String()),
  os_hash_algo: Nullable(Type.String()),
  os_hash_value: Nullable(Type.String()),
  min_disk: Type.Integer(),
  /** MiB; instances of before it was kept have none. */
  min_ram: Type.Optional(Type.Integer()),
  properties: Type.Record(Type.String(), Type.Unknown()),
});

/** Everything that a host needs to make a guest; it asks no database. */
export const InstanceSpec = Type.Object({
  uuid: Type.String(),
  name: Type.String(),
  hostname: Type.String(),
  project_id: Type.String(),
  user_id: Type.String(),
  availability_zone: Nullable(Type.String()),
  flavor: FlavorSnapshot,
  /** GiB of each ephemeral disk; one with the flavor's where absent. */
  ephemerals: Type.Optional(Type.Array(Type.Integer())),
  /** Null when it boots from a volume. */
  image: Nullable(ImageOfInstance),
  /** What is known of the image on a root that is a volume. */
  root_image_properties: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  nics: Type.Array(Nic),
  volumes: Type.Array(GuestVolume),
  /** Names of the groups of its ports. */
  security_groups: Type.Optional(Type.Array(Type.String())),
  config_drive: Type.Boolean(),
  /** Base64, as the user sent it. */
  user_data: Nullable(Type.String()),
  key_name: Nullable(Type.String()),
  key_data: Nullable(Type.String()),
  metadata: Type.Record(Type.String(), Type.String()),
  launch_index: Type.Integer(),
  reservation_id: Type.String(),
  /** What it is rescued with, while it is. */
  rescue_image: Type.Optional(ImageOfInstance),
  personality: Type.Array(Type.Object({ path: Type.String(), contents: Type.String() })),
  created_at: Type.String(),
});
export type InstanceSpec = Static<typeof InstanceSpec>;

/** What an operator keeps back of a host, and how far the rest may be overcommitted; named as upstream's options. */
export const HostAccounting = Type.Object({
  cpu_allocation_ratio: Type.Number(),
  ram_allocation_ratio: Type.Number(),
  disk_allocation_ratio: Type.Number(),
  reserved_host_cpus: Type.Integer(),
  reserved_host_memory_mb: Type.Integer(),
  reserved_host_disk_mb: Type.Integer(),
});
export type HostAccounting = Static<typeof HostAccounting>;

/** What a compute host offers, for its resource provider and the hypervisor API. */
export const HostFacts = Type.Object({
  hypervisor_hostname: Type.String(),
  host_ip: Type.String(),
  hypervisor_type: Type.String(),
  hypervisor_version: Type.Integer(),
  vcpus: Type.Integer(),
  memory_mb: Type.Integer(),
  local_gb: Type.Integer(),
  vcpus_used: Type.Integer(),
  memory_mb_used: Type.Integer(),
  local_gb_used: Type.Integer(),
  running_vms: Type.Integer(),
  cpu_info: Type.Record(Type.String(), Type.Unknown()),
  supported_instances: Type.Array(Type.Array(Type.String())),
  traits: Type.Array(Type.String()),
  uptime: Nullable(Type.String()),
  /** How the host's inventory in Placement is counted; upstream's defaults where absent. */
  accounting: Type.Optional(HostAccounting),
});
export type HostFacts = Static<typeof HostFacts>;

/** The image of an instance. */
export type ImageSnapshotWire = NonNullable<InstanceSpec['image']>;
