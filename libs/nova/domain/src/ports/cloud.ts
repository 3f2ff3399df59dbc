import type { RequestContext } from '@nestack/kernel/context';
import type { ConnectionInfo, Nic, RequestSpec } from '@nestack/nova/contract';
import type { ImageSnapshot, NetworkRequest } from '../instance';

/** In whose name another service is asked: the caller of the request, or nova itself (sagas). */
export type As = 'user' | 'service';

/** Glance, as nova needs it. */
export interface ImagePort {
  /** Null when it does not exist or is hidden from the caller. `status` is glance's (`active`, `queued`…). */
  get(
    ctx: RequestContext,
    imageId: string,
    as: As,
  ): Promise<{
    readonly image: ImageSnapshot;
    readonly status: string;
    readonly min_ram: number;
    readonly virtual_size: number | null;
  } | null>;
  /** The image's bytes. */
  download(ctx: RequestContext, imageId: string, as: As): Promise<NodeJS.ReadableStream>;
  /** Ensures the image, as yet without data; `image` is what glance's create takes, with an `id`. */
  ensure(
    ctx: RequestContext,
    image: Readonly<Record<string, unknown>> & { readonly id: string },
    as: As,
  ): Promise<void>;
  /** Gives the image its data; it becomes active. */
  upload(ctx: RequestContext, imageId: string, data: NodeJS.ReadableStream): Promise<void>;
  /** Adds properties to an image, or gives them other values. */
  setProperties(ctx: RequestContext, imageId: string, properties: Readonly<Record<string, string>>): Promise<void>;
  /** Ids of a server's backups of one type, the newest first. */
  backups(
    ctx: RequestContext,
    about: { readonly instance_uuid: string; readonly project_id: string; readonly backup_type: string },
  ): Promise<readonly string[]>;
  /** Gone already is no error. */
  remove(ctx: RequestContext, imageId: string): Promise<void>;
}

export interface PortSummary {
  readonly id: string;
  readonly project_id: string;
  readonly network_id: string;
  readonly device_id: string;
  readonly status: string;
  readonly fixed_ips: readonly { readonly ip_address: string; readonly subnet_id: string }[];
  readonly mac_address: string;
  readonly security_groups: readonly string[];
  readonly port_security_enabled: boolean;
}

export interface SecurityGroupSummary {
  readonly id: string;
  readonly name: string;
}

export interface SecurityGroupRule {
  readonly id: string;
  readonly direction: 'ingress' | 'egress';
  readonly protocol: string | null;
  readonly port_range_min: number | null;
  readonly port_range_max: number | null;
  readonly remote_ip_prefix: string | null;
  readonly remote_group_id: string | null;
}

/** A security group with its rules, in neutron's own form. */
export interface SecurityGroupDetail extends SecurityGroupSummary {
  readonly project_id: string;
  readonly description: string;
  readonly security_group_rules: readonly SecurityGroupRule[];
}

export interface NetworkSummary {
  readonly id: string;
  readonly name: string;
  readonly subnets: readonly string[];
  readonly shared: boolean;
  readonly external: boolean;
  /** Whether its ports have security groups. */
  readonly port_security_enabled: boolean;
}

/**
 * A server and whose it is. Everybody may write any server's id into a port of his own as its device: a server's ports are those
 * of its project alone. upstream: nova/network/neutron.py _build_network_info_model
 */
export interface ServerOfProject {
  readonly uuid: string;
  readonly project_id: string;
}

