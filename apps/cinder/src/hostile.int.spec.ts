import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { cinderApi } from '@nestack/cinder/contract';
import { TestCinder } from './testing/test-cinder';

jest.setTimeout(60_000);

/** Whatever is sent, the answer is an error of the client's, in the service's envelope, and nothing is changed. */
let cinder: TestCinder;

beforeAll(async () => {
  cinder = await TestCinder.start();
}, 60_000);

afterAll(() => cinder.close());

const ODD_TEXTS = ['a\u0000b', '\ud800', '../../etc/passwd', "'; DROP TABLE volume; --", '%s%n', 'é'.repeat(255), ''];
const ODD_VALUES: readonly unknown[] = [
  ...ODD_TEXTS,
  null,
  true,
  -1,
  0,
  1.5,
  2 ** 53,
  1e300,
  [],
  {},
  [[]],
  { a: null },
];

/** The body of an operation with every property of its own set to one value. */
function bodiesOf(operation: (typeof cinderApi.operations)[number], value: unknown): unknown[] {
  if (operation.body === undefined) return [];
  if (operation.action !== undefined)
    return [
      { [operation.action]: value },
      { [operation.action]: { status: value, new_size: value, connector: value } },
    ];
  const schema = operation.body as { properties?: Record<string, { properties?: Record<string, unknown> }> };
  return Object.entries(schema.properties ?? {}).flatMap(([name, inner]) => [
    { [name]: value },
    ...Object.keys(inner.properties ?? {}).map((key) => ({
      [name]: { size: 1, volume_id: 'x', name: 'n', [key]: value },
    })),
  ]);
}

describe('odd input', () => {
  it('in bodies is refused or taken, and never an error of ours', async () => {
    let asked = 0;
    for (const operation of cinderApi.operations) {
      for (const value of ODD_VALUES) {
        for (const body of bodiesOf(operation, value)) {
          const url = operation.path.replaceAll(/\{\w+\}/g, '6b0c1a0e-0000-4000-8000-000000000000');
          const { status, json } = await cinder.call(operation.method, url, { as: 'odd:admin', version: '3.71', body });
          asked += 1;
          if (status >= 500) throw new Error(`${operation.id} ${JSON.stringify(body)}: ${JSON.stringify(json)}`);
          if (status >= 400) {
            const [fault] = Object.values(json) as { code: number; message: string }[];
            expect([operation.id, fault?.code, typeof fault?.message]).toEqual([operation.id, status, 'string']);
          }
        }
      }
    }
    expect(asked).toBeGreaterThan(1000);
  }, 120_000);

  it('in paths and queries is absent or refused', async () => {
    const keys = [
      'limit',
      'offset',
      'marker',
      'sort',
      'sort_key',
      'name',
      'status',
      'size',
      'bootable',
      'metadata',
      'created_at',
      'volume_id',
      'all_tenants',
      'with_count',
      'is_public',
    ];
    for (const operation of cinderApi.operations.filter((one) => one.method === 'GET')) {
      for (const value of ODD_TEXTS.filter((text) => text !== '\ud800')) {
        const text = encodeURIComponent(value);
        if (operation.path.includes('{')) {
          const url = operation.path.replaceAll(/\{\w+\}/g, text === '' ? '%20' : text);
          expect([
            operation.id,
            value,
            (await cinder.call('GET', url, { as: 'odd:admin', version: '3.71' })).status < 500,
          ]).toEqual([operation.id, value, true]);
        } else {
          for (const key of keys) {
            const { status } = await cinder.call('GET', `${operation.path}?${key}=${text}`, {
              as: 'odd:admin',
              version: '3.71',
            });
            expect([operation.id, key, value, status < 500]).toEqual([operation.id, key, value, true]);
          }
        }
      }
    }
  }, 120_000);

  it('as a whole body is refused', async () => {
    for (const [text, status] of [
      ['{', 400],
      ['null', 400],
      ['[]', 400],
      ['"x"', 400],
      [`{"volume": {"size": 1, "name": "${'x'.repeat(200_000)}"}}`, 413],
      [`{"volume": ${'['.repeat(20_000)}${']'.repeat(20_000)}}`, 400],
    ] as const) {
      const answer = await cinder.send('POST', '/v3/odd/volumes', text, { as: 'odd:member' });
      expect([text.slice(0, 20), answer.status]).toEqual([text.slice(0, 20), status]);
    }
    expect((await cinder.call('GET', '/volumes', { as: 'odd:nonsense' })).status).toBe(401);
  });
});
