import { describe, expect, it } from '@jest/globals';
import { DomainError } from '@nestack/kernel/errors';
import { parseChange, parseCreation } from './attribute';
import { networkResource } from './networks';
import { portResource } from './ports';
import { subnetResource } from './subnets';

function refusal(fn: () => unknown): [string, string] {
  try {
    fn();
  } catch (error) {
    if (error instanceof DomainError) return [error.code, error.message];
    throw error;
  }
  throw new Error('was not refused');
}

describe('attributes in bodies', () => {
  it('take the spellings that upstream takes', () => {
    const parsed = parseCreation(networkResource.attributes, {
      admin_state_up: 'no',
      shared: 0,
      mtu: '1400',
      name: 'n',
    });
    expect(parsed).toMatchObject({ admin_state_up: false, shared: false, mtu: 1400, name: 'n', dns_domain: '' });
    const port = parseCreation(portResource.attributes, {
      network_id: 'A0000000-0000-4000-8000-000000000001',
      mac_address: 'FB-16-3E-00-00-0A',
      tenant_id: 'p',
      fixed_ips: [{ ip_address: 'FD00::0:1' }],
      device_id: null,
    });
    expect(port).toMatchObject({
      network_id: 'a0000000-0000-4000-8000-000000000001',
      mac_address: 'fb:16:3e:00:00:0a',
      project_id: 'p',
      fixed_ips: [{ ip_address: 'fd00::1' }],
      device_id: '',
    });
    expect(port).not.toHaveProperty('tenant_id');
    expect(port).not.toHaveProperty('security_groups');
    expect(parseChange(subnetResource.attributes, { gateway_ip: null, dns_nameservers: null })).toEqual({
      gateway_ip: null,
      dns_nameservers: [],
    });
  });

  it.each([
    [{ name: 5 }, 'HTTPBadRequest', "Invalid input for name. Reason: '5' is not a valid string."],
    [
      { name: 'x'.repeat(256) },
      'HTTPBadRequest',
      `Invalid input for name. Reason: '${'x'.repeat(256)}' exceeds maximum length of 255.`,
    ],
    [{ name: 'a\0b' }, 'HTTPBadRequest', "Invalid input for name. Reason: 'a\0b' is not a valid string."],
    [{ mtu: 'wide' }, 'InvalidInput', "Invalid input for operation: 'wide' is not an integer."],
    [{ mtu: -1 }, 'HTTPBadRequest', "Invalid input for mtu. Reason: '-1' should be non-negative."],
    [{ status: 'ACTIVE' }, 'HTTPBadRequest', "Attribute 'status' not allowed in POST"],
    [{ dns_domain: 'example' }, 'HTTPBadRequest', "Invalid input for dns_domain. Reason: 'example' is not a FQDN."],
    [{ tenant_id: 'a', project_id: 'b' }, 'HTTPBadRequest', "'project_id' and 'tenant_id' do not match"],
    [[], 'HTTPBadRequest', 'Resource body required'],
  ])('are refused: %j', (body, code, message) => {
    expect(refusal(() => parseCreation(networkResource.attributes, body))).toEqual([code, message]);
  });

  it('are needed where they have no default, and stay where they cannot change', () => {
    expect(refusal(() => parseCreation(subnetResource.attributes, { ip_version: 4 }))).toEqual([
      'HTTPBadRequest',
      "Failed to parse request. Required attribute 'network_id' not specified",
    ]);
    expect(refusal(() => parseChange(subnetResource.attributes, { cidr: '10.0.0.0/8' }))).toEqual([
      'HTTPBadRequest',
      'Cannot update read-only attribute cidr',
    ]);
  });
});
