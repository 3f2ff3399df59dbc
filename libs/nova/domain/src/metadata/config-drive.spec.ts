import { describe, expect, it } from '@jest/globals';
import type { InstanceSpec } from '@nestack/nova/contract';
import { configDriveOf } from './config-drive';

const spec: InstanceSpec = {
  uuid: 'u1',
  name: 'vm',
  hostname: 'vm',
  project_id: 'p1',
  user_id: 'u1',
  availability_zone: 'nova',
  flavor: {
    id: '1',
    name: 'tiny',
    vcpus: 1,
    memory_mb: 64,
    root_gb: 1,
    ephemeral_gb: 0,
    swap_mb: 0,
    extra_specs: {},
    description: null,
  },
  image: null,
  nics: [],
  volumes: [],
  config_drive: true,
  user_data: Buffer.from('#!/bin/sh\n').toString('base64'),
  key_name: 'k',
  key_data: 'ssh-ed25519 AAAA me',
  metadata: { role: 'web' },
  launch_index: 0,
  reservation_id: 'r-1',
  personality: [{ path: '/etc/motd', contents: Buffer.from('hello').toString('base64') }],
  created_at: '2026-01-01T00:00:00Z',
};

describe('a config drive', () => {
  const files = configDriveOf(spec);
  const text = (name: string) => String(files[name]);

  it('has the files that each version knows', () => {
    const of = (version: string) =>
      Object.keys(files).flatMap((name) => (name.startsWith(`openstack/${version}/`) ? [name.split('/')[2]] : []));
    expect(of('2012-08-10')).toEqual(['meta_data.json', 'user_data']);
    expect(of('2015-10-15')).toEqual(['meta_data.json', 'user_data', 'vendor_data.json', 'network_data.json']);
    expect(of('latest')).toEqual([
      'meta_data.json',
      'user_data',
      'vendor_data.json',
      'network_data.json',
      'vendor_data2.json',
    ]);
  });

  it('tells the guest its name, key, metadata, user data and files', () => {
    const meta = JSON.parse(text('openstack/latest/meta_data.json')) as Record<string, unknown>;
    expect(meta).toMatchObject({
      uuid: 'u1',
      hostname: 'vm',
      public_keys: { k: 'ssh-ed25519 AAAA me' },
      meta: { role: 'web' },
      files: [{ path: '/etc/motd', content_path: '/content/0000' }],
    });
    expect(text('openstack/content/0000')).toBe('hello');
    expect(text('openstack/latest/user_data')).toBe('#!/bin/sh\n');
    expect(text('ec2/latest/user-data')).toBe('#!/bin/sh\n');
    expect(JSON.parse(text('ec2/2009-04-04/meta-data.json'))).toMatchObject({ hostname: 'vm' });
  });
});
