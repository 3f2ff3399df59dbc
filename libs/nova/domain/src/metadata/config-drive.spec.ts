import { describe, expect, it } from '@jest/globals';
import { configDriveOf } from './config-drive';
import { exampleSpec as spec } from './example-spec';

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
