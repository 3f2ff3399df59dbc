import { parseBoolean } from '@nestack/kernel/http';
import { metadataOf } from '@nestack/nova/domain';
import { resourceLinks, serverLinks } from './servers.views';

const STATUS: Readonly<Record<string, string>> = {
  active: 'ACTIVE',
  queued: 'SAVING',
  saving: 'SAVING',
  deleted: 'DELETED',
  pending_delete: 'DELETED',
  killed: 'ERROR',
};
const PROGRESS: Readonly<Record<string, number>> = { queued: 25, saving: 50, active: 100 };

/** An image of glance's as nova's older API shows it. upstream: nova/api/openstack/compute/views/images.py */
export function imageView(image: Readonly<Record<string, unknown>>, baseUrl: string): Record<string, unknown> {
  const id = String(image['id']);
  const status = String(image['status']);
  const metadata = metadataOf(image);
  const { instance_uuid: server, auto_disk_config: automatic } = metadata;
  return {
    id,
    name: image['name'] ?? null,
    minRam: Number(image['min_ram'] ?? 0),
    minDisk: Number(image['min_disk'] ?? 0),
    metadata,
    created: image['created_at'],
    updated: image['updated_at'],
    status: STATUS[status] ?? 'UNKNOWN',
    progress: PROGRESS[status] ?? 0,
    'OS-EXT-IMG-SIZE:size': image['size'] ?? 0,
    links: resourceLinks(baseUrl, 'images', id),
    ...(typeof server === 'string' ? { server: { id: server, links: serverLinks(baseUrl, server) } } : {}),
    ...(typeof automatic === 'string'
      ? { 'OS-DCF:diskConfig': parseBoolean(automatic) === true ? 'AUTO' : 'MANUAL' }
      : {}),
  };
}

/** An image in a list without details. */
export function imageBrief(image: Readonly<Record<string, unknown>>, baseUrl: string): Record<string, unknown> {
  const id = String(image['id']);
  return { id, name: image['name'] ?? null, links: resourceLinks(baseUrl, 'images', id) };
}
