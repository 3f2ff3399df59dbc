import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import Type from 'typebox';
import { configReference, loadConfig } from './index';

const schema = Type.Object({
  name: Type.String(),
  port: Type.Integer({ minimum: 1, default: 80, description: 'Where it listens.' }),
  level: Type.Optional(Type.Union([Type.Literal('info'), Type.Literal('debug')], { default: 'info' })),
  database: Type.Optional(Type.Object({ url: Type.String(), pool_size: Type.Optional(Type.Integer({ default: 10 })) })),
  labels: Type.Optional(Type.Record(Type.String(), Type.String())),
});

const dir = mkdtempSync(join(tmpdir(), 'nestack-config-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function file(text: string): string {
  const path = join(dir, 'settings.yaml');
  writeFileSync(path, text);
  return path;
}

describe('loadConfig', () => {
  it('takes a section of a file, then the environment, then overrides, and fills defaults', () => {
    const config = loadConfig(schema, {
      file: file('api:\n  name: one\n  database: {url: "postgres://a"}\n  labels: {any: thing}\n'),
      section: 'api',
      env: { NESTACK__api__port: '8080', NESTACK__api__name: '123', NESTACK__other__name: 'x', PATH: '/bin' },
      overrides: { database: { pool_size: 3 } },
    });
    expect(config).toEqual({
      name: '123',
      port: 8080,
      level: 'info',
      database: { url: 'postgres://a', pool_size: 3 },
      labels: { any: 'thing' },
    });
  });

  it('names an unknown key and what is allowed', () => {
    expect(() => loadConfig(schema, { file: file('name: a\ndatabase: {url: x, pool: 3}\n') })).toThrow(
      /unknown key database\.pool \(allowed here: url, pool_size\)/,
    );
  });

  it('names what is missing or wrong', () => {
    expect(() => loadConfig(schema, { overrides: { port: 0 } })).toThrow(/missing key name.*port must be >= 1/);
    expect(() => loadConfig(schema, { file: join(dir, 'absent.yaml') })).toThrow(/absent\.yaml/);
  });

  it('writes a reference', () => {
    expect(configReference(schema)).toContain('| `port` | integer | `80` | Where it listens. |');
    expect(configReference(schema)).toContain('| `database.url` | string | required |  |');
  });
});
