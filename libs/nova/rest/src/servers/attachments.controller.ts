import { Inject, Injectable } from '@nestjs/common';
import { ApiReply, Handles, type ApiRequest, type ApiVersion } from '@nestack/kernel/http';
import { POLICY, type PolicyEnforcer } from '@nestack/kernel/policy';
import {
  NovaError,
  createInterface,
  createVolumeAttachment,
  deleteInterface,
  deleteVolumeAttachment,
  isTrue,
  listInterfaces,
  listVolumeAttachments,
  showInterface,
  showVolumeAttachment,
  updateVolumeAttachment,
  type Nic,
} from '@nestack/nova/contract';
import {
  Attachments,
  VolumeSwaps,
  type AttachmentUpdate,
  type BlockDevice,
  type VolumeVersion,
} from '@nestack/nova/domain';

const id = (request: ApiRequest): string => request.params['server_id'] ?? '';

/** Operators alone exchange volumes. upstream: nova/policies/volumes_attachments.py */
const SWAP = 'os_compute_api:os-volumes-attachments:swap';

/** Nova's attachment id is the volume's id until 2.89. upstream: nova/api/openstack/compute/volume_attachments.py */
function attachmentView(device: BlockDevice, version: ApiVersion): Record<string, unknown> {
  return {
    ...(version.atLeast('2.89') ? {} : { id: device.volume_id }),
    volumeId: device.volume_id,
    serverId: device.instance_uuid,
    device: device.device_name,
    ...(version.atLeast('2.70') ? { tag: device.tag } : {}),
    ...(version.atLeast('2.79') ? { delete_on_termination: device.delete_on_termination } : {}),
    ...(version.atLeast('2.89') ? { attachment_id: device.attachment_id, bdm_uuid: bdmUuid(device) } : {}),
  };
}

const knows = (version: ApiVersion): VolumeVersion => ({
  shelved: version.atLeast('2.20'),
  multiattach: version.atLeast('2.60'),
});

/** A stable UUID for a mapping, which has a number in our schema. */
function bdmUuid(device: BlockDevice): string {
  return `${device.instance_uuid.slice(0, 24)}${device.id.toString(16).padStart(12, '0')}`;
}

function interfaceView(nic: Nic, status: string, version: ApiVersion): Record<string, unknown> {
  return {
    port_state: status,
    port_id: nic.port_id,
    net_id: nic.network_id,
    mac_addr: nic.mac_address,
    fixed_ips: nic.fixed_ips.map((ip) => ({ ip_address: ip.ip_address, subnet_id: ip.subnet_id })),
    ...(version.atLeast('2.70') ? { tag: nic.tag } : {}),
  };
}

/** `/servers/{id}/os-volume_attachments` and `/os-interface` */
@Injectable()
export class AttachmentsController {
  constructor(
    @Inject(Attachments) private readonly attachments: Attachments,
    @Inject(VolumeSwaps) private readonly swaps: VolumeSwaps,
    @Inject(POLICY) private readonly policy: PolicyEnforcer,
  ) {}

  @Handles(listVolumeAttachments)
  async volumes(request: ApiRequest) {
    const devices = await this.attachments.volumes(request.ctx, id(request));
    const number = (key: string): number | null => {
      const text = request.rawQuery.get(key);
      return text === null || text === '' ? null : Number(text);
    };
    const offset = number('offset') ?? 0;
    const limit = number('limit') ?? 1000;
    return {
      volumeAttachments: devices.slice(offset, offset + limit).map((device) => attachmentView(device, request.version)),
    };
  }

  @Handles(showVolumeAttachment)
  async volume(request: ApiRequest) {
    const device = await this.attachments.volume(request.ctx, id(request), request.params['volume_id'] ?? '');
    return { volumeAttachment: attachmentView(device, request.version) };
  }

