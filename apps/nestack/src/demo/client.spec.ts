import { describe, expect, it } from '@jest/globals';
import { addressOf, fieldOf } from './client';

const OUTPUT = `
+-----------+--------------------------------------+
| Field     | Value                                |
+-----------+--------------------------------------+
| addresses | demo-net=192.168.77.12               |
| id        | 0f0e0d0c-1111-2222-3333-444455556666 |
+-----------+--------------------------------------+
`;

describe("the client's tables", () => {
  it('give fields', () => {
    expect(fieldOf(OUTPUT, 'id')).toBe('0f0e0d0c-1111-2222-3333-444455556666');
    expect(() => fieldOf(OUTPUT, 'status')).toThrow('no field status');
  });

  it('give addresses in every form of the client', () => {
    expect(addressOf(fieldOf(OUTPUT, 'addresses'))).toBe('192.168.77.12');
    expect(addressOf("{'net': ['10.0.0.5', 'fd00::5']}")).toBe('10.0.0.5');
    expect(() => addressOf('net=')).toThrow('no address');
  });
});
