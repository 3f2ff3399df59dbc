import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Bench, type CallOptions } from './testing/bench';
import { idle } from './testing/survival';

process.env['NESTACK_CHECK_RESPONSES'] = '1';

let bench: Bench;

beforeAll(async () => {
  bench = await Bench.start({ hosts: 1 });
}, 60_000);

afterAll(async () => {
  await bench.close();
});

afterEach(async () => {
  await bench.tidy();
  bench.volumes.volumes.clear();
}, 30_000);

const act = (id: string, body: Record<string, unknown>, options: CallOptions = {}) =>
  bench.call('POST', `/servers/${id}/action`, { ...options, body });

async function active(fields: Record<string, unknown> = {}): Promise<string> {
  const id = await bench.boot(fields);
  await bench.until(id, 'ACTIVE');
  return id;
}

async function consoleOf(id: string): Promise<string> {
  return String((await act(id, { 'os-getConsoleOutput': {} })).json['output']);
}

async function actions(id: string): Promise<readonly string[]> {
  const { json } = await bench.call('GET', `/servers/${id}/os-instance-actions`);
  return (json['instanceActions'] as { action: string }[]).map(({ action }) => action);
}

const volume = (fields: Partial<Parameters<typeof bench.volumes.add>[0]> = {}) =>
  bench.volumes.add({ project_id: bench.project, ...fields });

const attach = (id: string, volumeId: string, more: Record<string, unknown> = {}, options: CallOptions = {}) =>
  bench.call('POST', `/servers/${id}/os-volume_attachments`, {
    ...options,
    body: { volumeAttachment: { volumeId, ...more } },
  });

async function withVolume(): Promise<{ id: string; one: ReturnType<typeof volume> }> {
  const id = await active();
  const one = volume();
  expect((await attach(id, one.id)).status).toBe(200);
  await idle(bench, id);
  return { id, one };
}

describe('a volume that grows in use', () => {
  const tell = (...events: Record<string, unknown>[]) =>
    bench.call('POST', '/os-server-external-events', { as: `${bench.project}:service`, body: { events } });

  it('is seen by the guest that runs, and is an action of the server', async () => {
    const { id, one } = await withVolume();
    one.size = 5;
    const answer = await tell({ name: 'volume-extended', server_uuid: id, tag: one.id });
    expect([answer.status, answer.json['events']]).toMatchObject([200, [{ status: 'completed', code: 200 }]]);
    await idle(bench, id);
    expect(await consoleOf(id)).toContain(`/dev/vdb detected capacity change to ${String(5 * 2 ** 21)}`);
    expect((await actions(id))[0]).toBe('extend_volume');
  });

  it('of a server that has it no more, is off, or not named is nothing to see', async () => {
    const { id, one } = await withVolume();
    expect((await tell({ name: 'volume-extended', server_uuid: id })).json['events']).toMatchObject([{ code: 400 }]);
    const other = volume().id;
    expect((await tell({ name: 'volume-extended', server_uuid: id, tag: other })).status).toBe(200);
    await act(id, { 'os-stop': null });
    await bench.until(id, 'SHUTOFF');
    one.size = 2;
    expect((await tell({ name: 'volume-extended', server_uuid: id, tag: one.id })).status).toBe(200);
    await idle(bench, id);
    expect(await consoleOf(id)).not.toContain('capacity change');
    const { rows } = await bench.query('SELECT volume_size FROM block_device_mapping WHERE instance_uuid = $1', [id]);
    expect(rows).toEqual([{ volume_size: 2 }]);
  });

  it('shows an error in its action when the host cannot', async () => {
    const { id, one } = await withVolume();
    for (const { behaviour } of bench.hosts) behaviour.failures = { extend_volume: 100 };
    one.size = 5;
    await tell({ name: 'volume-extended', server_uuid: id, tag: one.id });
    await idle(bench, id);
    for (const { behaviour } of bench.hosts) behaviour.failures = {};
    const { json } = await bench.call('GET', `/servers/${id}/os-instance-actions`, { version: '2.51' });
    expect(json['instanceActions']).toMatchObject([{ action: 'extend_volume', message: 'Error' }, {}, {}]);
    await bench.until(id, 'ACTIVE');
  });
});