/** Neutron, as nova needs it. */
export interface NetworkPort {
  /** Networks of the caller's project that servers use when none is named: its own, and shared ones when it has none. */
  available(ctx: RequestContext): Promise<readonly NetworkSummary[]>;
  network(ctx: RequestContext, id: string): Promise<NetworkSummary | null>;
  /** Whether neutron could make a network for the caller's project. */
  canAutoAllocate(ctx: RequestContext): Promise<boolean>;
  /** The network that neutron makes for a project that has none, made now or before. Throws `UnableToAutoAllocateNetwork`. */
  autoAllocated(ctx: RequestContext, projectId: string): Promise<string>;
  port(ctx: RequestContext, id: string, as: As): Promise<PortSummary | null>;
  /** Names of the groups with these ids that the caller may see; the id of one without a name. */
  groupNames(ctx: RequestContext, ids: readonly string[]): Promise<readonly string[]>;
  /** A security group given by name or id, null when there is none; throws when the name is ambiguous. */
  securityGroup(ctx: RequestContext, projectId: string, nameOrId: string): Promise<SecurityGroupSummary | null>;
  /**
   * Ensures the instance's ports: finds those with its device_id (so that a retry makes no second one), creates what is
   * missing in request order, binds all to the host. Answers its NICs in request order.
   */
  ensurePorts(
    ctx: RequestContext,
    about: {
      readonly instance_uuid: string;
      readonly project_id: string;
      readonly hostname: string;
      readonly host: string;
      readonly availability_zone: string;
      readonly requests: readonly NetworkRequest[];
      readonly security_groups: readonly string[];
    },
  ): Promise<readonly Nic[]>;
  /** Creates and binds one more port, or binds the given one. What is made bears `key`, so that `releaseRequested` finds it. */
  ensurePort(
    ctx: RequestContext,
    about: {
      readonly instance_uuid: string;
      readonly project_id: string;
      readonly hostname: string;
      readonly host: string;
      readonly availability_zone: string;
      readonly request: NetworkRequest;
      readonly security_groups: readonly string[];
      readonly key: string;
    },
    as: As,
  ): Promise<Nic>;
  /** Lets go what `ensurePort` made or took: the instance's ports that bear the key or have it as their id. None is no error. */
  releaseRequested(ctx: RequestContext, server: ServerOfProject, key: string): Promise<void>;
  /** Deletes the ports that nova made and unbinds the user's. Ports that are gone already are no error. Finds leftovers by device_id too. */
  releasePorts(ctx: RequestContext, server: ServerOfProject, nics: readonly Nic[]): Promise<void>;
  releasePort(ctx: RequestContext, server: ServerOfProject, nic: Nic): Promise<void>;
  /** Takes the instance's ports from their host; they stay the instance's. */
  unbindPorts(ctx: RequestContext, server: ServerOfProject): Promise<void>;
  /** Adds a security group to the ports of the NICs, or takes it away. */
  changeSecurityGroup(
    ctx: RequestContext,
    nics: readonly Nic[],
    groupId: string,
    change: 'add' | 'remove',
  ): Promise<void>;
  /** The groups of the instance's ports. */
  securityGroupsOf(ctx: RequestContext, server: ServerOfProject): Promise<readonly SecurityGroupDetail[]>;
  /** The NICs as neutron knows them now, by device_id, with each port's status. */
  current(
    ctx: RequestContext,
    server: ServerOfProject,
    known: readonly Nic[],
  ): Promise<readonly { readonly nic: Nic; readonly status: string }[]>;
}

export interface VolumeSummary {
  readonly id: string;
  readonly status: string;
  /** GiB */
  readonly size: number;
  readonly bootable: boolean;
  readonly multiattach: boolean;
  /** Its attachments may only read. */
  readonly readonly: boolean;
  readonly availability_zone: string;
  readonly attached_to: readonly string[];
  /** Glance properties of the image that it was made from. */
  readonly image_metadata: Readonly<Record<string, string>>;
}

/** A snapshot of a volume. */
export interface VolumeSnapshot {
  readonly id: string;
  readonly status: string;
  /** GiB */
  readonly size: number;
}

