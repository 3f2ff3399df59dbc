import { describe, expect, it } from '@jest/globals';
import { exampleOf } from './example-of';

describe('the smallest value of a schema', () => {
  it('has what is required, and no more', () => {
    const name = { type: 'string', minLength: 1 };
    const schema = {
      type: 'object',
      required: ['server', 'kind'],
      properties: {
        server: {
          type: 'object',
          required: ['id', 'count'],
          properties: { id: { type: 'string', format: 'uuid' }, count: { type: 'integer', minimum: 3 }, name },
        },
        kind: { anyOf: [{ type: 'null' }, { enum: ['a', 'b'] }] },
        tags: { type: 'array', items: name },
      },
    };
    expect(exampleOf(schema)).toEqual({ server: { id: '5e0d0b3c-5b0e-4b5c-9d0e-000000000000', count: 3 }, kind: 'a' });
    expect(exampleOf({ type: 'object', minProperties: 1, properties: { name } })).toEqual({ name: 'x' });
    expect(exampleOf({ type: 'array', minItems: 2, items: name })).toEqual(['x', 'x']);
    expect(exampleOf({ type: 'string', pattern: '^[0-9]+$' })).toBe('1');
    expect(() => exampleOf({ type: 'string', pattern: '^never-seen$' })).toThrow('no example');
  });
});
