import { parseBoolean } from '@nestack/kernel/http';
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

/** Glance's own attributes; all others are user properties. */
const ATTRIBUTES =
  /^(id|name|status|visibility|protected|checksum|owner|size|virtual_size|(container|disk)_format|(created|updated)_at|tags|direct_url|min_(ram|disk)|self|file|stores|schema|os_hash_(algo|value)|os_hidden|locations)$/;

/** An image of glance's as nova's older API shows it. upstream: nova/api/openstack/compute/views/images.py */
export function imageView(image: Readonly<Record<string, unknown>>, baseUrl: string): Record<string, unknown> {
  const id = String(image['id']);
  const status = String(image['status']);
  const metadata = Object.fromEntries(Object.entries(image).filter(([key]) => !ATTRIBUTES.test(key)));
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
