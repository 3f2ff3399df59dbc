import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { newUuid } from '@nestack/kernel/ids';
import { REQUEST_WAIT_MS } from '@nestack/nova/domain';
import { outage } from '@nestack/nova/testing';
import { Bench, type CallOptions } from './testing/bench';
import { idle } from './testing/survival';

process.env['NESTACK_CHECK_RESPONSES'] = '1';
jest.setTimeout(30_000);

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
    bench.call('POST', '/os-server-external-events', {
      version: '2.93',
      as: `${bench.project}:service`,
      body: { events },
    });

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

describe('a shelved server', () => {
  it('takes volumes from 2.20 on, and has them when it is back', async () => {
    const id = await active();
    await act(id, { shelve: null });
    await bench.until(id, 'SHELVED_OFFLOADED');
    const [one, two] = [volume(), volume()];
    const at = { version: '2.60' };
    expect((await attach(id, one.id, {}, { version: '2.19' })).status).toBe(409);
    expect((await attach(id, volume({ multiattach: true }).id, {}, at)).status).toBe(400);
    expect((await attach(id, one.id, { tag: 'data' }, at)).status).toBe(400);
    for (const { id: volumeId } of [one, two]) expect((await attach(id, volumeId, {}, at)).status).toBe(200);
    await idle(bench, id);
    expect([one.status, two.status]).toEqual(['in-use', 'in-use']);
    const gone = `/servers/${id}/os-volume_attachments/${one.id}`;
    expect((await bench.call('DELETE', gone)).status).toBe(409);
    expect((await bench.call('DELETE', gone, at)).status).toBe(202);
    await idle(bench, id);
    expect(one.status).toBe('available');
    await act(id, { unshelve: null });
    await bench.until(id, 'ACTIVE');
    await idle(bench, id);
    expect(two.status).toBe('in-use');
    expect((await bench.call('GET', `/servers/${id}/os-volume_attachments`)).json['volumeAttachments']).toMatchObject([
      { volumeId: two.id, device: expect.stringMatching(/^\/dev\/vd[bc]$/) },
    ]);
  });
});

describe('a volume for several servers', () => {
  it('is shared from 2.60 on', async () => {
    const [first, second] = [await active(), await active()];
    const shared = volume({ multiattach: true });
    const refused = await attach(first, shared.id, {}, { version: '2.59' });
    const message = 'Multiattach volumes are only supported starting with compute API version 2.60.';
    expect([refused.status, refused.json]).toEqual([400, { badRequest: { code: 400, message } }]);
    for (const id of [first, second]) {
      expect((await attach(id, shared.id, {}, { version: '2.60' })).status).toBe(200);
      await idle(bench, id);
    }
    expect(bench.volumes.of(shared.id)).toMatchObject([{ attached: true }, { attached: true }]);
  });
});

