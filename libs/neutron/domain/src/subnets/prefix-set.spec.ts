import { describe, expect, it } from '@jest/globals';
import { anyOverlap, compact, covers, without } from './prefix-set';
import { checkPools, defaultGateway, defaultPools, networkOf, poolSize } from './subnet-plan';

describe('sets of prefixes', () => {
  it('are as few as can be', () => {
    expect(compact(['10.0.0.0/25', '10.0.0.128/25']).prefixes).toEqual(['10.0.0.0/24']);
    expect(compact(['10.0.1.0/24', '10.0.0.0/8', '192.168.0.0/16']).prefixes).toEqual(['10.0.0.0/8', '192.168.0.0/16']);
    expect(compact(['10.0.1.0/24', '10.0.2.0/24']).prefixes).toEqual(['10.0.1.0/24', '10.0.2.0/24']);
    expect(compact(['fd00::/65', 'fd00:0:0:0:8000::/65'])).toEqual({ version: 6, prefixes: ['fd00::/64'] });
    expect(compact(['0.0.0.0/1', '128.0.0.0/1']).prefixes).toEqual(['0.0.0.0/0']);
    expect(() => compact([])).toThrow('Empty subnet pool prefix list.');
    expect(() => compact(['10.0.0.0/8', 'fd00::/8'])).toThrow('Cannot mix');
  });

  it('contain, lack and overlap', () => {
    expect(covers(['10.0.0.0/8'], ['10.1.0.0/16', '10.2.0.0/16'])).toBe(true);
    expect(covers(['10.0.0.0/9'], ['10.200.0.0/16'])).toBe(false);
    expect(without(['10.0.0.0/24'], ['10.0.0.64/26'])).toEqual(['10.0.0.0/26', '10.0.0.128/25']);
    expect(without(['10.0.0.0/24'], ['10.0.0.0/16'])).toEqual([]);
    expect(without(['10.0.0.0/24'], ['10.1.0.0/16'])).toEqual(['10.0.0.0/24']);
    expect(anyOverlap(['10.0.0.0/24'], ['10.0.1.0/24', '10.0.0.128/25'])).toBe(true);
  });
});

describe('a subnet by itself', () => {
  it.each([
    ['10.0.0.0/24', '10.0.0.1', [['10.0.0.2', '10.0.0.254']], 253],
    ['10.0.0.0/30', '10.0.0.1', [['10.0.0.2', '10.0.0.2']], 1],
    ['10.0.0.0/31', '10.0.0.1', [], 0],
    ['10.0.0.7/32', '10.0.0.7', [['10.0.0.7', '10.0.0.7']], 1],
    ['fd00::/126', 'fd00::1', [['fd00::2', 'fd00::3']], 2],
  ])('%s has the gateway %s and a pool', (cidr, gateway, pools, size) => {
    const network = networkOf(cidr);
    expect(defaultGateway(network)).toBe(gateway);
    const found = defaultPools(network, gateway);
    expect(found.map((pool) => [pool.start, pool.end])).toEqual(pools);
    expect(poolSize(found)).toBe(size);
  });

  it('leaves a gateway in its middle out, and none when there is none', () => {
    const network = networkOf('10.0.0.0/29');
    expect(defaultPools(network, '10.0.0.3')).toEqual([
      { start: '10.0.0.1', end: '10.0.0.2' },
      { start: '10.0.0.4', end: '10.0.0.6' },
    ]);
    expect(defaultPools(network, null)).toEqual([{ start: '10.0.0.1', end: '10.0.0.6' }]);
    expect(defaultPools(network, '192.0.2.1')).toEqual([{ start: '10.0.0.1', end: '10.0.0.6' }]);
    expect(() => checkPools(network, [{ start: '10.0.0.0', end: '10.0.0.3' }], null)).toThrow('spans beyond');
    expect(() => checkPools(network, [{ start: 'fd00::1', end: 'fd00::2' }], null)).toThrow('not valid');
  });
});
