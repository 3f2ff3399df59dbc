import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { newUuid } from '@nestack/kernel/ids';
import { Bench } from './testing/bench';

process.env['NESTACK_CHECK_RESPONSES'] = '1';
jest.setTimeout(30_000);

/** Disks that a create request names, in all their forms. */
let bench: Bench;
let flavor: string;

beforeAll(async () => {
  bench = await Bench.start();
  flavor = await bench.addFlavor({ vcpus: 1, ram: 64, disk: 1, 'OS-FLV-EXT-DATA:ephemeral': 2, swap: 512 });
}, 60_000);

afterAll(async () => {
  await bench.tidy();
  await bench.close();
});

type Disk = Record<string, unknown>;

const post = (disks: Disk[], more: Disk = {}, version = '2.67') =>
  bench.call('POST', '/servers', {
    version,
    body: {
      server: {
        name: 'vm',
        flavorRef: flavor,
        networks: 'none',
        imageRef: bench.image,
        block_device_mapping_v2: disks,
        ...more,
      },
    },
  });
const local = () => ({ source_type: 'image', uuid: bench.image, destination_type: 'local', boot_index: 0 });
const blank = (fields: Disk): Disk => ({ source_type: 'blank', destination_type: 'local', boot_index: -1, ...fields });
const volume = (fields: Disk = {}) => ({
  source_type: 'volume',
  destination_type: 'volume',
  uuid: bench.volumes.add({ project_id: bench.project, bootable: true }).id,
  ...fields,
});
const image = (fields: Disk = {}) => ({
  source_type: 'image',
  destination_type: 'volume',
  uuid: bench.image,
  volume_size: 1,
  ...fields,
});
const invalid = (details: string) => `Block Device Mapping is Invalid: ${details}`;
const SEQUENCE = invalid('Boot sequence for the instance and image/block device mapping combination is not valid.');
const nowhere = newUuid();

