import { NovaError } from '@nestack/nova/contract';

const DEVICES = ['disk', 'cdrom', 'floppy'] as const;
const BUSES = ['virtio', 'scsi', 'sata', 'ide', 'usb', 'fdc'] as const;

/** What a rescue's disk is to the guest, beside all disks that it has. */
export interface RescueDevice {
  readonly device: (typeof DEVICES)[number];
  readonly bus: (typeof BUSES)[number];
}

/** Whether an image says as what it is to be added; `whole`: device and bus both. */
export function hasRescueDevice(properties: Readonly<Record<string, unknown>>, how: 'any' | 'whole'): boolean {
  const said = ['hw_rescue_device', 'hw_rescue_bus'].filter((name) => typeof properties[name] === 'string');
  return said.length >= (how === 'whole' ? 2 : 1);
}

/**
 * As what a rescue's image is added; null when it takes the root's place. Throws UnsupportedRescueBus.
 * upstream: nova/virt/libvirt/blockinfo.py get_rescue_device, get_rescue_bus
 */
export function rescueDeviceOf(properties: Readonly<Record<string, unknown>>): RescueDevice | null {
  if (!hasRescueDevice(properties, 'any')) return null;
  const device = DEVICES.find((one) => one === properties['hw_rescue_device']) ?? 'disk';
  const usual = { disk: 'virtio', cdrom: 'ide', floppy: 'fdc' } as const;
  const wanted = properties['hw_rescue_bus'];
  const bus = wanted === undefined ? usual[device] : BUSES.find((one) => one === wanted);
  const fits = device === 'floppy' ? bus === 'fdc' : bus !== 'fdc' && !(device === 'cdrom' && bus === 'virtio');
  if (bus === undefined || !fits) throw NovaError.UnsupportedRescueBus({ bus: String(wanted) });
  return { device, bus };
}