describe('an attachment', () => {
  const put = (id: string, volumeId: string, fields: Record<string, unknown>, options: CallOptions = {}) =>
    bench.call('PUT', `/servers/${id}/os-volume_attachments/${volumeId}`, {
      ...options,
      body: { volumeAttachment: fields },
    });
  const admin = { as: `${'0'.repeat(32)}:admin` };
  const attachmentsOf = async (id: string) =>
    (await bench.call('GET', `/servers/${id}/os-volume_attachments`, { version: '2.79' })).json['volumeAttachments'];

  it('goes to another volume of the same size or larger, by who may', async () => {
    const { id, one } = await withVolume();
    const other = volume({ size: 2 });
    expect((await put(id, one.id, { volumeId: other.id })).status).toBe(403);
    expect((await put(id, one.id, { volumeId: other.id }, admin)).status).toBe(202);
    const again = await put(id, one.id, { volumeId: volume().id }, admin);
    expect([400, 404]).toContain(again.status);
    await idle(bench, id);
    expect(await attachmentsOf(id)).toMatchObject([{ volumeId: other.id, device: '/dev/vdb' }]);
    expect([one.status, other.status]).toEqual(['available', 'in-use']);
    expect(bench.volumes.of(one.id)).toEqual([]);
    expect(await consoleOf(id)).toContain(`/dev/vdb is on volume ${other.id}`);
    expect((await actions(id))[0]).toBe('swap_volume');
    // It is a disk like any other.
    expect((await bench.call('DELETE', `/servers/${id}/os-volume_attachments/${other.id}`)).status).toBe(202);
    await idle(bench, id);
    expect(other.status).toBe('available');
  });

  it('is begun and exchanged by the operation when cinder does not answer the request in time', async () => {
    const id = await active();
    const [one, other] = [volume(), volume()];
    // A silent cinder is waited for by the request for less than the operation waits for the request.
    const ask = jest.spyOn(bench.volumes, 'ensureAttachment');
    const asked = Date.now();
    bench.volumes.faults.fail('ensureAttachment', outage('cinder'), { after: true });
    expect((await attach(id, one.id)).status).toBe(200);
    const deadline = ask.mock.calls[0]?.[0].deadline ?? Infinity;
    ask.mockRestore();
    expect(deadline - asked).toBeGreaterThan(0);
    expect(deadline - Date.now()).toBeLessThan(REQUEST_WAIT_MS);
    await idle(bench, id);
    expect([one.status, bench.volumes.of(one.id).length]).toEqual(['in-use', 1]);
    bench.volumes.faults.fail('beginDetaching', outage('cinder'));
    expect((await put(id, one.id, { volumeId: other.id }, admin)).status).toBe(202);
    await idle(bench, id);
    expect([one.status, other.status]).toEqual(['available', 'in-use']);
  });

  it('stays with its volume when the other one does not fit, or the host cannot', async () => {
    const { id, one } = await withVolume();
    one.size = 2;
    const taken = volume({ status: 'in-use', size: 2 });
    const refused = async (volumeId: string, to: string) => {
      const { status, json } = await put(id, volumeId, { volumeId: to }, admin);
      return [status, (Object.values(json)[0] as { message: string }).message];
    };
    expect(await refused(one.id, volume().id)).toEqual([
      400,
      'Invalid volume: New volume must be the same size or larger.',
    ]);
    expect(await refused(volume().id, one.id)).toEqual([
      400,
      'Invalid volume: Old volume is attached to a different instance.',
    ]);
    const unknown = newUuid();
    expect(await refused(unknown, one.id)).toEqual([404, `Volume ${unknown} could not be found.`]);
    expect(await refused(one.id, unknown)).toEqual([400, `Volume ${unknown} could not be found.`]);
    expect((await refused(one.id, taken.id))[0]).toBe(400);
    await idle(bench, id);
    for (const { behaviour } of bench.hosts) behaviour.failures = { swap_volume: 100 };
    const other = volume({ size: 2 });
    expect((await put(id, one.id, { volumeId: other.id }, admin)).status).toBe(202);
    await idle(bench, id);
    for (const { behaviour } of bench.hosts) behaviour.failures = {};
    expect([one.status, other.status]).toEqual(['in-use', 'available']);
    expect(await attachmentsOf(id)).toMatchObject([{ volumeId: one.id }]);
    const { json } = await bench.call('GET', `/servers/${id}/os-instance-actions`, { version: '2.51' });
    expect((json['instanceActions'] as unknown[])[0]).toMatchObject({ action: 'swap_volume', message: 'Error' });
  });

  it('says from 2.85 on what becomes of the volume with its server, and nothing else', async () => {
    const { id, one } = await withVolume();
    const version = { version: '2.85' };
    const same = { volumeId: one.id, id: one.id, serverId: id, device: '/dev/vdb' };
    expect((await put(id, one.id, { ...same, delete_on_termination: true }, version)).status).toBe(202);
    expect(await attachmentsOf(id)).toMatchObject([{ delete_on_termination: true }]);
    for (const [key, value] of [
      ['id', newUuid()],
      ['serverId', newUuid()],
      ['device', '/dev/vdz'],
      ['tag', 'other'],
    ] as const) {
      const { status, json } = await put(id, one.id, { ...same, [key]: value }, version);
      expect([status, json]).toEqual([
        400,
        { badRequest: { code: 400, message: `The ${key} property is not mutable` } },
      ]);
    }
    expect((await put(id, one.id, { volumeId: one.id, delete_on_termination: true })).status).toBe(400);
    const none = newUuid();
    const missing = await put(id, none, { volumeId: none, delete_on_termination: false }, version);
    expect([missing.status, missing.json]).toMatchObject([
      404,
      { itemNotFound: { message: `No volume Block Device Mapping with id ${none}.` } },
    ]);
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