describe('disks of a server', () => {
  it.each<[string, () => Disk[], Disk, string]>([
    [
      'no source',
      () => [local(), { uuid: nowhere, destination_type: 'volume' }],
      {},
      invalid('Some required fields are missing'),
    ],
    ['a blank with a uuid', () => [local(), blank({ uuid: nowhere })], {}, invalid('Invalid device UUID.')],
    ['a volume without one', () => [local(), { source_type: 'volume' }], {}, invalid('Missing device UUID.')],
    [
      'an image on a local disk that is not the root',
      () => [local(), { ...local(), boot_index: 1 }],
      {},
      invalid('Mapping image to local is not supported.'),
    ],
    [
      'an image on a local disk beside no image',
      () => [local()],
      { imageRef: undefined },
      invalid('Mapping image to local is not supported.'),
    ],
    [
      'a type for a local disk',
      () => [local(), blank({ volume_type: 'fast' })],
      {},
      invalid('Specifying a volume_type with destination_type=local is not supported.'),
    ],
    [
      'a type for a volume that is there',
      () => [local(), volume({ volume_type: 'fast' })],
      {},
      invalid('Specifying volume type to existing volume is not supported.'),
    ],
    [
      'a name with blanks',
      () => [local(), volume({ device_name: '/dev/ vdb' })],
      {},
      "Invalid input for field/attribute device_name. Value: /dev/ vdb. '/dev/ vdb' does not match '^[a-zA-Z0-9._/-]*$'",
    ],
    [
      'a bus that there is not',
      () => [local(), volume({ disk_bus: 'omnibus' })],
      {},
      'Block Device Mapping is invalid: The provided disk bus omnibus is not valid.',
    ],
    [
      "the root's name for another disk",
      () => [local(), volume({ device_name: 'vda' })],
      {},
      'The volume cannot be assigned the same device name as the root device vda',
    ],
    ['no boot disk', () => [volume({ boot_index: -1 })], {}, SEQUENCE],
    ['no first boot disk', () => [volume({ boot_index: 1 })], { imageRef: undefined }, SEQUENCE],
    ['two first boot disks', () => [local(), volume({ boot_index: 0 })], {}, SEQUENCE],
    ['a gap in the order', () => [local(), volume({ boot_index: 2 })], {}, SEQUENCE],
    ['an unknown volume', () => [local(), volume({ uuid: nowhere })], {}, invalid(`failed to get volume ${nowhere}.`)],
    [
      'an unknown snapshot',
      () => [local(), { source_type: 'snapshot', destination_type: 'volume', uuid: nowhere }],
      {},
      invalid(`failed to get snapshot ${nowhere}.`),
    ],
    ['an unknown image', () => [local(), image({ uuid: nowhere })], {}, invalid(`failed to get image ${nowhere}.`)],
    [
      'an image on a volume of no size',
      () => [local(), image({ volume_size: undefined })],
      {},
      "Images with destination_type 'volume' need to have a non-zero size specified",
    ],
    [
      'a blank volume of no size',
      () => [local(), blank({ destination_type: 'volume' })],
      {},
      "Blank volumes (source: 'blank', dest: 'volume') need to have non-zero size",
    ],
    [
      'two swap disks',
      () => [local(), blank({ guest_format: 'swap', volume_size: 1 }), blank({ guest_format: 'swap', volume_size: 1 })],
      {},
      invalid('More than one swap drive requested.'),
    ],
    [
      'more swap than the flavor has',
      () => [local(), blank({ guest_format: 'swap', volume_size: 513 })],
      {},
      'Swap drive requested is larger than instance type allows.',
    ],
    [
      'more ephemeral room than the flavor has',
      () => [local(), blank({ volume_size: 3 })],
      {},
      'Ephemeral disks requested are larger than the instance type allows. If no size is given in one block device mapping, flavor ephemeral size will be used.',
    ],
    [
      'more local disks than there may be',
      () => [
        local(),
        blank({ volume_size: 1 }),
        blank({ volume_size: 1 }),
        blank({ guest_format: 'swap', volume_size: 1 }),
      ],
      {},
      invalid('You specified more local devices than the limit allows'),
    ],
    [
      'a volume for several servers',
      () => [local(), volume()],
      { min_count: 2 },
      'Cannot attach one or more volumes to multiple instances',
    ],
    [
      'both forms at once',
      () => [local()],
      { block_device_mapping: [{ device_name: 'vdb', volume_id: nowhere }] },
      'Using different block_device_mapping syntaxes is not allowed in the same request.',
    ],
  ])('are refused with %s', async (_what, disks, more, message) => {
    const answer = await post(disks(), more);
    expect([answer.status, answer.json]).toEqual([400, { badRequest: { code: 400, message } }]);
  });

  it('want 2.60 for volumes for several servers, and 2.67 for types', async () => {
    const shared = bench.volumes.add({ project_id: bench.project, bootable: true, multiattach: true });
    const disks = [local(), { source_type: 'volume', destination_type: 'volume', uuid: shared.id, boot_index: -1 }];
    expect((await post(disks, {}, '2.59')).json).toMatchObject({
      badRequest: { message: 'Multiattach volumes are only supported starting with compute API version 2.60.' },
    });
    expect((await post([image({ boot_index: 0, volume_type: 'fast' })], { imageRef: undefined }, '2.66')).status).toBe(
      400,
    );
    for (const name of ['one', 'two']) {
      const { status, json } = await post(disks, { name }, '2.60');
      expect(status).toBe(202);
      await bench.until((json['server'] as { id: string }).id, 'ACTIVE');
    }
    expect(bench.volumes.of(shared.id)).toMatchObject([{ attached: true }, { attached: true }]);
    await bench.tidy();
  });

  it('may be of every kind: image, volume, snapshot, blank, swap and ephemeral', async () => {
    const source = bench.volumes.add({ project_id: bench.project, size: 3 });
    const ctx = {} as never;
    const snapshot = await bench.volumes.ensureSnapshot(ctx, { volume_id: source.id, name: 's', key: 'k' });
    const made = await post(
      [
        image({ boot_index: 0, tag: 'root' }),
        volume({ boot_index: 1 }),
        { source_type: 'snapshot', destination_type: 'volume', uuid: snapshot.id },
        blank({ destination_type: 'volume', volume_size: 2, delete_on_termination: true }),
        blank({ guest_format: 'swap', volume_size: 256 }),
        blank({ volume_size: 1 }),
        blank({ volume_size: 1 }),
        { no_device: true, device_name: '/dev/vdx' },
      ],
      { imageRef: undefined },
    );
    expect(made.status).toBe(202);
    const { id } = made.json['server'] as { id: string };
    await bench.until(id, 'ACTIVE');
    const { json } = await bench.call('GET', `/servers/${id}/os-volume_attachments`, { version: '2.79' });
    const attached = json['volumeAttachments'] as { volumeId: string; device: string; tag: string | null }[];
    // The ephemeral disks are vdb and vdc, the swap vdd.
    expect(attached.map(({ device }) => device)).toEqual(['/dev/vda', '/dev/vde', '/dev/vdf', '/dev/vdg']);
    expect(attached.map(({ volumeId }) => bench.volumes.volumes.get(volumeId)?.size)).toEqual([1, 1, 3, 2]);
    expect(attached).toMatchObject([{ tag: 'root' }, {}, {}, { delete_on_termination: true }]);
    await bench.tidy();
    bench.volumes.snapshots.clear();
  });

  it('boot from a volume that nobody calls bootable when an image is named beside it', async () => {
    const root = { ...volume({ boot_index: 0 }), uuid: bench.volumes.add({ project_id: bench.project }).id };
    const refused = await post([root], { imageRef: undefined });
    expect([refused.status, refused.json]).toMatchObject([
      400,
      { badRequest: { message: `Block Device ${root.uuid} is not bootable.` } },
    ]);
    const unknown = await post([root], { imageRef: nowhere });
    expect([unknown.status, unknown.json]).toMatchObject([
      400,
      { badRequest: { message: 'Can not find requested image' } },
    ]);
    const made = await post([root], {});
    expect(made.status).toBe(202);
    const { id } = made.json['server'] as { id: string };
    expect(await bench.until(id, 'ACTIVE')).toMatchObject({
      image: '',
      'os-extended-volumes:volumes_attached': [{ id: root.uuid }],
    });
    await bench.tidy();
  });

  it('are named in the older form as well, whose vda is the root', async () => {
    const root = bench.volumes.add({ project_id: bench.project, bootable: true });
    const older = (block_device_mapping: Disk[], imageRef?: string) =>
      post([], { imageRef, block_device_mapping, block_device_mapping_v2: undefined }, '2.37');
    const disks = [
      { device_name: 'vda', volume_id: root.id, delete_on_termination: '0' },
      { device_name: '/dev/vdc', virtual_name: 'ephemeral0', volume_size: 1 },
      { device_name: 'vdd', virtual_name: 'swap', volume_size: 64 },
    ];
    const made = await older(disks);
    expect(made.status).toBe(202);
    const { id } = made.json['server'] as { id: string };
    expect(await bench.until(id, 'ACTIVE')).toMatchObject({
      image: '',
      'os-extended-volumes:volumes_attached': [{ id: root.id }],
    });
    const rows = await Promise.all([
      older([{ device_name: 'vdb', volume_id: root.id }]),
      older([{ device_name: 'vdb' }], bench.image),
    ]);
    expect(rows.map(({ json }) => (json['badRequest'] as { message: string }).message)).toEqual([
      SEQUENCE,
      invalid('Unrecognized legacy format.'),
    ]);
    await bench.tidy();
  });
});