  @Handles(createVolumeAttachment)
  async attach(request: ApiRequest) {
    const { volumeAttachment: wanted } = request.body as {
      volumeAttachment: { volumeId: string; device?: string | null; tag?: string; delete_on_termination?: unknown };
    };
    const attached = {
      volumeId: wanted.volumeId,
      device: wanted.device ?? null,
      tag: wanted.tag ?? null,
      deleteOnTermination: isTrue(wanted.delete_on_termination ?? false),
    };
    const device = await this.attachments.attachVolume(request.ctx, id(request), attached, knows(request.version));
    return { volumeAttachment: attachmentView(device, request.version) };
  }

  @Handles(updateVolumeAttachment)
  async update(request: ApiRequest) {
    const { volumeAttachment: wanted } = request.body as {
      volumeAttachment: Omit<AttachmentUpdate, 'delete_on_termination'> & {
        volumeId: string;
        delete_on_termination?: unknown;
      };
    };
    const volumeId = request.params['volume_id'] ?? '';
    // Others' servers do not exist for the caller, whatever he may do to his own.
    await this.attachments.volumes(request.ctx, id(request));
    const older = !request.version.atLeast('2.85');
    const swaps = older || wanted.volumeId !== volumeId;
    if (swaps && !this.policy.allows(request.ctx, SWAP)) throw NovaError.PolicyForbidden({ rule: SWAP });
    if (!older) {
      const { volumeId: _, delete_on_termination: gone, ...same } = wanted;
      const update = { ...same, ...(gone === undefined ? {} : { delete_on_termination: isTrue(gone) }) };
      await this.swaps.update(request.ctx, id(request), volumeId, update);
    }
    if (swaps) await this.swaps.swap(request.ctx, id(request), volumeId, wanted.volumeId);
    return new ApiReply(null, { status: 202 });
  }

  @Handles(deleteVolumeAttachment)
  async detach(request: ApiRequest) {
    const volumeId = request.params['volume_id'] ?? '';
    await this.attachments.detachVolume(request.ctx, id(request), volumeId, knows(request.version));
    return new ApiReply(null, { status: 202 });
  }

  @Handles(listInterfaces)
  async interfaces(request: ApiRequest) {
    const nics = await this.attachments.interfaces(request.ctx, id(request));
    return { interfaceAttachments: nics.map(({ nic, status }) => interfaceView(nic, status, request.version)) };
  }

  @Handles(showInterface)
  async interface(request: ApiRequest) {
    const portId = request.params['port_id'] ?? '';
    const found = (await this.attachments.interfaces(request.ctx, id(request))).find(
      ({ nic }) => nic.port_id === portId,
    );
    if (found === undefined) throw NovaError.InterfaceNotFound({ port_id: portId, instance_uuid: id(request) });
    return { interfaceAttachment: interfaceView(found.nic, found.status, request.version) };
  }

  @Handles(createInterface)
  async plug(request: ApiRequest) {
    const wanted =
      (
        request.body as {
          interfaceAttachment?: {
            net_id?: string;
            port_id?: string | null;
            fixed_ips?: { ip_address: string }[];
            tag?: string;
          };
        }
      ).interfaceAttachment ?? {};
    if (wanted.net_id !== undefined && wanted.port_id !== undefined && wanted.port_id !== null) {
      throw NovaError.BadRequest({ reason: 'Must not input both network_id and port_id' });
    }
    const fixed = wanted.fixed_ips?.[0]?.ip_address ?? null;
    if (fixed !== null && wanted.net_id === undefined)
      throw NovaError.BadRequest({ reason: 'Must input network_id when request IP address' });
    const nic = await this.attachments.attachInterface(request.ctx, id(request), {
      network_id: wanted.net_id ?? null,
      port_id: wanted.port_id ?? null,
      fixed_ip: fixed,
      tag: wanted.tag ?? null,
    });
    return { interfaceAttachment: interfaceView(nic, 'DOWN', request.version) };
  }

  @Handles(deleteInterface)
  async unplug(request: ApiRequest) {
    await this.attachments.detachInterface(request.ctx, id(request), request.params['port_id'] ?? '');
    return new ApiReply(null, { status: 202 });
  }
}
