import { describe, expect, it } from '@jest/globals';
import Type from 'typebox';
import { validatorOf } from './validation';

describe('records in schemas', () => {
  it('check the values behind every key, also one with a line break', () => {
    const valid = validatorOf(Type.Object({ metadata: Type.Record(Type.String(), Type.Integer()) }));
    expect([{ 'a\nb': 1 }, { 'a\nb': null }, { '': 'x' }].map((metadata) => valid({ metadata }))).toEqual([
      true,
      false,
      false,
    ]);
  });

  it('take no keys that do not match their pattern', () => {
    const valid = validatorOf(Type.Record(Type.String({ pattern: '^[A-Z]+$' }), Type.Integer()));
    expect([{ VCPU: 1 }, { vcpu: 1 }, { VCPU: 1, Ü: null }].map((one) => valid(one))).toEqual([true, false, false]);
  });

  it('stay as open as they say, and leave objects with named properties alone', () => {
    const open = validatorOf(
      Type.Record(Type.String({ pattern: '^a$' }), Type.Integer(), { additionalProperties: true }),
    );
    const named = validatorOf(Type.Object({ a: Type.Integer() }));
    expect([open({ b: 'x' }), named({ a: 1, b: 'x' })]).toEqual([true, true]);
  });
});
