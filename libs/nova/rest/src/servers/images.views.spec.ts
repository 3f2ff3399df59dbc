import { describe, expect, it } from '@jest/globals';
import { imageView } from './images.views';

describe('an image in the older API', () => {
  const image = {
    id: 'i1',
    name: 'of vm',
    status: 'queued',
    min_ram: 64,
    min_disk: 1,
    size: null,
    tags: [],
    created_at: '2026-01-01T00:00:00Z',
    updated_at: '2026-01-01T00:00:01Z',
    instance_uuid: 's1',
  };

  it('shows its progress, properties and server', () => {
    expect(imageView(image, 'http://nova/v2.1')).toEqual({
      id: 'i1',
      name: 'of vm',
      minRam: 64,
      minDisk: 1,
      metadata: { instance_uuid: 's1' },
      created: '2026-01-01T00:00:00Z',
      updated: '2026-01-01T00:00:01Z',
      status: 'SAVING',
      progress: 25,
      'OS-EXT-IMG-SIZE:size': 0,
      links: [
        { rel: 'self', href: 'http://nova/v2.1/images/i1' },
        { rel: 'bookmark', href: 'http://nova/images/i1' },
      ],
      server: {
        id: 's1',
        links: [
          { rel: 'self', href: 'http://nova/v2.1/servers/s1' },
          { rel: 'bookmark', href: 'http://nova/servers/s1' },
        ],
      },
    });
  });

  it('names states as nova does', () => {
    const of = (status: string) => imageView({ ...image, status, auto_disk_config: 'True' }, 'http://nova/v2.1');
    expect(of('active')).toMatchObject({ status: 'ACTIVE', progress: 100, 'OS-DCF:diskConfig': 'AUTO' });
    expect(of('killed')).toMatchObject({ status: 'ERROR', progress: 0 });
    expect(of('importing')).toMatchObject({ status: 'UNKNOWN', progress: 0 });
  });
});