/** Cinder, as nova needs it. */
export interface VolumePort {
  get(ctx: RequestContext, volumeId: string, as: As): Promise<VolumeSummary | null>;
  /** Null when there is none that the caller may use. */
  snapshot(ctx: RequestContext, snapshotId: string): Promise<VolumeSnapshot | null>;
  /** Creates a volume for a boot in the caller's name; it becomes available later. */
  createVolume(
    ctx: RequestContext,
    about: {
      /** GiB */
      readonly size: number;
      readonly image_id: string | null;
      readonly snapshot_id: string | null;
      readonly volume_type: string | null;
      readonly availability_zone: string | null;
    },
  ): Promise<{ readonly id: string }>;
  /** Reserves: an attachment without connector; a retry finds the one of this volume and instance. */
  ensureAttachment(
    ctx: RequestContext,
    volumeId: string,
    instanceUuid: string,
    as: As,
  ): Promise<{ readonly id: string }>;
  /** The attachment of this volume and instance, null when there is none. */
  findAttachment(ctx: RequestContext, volumeId: string, instanceUuid: string): Promise<string | null>;
  /** Reserves it once more for an instance that has it: an attachment besides this one; a retry finds it. */
  ensureFurtherAttachment(
    ctx: RequestContext,
    volumeId: string,
    instanceUuid: string,
    besides: string,
  ): Promise<{ readonly id: string }>;
  /** Starts to put an image on a reserved volume; `volume-reimaged` tells the end. */
  reimage(ctx: RequestContext, volumeId: string, imageId: string): Promise<void>;
  /** Gives the connector: cinder exports and answers how to connect. */
  connect(
    ctx: RequestContext,
    attachmentId: string,
    connector: Readonly<Record<string, unknown>>,
    device: string | null,
  ): Promise<ConnectionInfo>;
  /** The guest has it: the volume becomes in-use. */
  complete(ctx: RequestContext, attachmentId: string): Promise<void>;
  /** Ends the attachment and its export; gone already is no error. */
  deleteAttachment(ctx: RequestContext, attachmentId: string): Promise<void>;
  /** Marks the volume as detaching (`os-begin_detaching`) and back. */
  beginDetaching(ctx: RequestContext, volumeId: string, as: As): Promise<void>;
  rollDetaching(ctx: RequestContext, volumeId: string): Promise<void>;
  deleteVolume(ctx: RequestContext, volumeId: string): Promise<void>;
  /** Ensures the volume's snapshot that was made under `key`, of a volume in use as well; it belongs to the volume's project. */
  ensureSnapshot(
    ctx: RequestContext,
    about: { readonly volume_id: string; readonly name: string; readonly key: string },
  ): Promise<VolumeSnapshot>;
  /** The snapshot that was made under `key`, null when there is none. */
  findSnapshot(ctx: RequestContext, volumeId: string, key: string): Promise<VolumeSnapshot | null>;
  /** Gone already is no error. */
  deleteSnapshot(ctx: RequestContext, snapshotId: string): Promise<void>;
}

export interface ProviderCandidate {
  readonly provider_uuid: string;
  /** Opaque to the caller: what is PUT to claim it. */
  readonly allocation_request: unknown;
  readonly capacity: Readonly<Record<string, { readonly capacity: number; readonly used: number }>>;
}

/** Placement, as nova needs it. */
export interface PlacementPort {
  /** Whether it is one of placement's own traits or classes; known without asking. */
  isStandardTrait(name: string): boolean;
  isStandardResourceClass(name: string): boolean;
  /** Upserts the host's provider, inventory and traits. */
  ensureProvider(
    ctx: RequestContext,
    provider: {
      readonly uuid: string;
      readonly name: string;
      readonly inventory: Readonly<
        Record<
          string,
          {
            readonly total: number;
            readonly reserved: number;
            readonly allocation_ratio: number;
            readonly max_unit: number;
          }
        >
      >;
      readonly traits: readonly string[];
    },
  ): Promise<void>;
  /** Disabled hosts carry COMPUTE_STATUS_DISABLED. */
  setDisabled(ctx: RequestContext, providerUuid: string, disabled: boolean): Promise<void>;
  /** Hosts with room, the emptiest first, at most `limit`; with `within` only that provider's tree. Disabled hosts are left out. */
  candidates(
    ctx: RequestContext,
    spec: RequestSpec,
    limit: number,
    within?: string,
  ): Promise<readonly ProviderCandidate[]>;
  /** Claims for the consumer if it holds nothing yet; false when another was faster. */
  claim(ctx: RequestContext, spec: RequestSpec, candidate: ProviderCandidate): Promise<boolean>;
  /** The provider on which a consumer holds its allocation, null when it holds none. */
  allocatedOn(ctx: RequestContext, consumerUuid: string): Promise<string | null>;
  /** Traits of all providers of which a consumer holds something. */
  traitsOf(ctx: RequestContext, consumerUuid: string): Promise<ReadonlySet<string>>;
  /**
   * Ensures that `to` holds what `from` holds, and `from` nothing, in one step; what `to` held before is released. Without
   * anything held by `from` it has been done already.
   */
  moveAllocation(
    ctx: RequestContext,
    about: {
      readonly from: string;
      readonly to: string;
      readonly type: 'INSTANCE' | 'MIGRATION';
      readonly project_id: string;
      readonly user_id: string;
    },
  ): Promise<void>;
  /** Releases everything of the consumer; nothing held is no error. */
  release(ctx: RequestContext, consumerUuid: string): Promise<void>;
  removeProvider(ctx: RequestContext, providerUuid: string): Promise<void>;
}

/** Injection tokens of the ports, for what is wired by token. */
export const IMAGE_PORT = Symbol('ImagePort');
export const NETWORK_PORT = Symbol('NetworkPort');
export const VOLUME_PORT = Symbol('VolumePort');
export const PLACEMENT_PORT = Symbol('PlacementPort');
