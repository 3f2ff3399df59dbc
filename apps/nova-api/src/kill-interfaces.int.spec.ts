import { beforeAll, describe, expect, it } from '@jest/globals';
import { until } from '@nestack/kernel/testing';
import { outage } from '@nestack/nova/testing';
import { Bench } from './testing/bench';
import { idle, survives, tidiesUp } from './testing/survival';

/** The law, for what happens to the interfaces of servers; see kill.int.spec.ts. */
let bench: Bench;

beforeAll(async () => {
  bench = await Bench.start({ hosts: 1 });
}, 60_000);

tidiesUp(() => bench);

async function active(): Promise<string> {
  const id = await bench.boot();
  await bench.until(id, 'ACTIVE');
  return id;
}

const plug = (id: string, interfaceAttachment: Record<string, unknown> = {}) =>
  bench.call('POST', `/servers/${id}/os-interface`, { body: { interfaceAttachment } });

/** The server has the one address that it was made with, and its operations have left no trace. */
async function asBefore(id: string): Promise<void> {
  await idle(bench, id);
  expect(bench.networks.of(id)).toHaveLength(1);
  expect((await bench.show(id))?.['addresses']).toMatchObject({ private: [{}] });
  await told(id);
}

async function told(id: string): Promise<void> {
  const { rows } = await bench.query(
    "SELECT 1 FROM external_event WHERE instance_uuid = $1 AND name = 'interface-request'",
    [id],
  );
  expect(rows).toEqual([]);
}

describe('a cut worker', () => {
  it(
    'of server.attach_interface: the server has two addresses',
    () =>
      survives(bench, {
        kind: 'server.attach_interface',
        places: 10,
        prepare: active,
        act: (id) => plug(id),
        check: async (id) => {
          await idle(bench, id);
          expect((await bench.show(id))?.['addresses']).toMatchObject({ private: [{}, {}] });
          expect(bench.networks.of(id)).toHaveLength(2);
          await told(id);
        },
      }),
    120_000,
  );

  it(
    'of server.attach_interface that the guest refuses: the port is gone',
    () =>
      survives(bench, {
        kind: 'server.attach_interface',
        places: 12,
        prepare: async () => {
          for (const { behaviour } of bench.hosts) behaviour.failures = { attach_interface: 100 };
          return active();
        },
        act: (id) => plug(id),
        check: asBefore,
      }),
    120_000,
  );

  it(
    'of server.attach_interface whose port is made but not told: the port is gone',
    () =>
      survives(bench, {
        kind: 'server.attach_interface',
        places: 8,
        prepare: async () => {
          bench.networks.faults.fail('ensurePort', outage('neutron'), { after: true });
          return active();
        },
        act: async (id) => expect((await plug(id)).status).toBe(503),
        check: asBefore,
      }),
    120_000,
  );

  it(
    "of server.attach_interface of a user's port that the guest refuses: the port is free",
    () =>
      survives(bench, {
        kind: 'server.attach_interface',
        places: 12,
        prepare: async () => {
          for (const { behaviour } of bench.hosts) behaviour.failures = { attach_interface: 100 };
          return { id: await active(), port: bench.networks.addPort(bench.project, bench.network).id };
        },
        act: ({ id, port }) => plug(id, { port_id: port }),
        check: async ({ id, port }) => {
          await asBefore(id);
          expect(bench.networks.ports.get(port)).toMatchObject({ device_id: '' });
        },
      }),
    120_000,
  );

  it(
    'of server.detach_interface: the port is gone',
    () =>
      survives(bench, {
        kind: 'server.detach_interface',
        places: 10,
        prepare: active,
        act: (id) => bench.call('DELETE', `/servers/${id}/os-interface/${bench.networks.of(id)[0]?.id ?? ''}`),
        check: async (id) => {
          await idle(bench, id);
          expect(bench.networks.of(id)).toEqual([]);
          expect((await bench.show(id))?.['addresses']).toEqual({});
        },
      }),
    120_000,
  );
});

describe('a request for an interface', () => {
  it('that neutron lets wait longer than the operation waits: nothing is left, and the caller hears so', async () => {
    const id = await active();
    const answered = bench.networks.faults.hold('ensurePort');
    const asked = plug(id);
    await until('neutron is asked', () => bench.networks.faults.count('ensurePort') > 0);
    await until('the operation gives up', () => bench.networks.faults.count('releaseRequested') > 0, 40_000);
    answered();
    expect((await asked).status).toBe(500);
    await asBefore(id);
    const { json } = await bench.call('GET', `/servers/${id}/os-instance-actions`);
    expect(json['instanceActions']).toContainEqual(
      expect.objectContaining({ action: 'attach_interface', message: expect.any(String) }),
    );
  }, 60_000);
});
