import { describe, expect, it } from '@jest/globals';
import type { InstanceSpec } from '@nestack/nova/contract';
import { exampleSpec } from './example-spec';
import { metadataAt } from './meta-data';

const nic = {
  port_id: 'p',
  network_id: 'n',
  network_label: 'private',
  mac_address: 'fa:16:3e:00:00:01',
  devname: 'tap1',
  bridge: 'brq1',
  mtu: 1450,
  vif_type: 'bridge',
  fixed_ips: [
    { ip_address: 'fd00::5', subnet_id: 's6' },
    { ip_address: '10.0.0.5', subnet_id: 's4' },
  ],
  floating_ips: [{ ip_address: '172.24.4.9', fixed_ip_address: '10.0.0.5' }],
  subnets: [],
  tag: 'outside',
  created_by_nova: true,
};
const volume = {
  volume_id: 'v1',
  attachment_id: 'a1',
  device: '/dev/vdb',
  boot_index: null,
  tag: 'database',
  connection_info: { driver_volume_type: 'nbd', data: {} },
};
const spec: InstanceSpec = {
  ...exampleSpec,
  nics: [nic, { ...nic, tag: null, mac_address: 'fa:16:3e:00:00:02', floating_ips: [] }],
  volumes: [volume, { ...volume, volume_id: 'v2', device: '/dev/vdc', tag: null }],
  security_groups: ['default', 'web'],
};
const get = (path: string): string | null => {
  const found = metadataAt(spec, path);
  return found === null ? null : String(found.body);
};

describe('the metadata of a server', () => {
  it('tells devices with a tag', () => {
    const { devices } = JSON.parse(get('/openstack/latest/meta_data.json') ?? '{}') as { devices: unknown };
    expect(devices).toEqual([
      { type: 'nic', mac: 'fa:16:3e:00:00:01', bus: 'none', address: 'none', tags: ['outside'] },
      { type: 'disk', serial: 'v1', path: '/dev/vdb', bus: 'none', address: 'none', tags: ['database'] },
    ]);
  });

  it("has Amazon's form, with what each version knows", () => {
    expect(get('/latest/meta-data/public-ipv4')).toBe('172.24.4.9');
    expect(get('/latest/meta-data/local-ipv4')).toBe('10.0.0.5');
    expect(get('/latest/meta-data/security-groups')).toBe('default\nweb');
    expect(get('/latest/meta-data/public-keys/')).toBe('0=k');
    expect(get('/latest/meta-data/public-keys/0/openssh-key')).toBe('ssh-ed25519 AAAA me');
    expect(get('/latest/meta-data/block-device-mapping')).toBe('ami\nebs0\nebs1\nroot');
    expect(get('/latest/meta-data/block-device-mapping/ebs1')).toBe('/dev/vdc');
    const local = { ...spec, flavor: { ...spec.flavor, swap_mb: 64 }, ephemerals: [1, 2] };
    const disk = (name: string): unknown => metadataAt(local, `/latest/meta-data/block-device-mapping/${name}`)?.body;
    expect([disk('ephemeral0'), disk('ephemeral1'), disk('swap')]).toEqual(['/dev/vdd', '/dev/vde', '/dev/vdf']);
    expect(get('/2007-01-19/meta-data/public-ipv4')).toBe('172.24.4.9');
    expect(get('/1.0/meta-data/public-ipv4')).toBeNull();
    expect(get('/2008-02-01/meta-data/instance-action')).toBeNull();
    expect(get('/2008-09-01/meta-data/instance-action')).toBe('none');
  });
});
