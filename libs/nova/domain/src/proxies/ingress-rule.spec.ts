import { describe, expect, it } from '@jest/globals';
import { ingressRule } from './ingress-rule';

const parent_group_id = 'g';

describe('a rule of the older API', () => {
  it('is for incoming packets from a prefix, or from everywhere', () => {
    expect(ingressRule({ parent_group_id, ip_protocol: 'TCP', from_port: '22', to_port: 22 })).toEqual({
      security_group_id: 'g',
      protocol: 'tcp',
      port_range_min: 22,
      port_range_max: 22,
      remote_ip_prefix: '0.0.0.0/0',
      remote_group_id: null,
    });
    const icmp = { parent_group_id, ip_protocol: 'icmp', from_port: -1, to_port: -1, cidr: '10.0.0.0/8' };
    expect(ingressRule(icmp)).toMatchObject({ protocol: 'icmp', port_range_min: null, remote_ip_prefix: '10.0.0.0/8' });
  });

  it('opens everything to a group that names no ports', () => {
    const group_id = 's';
    expect(ingressRule({ parent_group_id, group_id })).toMatchObject({ protocol: null, remote_group_id: 's' });
    expect(ingressRule({ parent_group_id, group_id, ip_protocol: 'udp' })).toMatchObject({
      port_range_min: 1,
      port_range_max: 65_535,
      remote_ip_prefix: null,
    });
  });

  it.each([
    [{}, 'Not enough parameters to build a valid rule.'],
    [{ ip_protocol: 'tcp', from_port: 1 }, 'Not enough parameters to build a valid rule.'],
    [{ ip_protocol: 'tcp', from_port: 'a', to_port: 2 }, 'Invalid input received: To and From ports must be integers'],
    [{ ip_protocol: 'sctp', from_port: 1, to_port: 2 }, 'Invalid IP protocol sctp.'],
    [
      { ip_protocol: 'tcp', from_port: 9, to_port: 2 },
      'Invalid port range 9:2. Former value cannot be greater than the later',
    ],
    [
      { ip_protocol: 'udp', from_port: 0, to_port: 65_536 },
      'Invalid port range 0:65536. Valid UDP ports should be between 1-65535',
    ],
    [
      { ip_protocol: 'icmp', from_port: 256, to_port: 0 },
      'Invalid port range 256:0. For ICMP, the type:code must be valid',
    ],
    [{ ip_protocol: 'tcp', from_port: 1, to_port: 2, cidr: '1.2.3.4/33' }, '1.2.3.4/33 is not a valid IP network.'],
    [{ ip_protocol: 'tcp', from_port: 1, to_port: 2, cidr: '1.2.3.4/0' }, 'Bad prefix for network in cidr 1.2.3.4/0'],
  ])('is refused: %j', (request, message) => {
    expect(() => ingressRule({ parent_group_id, ...request })).toThrow(message);
  });
});
