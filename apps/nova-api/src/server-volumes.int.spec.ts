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

/** A server whose root is a volume made of the stock image. */
async function volumeBacked(): Promise<{ id: string; root: string }> {
  const disk = { source_type: 'image', uuid: bench.image, destination_type: 'volume', boot_index: 0, volume_size: 1 };
  const id = await active({ imageRef: undefined, block_device_mapping_v2: [disk] });
  const { json } = await bench.call('GET', `/servers/${id}/os-volume_attachments`);
  return { id, root: (json['volumeAttachments'] as { volumeId: string }[])[0]?.volumeId ?? '' };
}

describe('a server whose root is a volume', () => {
  it('is rebuilt with its own image, and with another one from 2.93 on', async () => {
    bench.volumes.onReimaged = (volumeId, server_uuid) => {
      const event = { name: 'volume-reimaged', server_uuid, tag: volumeId };
      void bench.call('POST', '/os-server-external-events', {
        as: `${bench.project}:service`,
        body: { events: [event] },
        version: '2.93',
      });
    };
    const { id, root } = await volumeBacked();
    const other = bench.images.add();
    const rebuild = (imageRef: string, version: string) => act(id, { rebuild: { imageRef } }, { version });
    expect((await rebuild(bench.image, '2.1')).status).toBe(202);
    await bench.until(id, 'ACTIVE');
    expect(bench.volumes.faults.count('reimage')).toBe(0);
    expect((await rebuild(other, '2.92')).json['badRequest']).toMatchObject({
      message: `Image ${other} is unacceptable: Unable to rebuild with a different image for a volume-backed server.`,
    });
    const large = bench.images.add({ min_disk: 20 });
    expect((await rebuild(large, '2.93')).status).toBe(400);
    const answer = await rebuild(other, '2.93');
    expect([answer.status, answer.json['server']]).toMatchObject([202, { status: 'REBUILD', image: '' }]);
    await bench.until(id, 'ACTIVE');
    expect(bench.volumes.contents.get(root)).toBe(other);
    expect(bench.volumes.of(root)).toMatchObject([{ instance: id, attached: true }]);
    expect(bench.volumes.volumes.get(root)?.status).toBe('in-use');
    expect((await rebuild(other, '2.1')).status).toBe(202);
    await bench.until(id, 'ACTIVE');
  }, 30_000);

  it('ends in ERROR when cinder fails to put the image on it, and goes without trace', async () => {
    bench.volumes.onReimaged = (volumeId, server_uuid) => {
      const event = { name: 'volume-reimaged', server_uuid, tag: volumeId, status: 'failed' };
      void bench.call('POST', '/os-server-external-events', {
        as: `${bench.project}:service`,
        body: { events: [event] },
        version: '2.93',
      });
    };
    const { id, root } = await volumeBacked();
    await act(id, { rebuild: { imageRef: bench.images.add() } }, { version: '2.93' });
    expect((await bench.until(id, 'ERROR'))['fault']).toMatchObject({
      message: 'Failed to rebuild volume backed instance.',
    });
    expect(bench.volumes.of(root)).toHaveLength(1);
    await bench.call('DELETE', `/servers/${id}`);
    await bench.until(id, 'GONE');
    expect(await bench.leftovers()).toEqual([]);
  }, 30_000);

  it('is rescued from 2.87 on, with an image that says as which disk', async () => {
    const { id, root } = await volumeBacked();
    const plain = bench.images.add();
    const fit = bench.images.add({ properties: { hw_rescue_device: 'cdrom', hw_rescue_bus: 'scsi' } });
    const rescue = (rescue_image_ref: string | null, version: string) =>
      act(id, { rescue: rescue_image_ref === null ? null : { rescue_image_ref } }, { version });
    for (const [image, version] of [
      [fit, '2.86'],
      [plain, '2.87'],
      [null, '2.87'],
    ] as const) {
      const refused = await rescue(image, version);
      expect([refused.status, refused.json['badRequest']]).toMatchObject([
        400,
        { message: `Instance ${id} cannot be rescued: Cannot rescue a volume-backed instance` },
      ]);
    }
    const unknown = '5e0d0b3c-5b0e-4b5c-9d0e-000000000000';
    expect((await rescue(unknown, '2.87')).json['badRequest']).toMatchObject({
      message: `Requested rescue image '${unknown}' is not supported`,
    });
    expect((await rescue(fit, '2.87')).status).toBe(200);
    await bench.until(id, 'RESCUE');
    expect(bench.volumes.volumes.get(root)?.status).toBe('in-use');
    expect((await act(id, { unrescue: null })).status).toBe(202);
    await bench.until(id, 'ACTIVE');
  }, 30_000);
});
