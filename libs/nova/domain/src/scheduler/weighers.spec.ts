import { describe, expect, it } from '@jest/globals';
import { aHost, aRequest, groupOf } from './testing';
import { orderOfTrial, weighersWith, weighHosts } from './weighers';

const hosts = [aHost('small', 1024), aHost('large', 4096), aHost('medium', 2048)];
const never = (): number => 0.5;
const names = (weighed: readonly { host: { host: string } }[]): string[] => weighed.map((one) => one.host.host);

describe('weighers', () => {
  it('prefer what is free', () => {
    const weighed = weighHosts(hosts, weighersWith({ ram: 1, cpu: 1, disk: 1 }), aRequest(), never);
    expect(names(weighed)).toEqual(['large', 'medium', 'small']);
    // All have the same processors, which makes all of them best in this; none has disk.
    expect(weighed.map((one) => one.weight)).toEqual([2, 1.5, 1.25]);
  });

  it('stack with a negative multiplier', () => {
    expect(names(weighHosts(hosts, weighersWith({ ram: -1, cpu: 0, disk: 0 }), aRequest(), never))).toEqual([
      'small',
      'medium',
      'large',
    ]);
  });

  it('follow the soft policies of server groups', () => {
    const free = { ram: 0, cpu: 0, disk: 0 };
    const hosts = ['empty', 'one', 'three'].map((name) => aHost(name));
    const places = { one: ['m1'], three: ['m2', 'm3', 'm4'] };
    const order = (policy: 'soft-affinity' | 'soft-anti-affinity') =>
      weighHosts(hosts, weighersWith(free), aRequest({}, groupOf(policy, places)), never).map(
        ({ host, weight }) => `${host.host} ${weight.toFixed(2)}`,
      );
    expect(order('soft-affinity')).toEqual(['three 1.00', 'one 0.33', 'empty 0.00']);
    expect(order('soft-anti-affinity')).toEqual(['empty 1.00', 'one 0.67', 'three 0.00']);
  });

  it('shuffle equals', () => {
    const equal = ['a', 'b', 'c'].map((name) => aHost(name));
    const draws = [0.9, 0.1, 0.5];
    expect(
      names(weighHosts(equal, weighersWith({ ram: 1, cpu: 1, disk: 1 }), aRequest(), () => draws.shift() ?? 0)),
    ).toEqual(['b', 'c', 'a']);
  });

  it('draw the first of the best, and try all others after it', () => {
    const weighed = weighHosts(hosts, weighersWith({ ram: 1, cpu: 0, disk: 0 }), aRequest(), never);
    expect(names(orderOfTrial(weighed, 1, () => 0.99))).toEqual(['large', 'medium', 'small']);
    expect(names(orderOfTrial(weighed, 2, () => 0.99))).toEqual(['medium', 'large', 'small']);
    expect(orderOfTrial([], 3, never)).toEqual([]);
  });
});
