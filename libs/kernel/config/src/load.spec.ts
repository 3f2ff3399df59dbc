import { describe, expect, it } from '@jest/globals';
import Type from 'typebox';
import { configReference, loadConfig } from './index';

const schema = Type.Object(
  {
    port: Type.Integer(),
    bind: Type.Optional(Type.String({ default: '127.0.0.1' })),
    database: Type.Object({ url: Type.String() }, { additionalProperties: false }),
  },
  { additionalProperties: false },
);

describe('loadConfig', () => {
  it('fills defaults and lets the environment win', () => {
    const config = loadConfig(schema, {
      values: { port: 1, database: { url: 'a' } },
      env: { NESTACK__DATABASE__URL: 'b', NESTACK__PORT: '8774', OTHER: 'x' },
    });
    expect(config).toEqual({ port: 8774, bind: '127.0.0.1', database: { url: 'b' } });
  });

  it('names unknown and missing keys', () => {
    expect(() => loadConfig(schema, { values: { prot: 1, database: { url: 'a' } } })).toThrow(
      /'port' is missing[\s\S]*unknown key 'prot'; known are bind, database, port/,
    );
  });

  it('documents each setting', () => {
    expect(configReference('app', schema)).toContain('| `database.url` | string | required |');
  });
});
