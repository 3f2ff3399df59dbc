import { describe, expect, it } from '@jest/globals';
import { canonicalIp, contains, eui64Address, formatCidr, overlaps, parseCidr, parseIp, type IpNetwork } from './ip';

const cidr = (text: string): IpNetwork => {
  const found = parseCidr(text);
  if (found === null) throw new Error(text);
  return found;
};

describe('addresses', () => {
  it.each([
    ['10.0.0.1', '10.0.0.1'],
    ['255.255.255.255', '255.255.255.255'],
    ['FD00:0:0:0:0:0:0:1', 'fd00::1'],
    ['::', '::'],
    ['::1', '::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['::ffff:10.0.0.1', '::ffff:a00:1'],
    ['fe80::', 'fe80::'],
  ])('%s is read and written as %s', (text, canonical) => {
    expect(canonicalIp(text)).toBe(canonical);
  });

  it.each([
    '',
    '10.0.0',
    '10.0.0.256',
    '010.0.0.1',
    '10.0.0.1 ',
    '1::2::3',
    '12345::',
    ':::',
    '1:2:3:4:5:6:7:8:9',
    'x',
  ])('%s is none', (text) => {
    expect(parseIp(text)).toBeNull();
  });

  it('make themselves from a MAC address', () => {
    expect(eui64Address(cidr('2001:db8::/64'), 'fa:16:3e:12:34:56')).toBe('2001:db8::f816:3eff:fe12:3456');
  });
});

describe('prefixes', () => {
  it('lose their host bits and know what is in them', () => {
    expect(formatCidr(cidr('10.1.2.3/8'))).toBe('10.0.0.0/8');
    expect(formatCidr(cidr('fd00::5/64'))).toBe('fd00::/64');
    expect(formatCidr(cidr('10.0.0.1/32'))).toBe('10.0.0.1/32');
    for (const bad of ['10.0.0.0', '10.0.0.0/33', '10.0.0.0/', '10.0.0.0/8/8', 'fd00::/129', '10.0.0.0/255.0.0.0'])
      expect(parseCidr(bad)).toBeNull();
    const ip = parseIp('10.0.0.255');
    expect(ip !== null && contains(cidr('10.0.0.0/24'), ip)).toBe(true);
    expect(ip !== null && contains(cidr('fd00::/8'), ip)).toBe(false);
    expect(overlaps(cidr('10.0.0.0/8'), cidr('10.9.0.0/16'))).toBe(true);
    expect(overlaps(cidr('10.0.0.0/9'), cidr('10.128.0.0/9'))).toBe(false);
  });
});
