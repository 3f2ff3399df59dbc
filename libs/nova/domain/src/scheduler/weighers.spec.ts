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

  it('keep away from hosts that are busy, and prefer newer hypervisors', () => {
    const hosts = [aHost('busy', 4096, { num_io_ops: 4 }), aHost('idle'), aHost('some', 4096, { num_io_ops: 1 })];
    const order = (given: object) => weighHosts(hosts, weighersWith(given), aRequest(), never);
    expect(names(order({}))).toEqual(['idle', 'some', 'busy']);
    expect(names(order({ io_ops: 1 }))).toEqual(['busy', 'some', 'idle']);
    const [old, young] = [aHost('old'), aHost('young')];
    const newer = { ...young, facts: { ...young.facts, hypervisor_version: 9_000_000 } };
    expect(names(weighHosts([old, newer], weighersWith(), aRequest(), never))).toEqual(['young', 'old']);
    const full = aHost('full', 4096, { num_instances: 9 });
    expect(names(weighHosts([full, old], weighersWith({ num_instances: -1 }), aRequest(), never))).toEqual([
      'old',
      'full',
    ]);
  });

  it('take multipliers from the aggregates of hosts, the least one, if they are numbers', () => {
    const of = (...metadata: Record<string, string>[]) => [
      aHost('plain', 2048),
      aHost('other', 4096, { aggregates: metadata }),
    ];
    const order = (hosts: ReturnType<typeof of>) =>
      names(weighHosts(hosts, weighersWith({ cpu: 0, disk: 0 }), aRequest(), never));
    expect(order(of({ ram_weight_multiplier: '-1' }, { ram_weight_multiplier: '3' }))).toEqual(['plain', 'other']);
    expect(order(of({ ram_weight_multiplier: 'much' }))).toEqual(['other', 'plain']);
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
