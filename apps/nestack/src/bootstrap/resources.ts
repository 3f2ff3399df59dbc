import { createReadStream, statSync } from 'node:fs';
import { RestError, type Rest } from './rest';

interface Flavor {
  readonly id: string;
  readonly name: string;
  readonly vcpus: number;
  readonly ram: number;
  readonly disk: number;
}

/** DevStack's classic flavors: processors, MiB of memory, GiB of disk. */
export const FLAVORS: readonly Flavor[] = [
  { id: '1', name: 'm1.tiny', vcpus: 1, ram: 512, disk: 1 },
  { id: '2', name: 'm1.small', vcpus: 1, ram: 2048, disk: 20 },
  { id: '3', name: 'm1.medium', vcpus: 2, ram: 4096, disk: 40 },
  { id: '4', name: 'm1.large', vcpus: 4, ram: 8192, disk: 80 },
  { id: '5', name: 'm1.xlarge', vcpus: 8, ram: 16_384, disk: 160 },
];

/** Makes the flavors that are missing. */
export async function ensureFlavors(rest: Rest): Promise<void> {
  const compute = rest.endpoint('compute');
  const { flavors } = await rest.get<{ flavors: { id: string; name: string }[] }>(`${compute}/flavors?is_public=None`);
  for (const flavor of FLAVORS) {
    if (flavors.some((one) => one.id === flavor.id || one.name === flavor.name)) continue;
    await rest.post(`${compute}/flavors`, { flavor }).catch(ignoreConflict);
  }
}

/** The default image's name, that of the small image everybody knows. */
export const IMAGE_NAME = 'cirros';

interface Image {
  readonly id: string;
  readonly name: string;
  readonly status: string;
}

/** Whether the default image can be used already; one whose upload was cut is removed. */
export async function hasImage(rest: Rest): Promise<boolean> {
  const url = `${rest.endpoint('image')}/v2/images`;
  const { images } = await rest.get<{ images: Image[] }>(`${url}?name=${IMAGE_NAME}`);
  for (const image of images.filter((one) => one.status !== 'active')) {
    await rest.call('DELETE', `${url}/${image.id}`, { accept: [404] });
  }
  return images.some((image) => image.status === 'active');
}

/** Creates the default image, public, from a file. */
export async function uploadImage(rest: Rest, file: string): Promise<void> {
  const url = `${rest.endpoint('image')}/v2/images`;
  const image = await rest.post<Image>(url, {
    name: IMAGE_NAME,
    disk_format: file.endsWith('.qcow2') ? 'qcow2' : 'raw',
    container_format: 'bare',
    visibility: 'public',
    min_disk: 1,
    min_ram: 128,
    hw_rng_model: 'virtio',
  });
  await rest.call('PUT', `${url}/${image.id}/file`, {
    stream: createReadStream(file),
    headers: { 'content-type': 'application/octet-stream', 'content-length': String(statSync(file).size) },
  });
}

/** A network with DHCP that belongs to the demo project and that every project may use. */
export async function ensurePrivateNetwork(rest: Rest, projectId: string): Promise<void> {
  const neutron = `${rest.endpoint('network')}/v2.0`;
  const { networks } = await rest.get<{ networks: { id: string; subnets: string[] }[] }>(
    `${neutron}/networks?name=private`,
  );
  const network =
    networks[0] ??
    (
      await rest.post<{ network: { id: string; subnets: string[] } }>(`${neutron}/networks`, {
        network: { name: 'private', tenant_id: projectId, shared: true },
      })
    ).network;
  if (network.subnets.length > 0) return;
  await rest.post(`${neutron}/subnets`, {
    subnet: {
      name: 'private-subnet',
      network_id: network.id,
      tenant_id: projectId,
      ip_version: 4,
      cidr: '10.0.0.0/24',
      enable_dhcp: true,
    },
  });
}

function ignoreConflict(error: unknown): void {
  if (!(error instanceof RestError) || error.status !== 409) throw error;
}
