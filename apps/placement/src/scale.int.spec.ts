import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execute } from '@nestack/kernel/db';
import { TestPlacement } from './test-app';

let placement: TestPlacement;

beforeAll(async () => {
  placement = await TestPlacement.start();
});

afterAll(async () => {
  await placement.close();
});

const ZONES = ['b3b25b3f-0b3c-4a3c-9f0a-5f4b8c3f0001', 'b3b25b3f-0b3c-4a3c-9f0a-5f4b8c3f0002'];

/**
 * Hosts of 64 GiB in two aggregates, one in fifty disabled, `full` percent of them without free memory. Written by SQL:
 * thousands by the API would take minutes.
 */
async function addProviders(from: number, to: number, full: number): Promise<void> {
  await placement.test.database.run('scale.fill', async (tx) => {
    const range = [from, to];
    await execute(
      tx,
      `INSERT INTO resource_provider (id, uuid, name, root_id)
       SELECT n.id, gen_random_uuid(), 'host-' || n.id, n.id FROM (SELECT nextval('resource_provider_id')::integer AS id
         FROM generate_series($1::integer, $2::integer)) n`,
      range,
    );
    await execute(
      tx,
      `INSERT INTO inventory (provider_id, resource_class, total, reserved, min_unit, max_unit, step_size, allocation_ratio, used)
       SELECT p.id, c.name, c.total, 0, 1, c.total, 1, c.ratio, CASE WHEN c.name = 'MEMORY_MB' AND p.id % 100 < $1 THEN c.total ELSE 0 END
       FROM resource_provider p, (VALUES ('VCPU', 32, 4), ('MEMORY_MB', 65536, 1), ('DISK_GB', 1000, 1)) AS c (name, total, ratio)
       WHERE NOT EXISTS (SELECT 1 FROM inventory i WHERE i.provider_id = p.id)`,
      [full],
    );
    await execute(
      tx,
      `INSERT INTO provider_trait (provider_id, trait)
       SELECT p.id, t.name FROM resource_provider p, trait t WHERE t.name LIKE 'COMPUTE_NET_VIF%' OR t.name LIKE 'HW_CPU_X86_SSE%'
         OR (t.name = 'COMPUTE_STATUS_DISABLED' AND p.id % 50 = 0) ON CONFLICT DO NOTHING`,
    );
    await execute(
      tx,
      `INSERT INTO provider_aggregate (provider_id, aggregate_uuid)
       SELECT p.id, ($1::uuid[])[1 + p.id % 2] FROM resource_provider p ON CONFLICT DO NOTHING`,
      [ZONES],
    );
  });
  await placement.test.database.read('scale.analyze', (tx) => execute(tx, 'ANALYZE'));
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

const FORM = { project_id: 'p', user_id: 'u', consumer_generation: null, consumer_type: 'INSTANCE' };

interface Cost {
  readonly find: number;
  readonly claim: number;
  /** The shortest times: what else runs on the machine does not lengthen them. */
  readonly least: readonly [number, number];
}

/** Median milliseconds of finding candidates and of claiming one, over HTTP. */
async function measure(limit: number, rounds = 60, more = ''): Promise<Cost> {
  const [find, claim]: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round += 1) {
    const began = performance.now();
    const { json } = await placement.call(
      'GET',
      `/allocation_candidates?resources=MEMORY_MB:2048,VCPU:1,DISK_GB:20&required=!COMPUTE_STATUS_DISABLED&limit=${String(limit)}${more}`,
    );
    const asked = performance.now();
    const requests = json['allocation_requests'] as object[];
    expect(requests).toHaveLength(limit);
    const answer = await placement.call('PUT', `/allocations/${randomUUID()}`, {
      body: { ...FORM, ...requests[round % limit] },
    });
    expect(answer.status).toBe(204);
    find.push(asked - began);
    claim.push(performance.now() - asked);
  }
  return { find: median(find), claim: median(claim), least: [Math.min(...find), Math.min(...claim)] };
}

describe('the cost of a claim', () => {
  it('does not grow with the number of providers', async () => {
    await addProviders(1, 1000, 0);
    await measure(64, 80);
    const small = await measure(64);
    await addProviders(1001, 10_000, 50);
    const large = await measure(64);
    const zone = await measure(64, 30, `&member_of=${String(ZONES[0])}`);
    const report = { 1000: small, 10000: large, '10000, zone': zone, '10000, limit 1000': await measure(1000, 10) };
    process.stdout.write(`placement, median ms: ${JSON.stringify(report)}\n`);
    for (const cost of [large, zone]) {
      expect(cost.least[0]).toBeLessThan(Math.max(3 * small.least[0], 10));
      expect(cost.least[1]).toBeLessThan(Math.max(3 * small.least[1], 10));
    }
  }, 120_000);
});
