import type { GuestVolume, InstanceSpec } from '@nestack/nova/contract';
import type { BlockDevice, Instance } from '../instance';
import { localSizes } from './local-disks';

/** What a host is told of an instance; volumes without connection are left out (they are not exported to it yet). */
export function toInstanceSpec(instance: Instance, devices: readonly BlockDevice[]): InstanceSpec {
  return {
    uuid: instance.uuid,
    name: instance.display_name,
    hostname: instance.hostname,
    project_id: instance.project_id,
    user_id: instance.user_id,
    availability_zone: instance.availability_zone,
    ...withLocalDisks(instance),
    image: instance.image,
    nics: [...instance.nics],
    volumes: toGuestVolumes(devices),
    security_groups: [...instance.request.security_group_names],
    config_drive: instance.config_drive,
    user_data: instance.user_data,
    key_name: instance.key_name,
    key_data: instance.key_data,
    metadata: { ...instance.metadata },
    launch_index: instance.launch_index,
    reservation_id: instance.reservation_id,
    personality: instance.request.personality.map((file) => ({ ...file })),
    created_at: instance.created_at.toISOString(),
    ...(instance.request.rescue === undefined ? {} : { rescue_image: instance.request.rescue }),
    ...(instance.request.root_image_properties === undefined
      ? {}
      : { root_image_properties: { ...instance.request.root_image_properties } }),
  };
}

/** The flavor with the local disks that the server really has. */
function withLocalDisks({ flavor, request: { local } }: Instance): Pick<InstanceSpec, 'flavor' | 'ephemerals'> {
  const { ephemerals, swap_mb } = localSizes(flavor, local);
  const ephemeral_gb = ephemerals.reduce((sum, size) => sum + size, 0);
  return { flavor: { ...flavor, ephemeral_gb, swap_mb }, ephemerals: [...ephemerals] };
}

/** The volumes that a guest has or gets, as far as they are connected to its host. */
export function toGuestVolumes(devices: readonly BlockDevice[]): GuestVolume[] {
  return devices.flatMap((device) =>
    device.volume_id === null || device.connection_info === null
      ? []
      : [
          {
            volume_id: device.volume_id,
            attachment_id: device.attachment_id,
            device: device.device_name,
            boot_index: device.boot_index,
            tag: device.tag,
            connection_info: device.connection_info,
          },
        ],
  );
}
