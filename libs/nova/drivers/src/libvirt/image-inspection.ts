import { open } from 'node:fs/promises';
import type { RequestContext } from '@nestack/kernel/context';
import { DomainError } from '@nestack/kernel/errors';
import type { ImageSnapshotWire } from '@nestack/nova/contract';
import type { Commands } from './commands';

/** What qemu-img may use to look at an image that a stranger made. upstream: nova/privsep/qemu.py, QEMU_IMG_LIMITS */
const LIMITS = ['--as=1073741824', '--cpu=30'];

/** Glance's formats that are converted, by qemu-img's name. */
const CONVERTIBLE: Readonly<Record<string, string>> = {
  qcow2: 'qcow2',
  vdi: 'vdi',
  vhd: 'vpc',
  vhdx: 'vhdx',
  vmdk: 'vmdk',
};
/** Glance's formats whose bytes are the disk's. */
const PLAIN = new Set(['raw', 'ami', 'aki', 'ari', 'iso']);

/** The kinds of VMDK that lie in one file; others name further files of the host. upstream: CONF.compute.vmdk_allowed_types */
const VMDK_TYPES = new Set(['streamOptimized', 'monolithicSparse']);

/** Where container formats write their names. */
const MARKS: readonly (readonly [format: string, offset: number, mark: string])[] = [
  ['qcow2', 0, 'QFI\xfb'],
  ['qed', 0, 'QED\0'],
  ['vmdk', 0, 'KDMV'],
  ['vmdk', 0, 'COWD'],
  ['vmdk', 0, '# Disk DescriptorFile'],
  ['vhd', 0, 'conectix'],
  ['vhdx', 0, 'vhdxfile'],
  ['vdi', 0x40, '\x7f\x10\xda\xbe'],
  ['luks', 0, 'LUKS\xba\xbe'],
];

interface QemuInfo {
  readonly format?: string;
  readonly 'virtual-size'?: number;
  readonly 'backing-filename'?: string;
  readonly 'full-backing-filename'?: string;
  readonly encrypted?: boolean;
  readonly 'format-specific'?: { readonly data?: Readonly<Record<string, unknown>> };
}

/** What a downloaded image is. */
export interface Inspected {
  /** qemu-img's name of its format; null: its bytes are the disk's. */
  readonly convertFrom: string | null;
  /** Size of its disk. */
  readonly bytes: number;
}

/**
 * Looks at an image's file as at something hostile: it must be what glance says, and lie in that file alone. Throws
 * ImageUnacceptable. upstream: nova/virt/images.py, fetch_to_raw and do_image_deep_inspection
 */
export async function inspectImage(
  ctx: RequestContext,
  image: ImageSnapshotWire,
  file: string,
  commands: Commands,
): Promise<Inspected> {
  const { size, found } = await markOf(file);
  if (PLAIN.has(image.disk_format)) {
    if (found !== null) throw unacceptable(image, `its content is ${found}, not ${image.disk_format}`);
    return { convertFrom: null, bytes: size };
  }
  const format = CONVERTIBLE[image.disk_format];
  if (format === undefined) throw unacceptable(image, `the format ${image.disk_format} is not supported`);
  if (found !== null && found !== image.disk_format)
    throw unacceptable(image, `its content is ${found}, not ${image.disk_format}`);
  const info = await qemuInfo(ctx, image, format, file, commands);
  const virtual = info['virtual-size'];
  if (info.format !== format || virtual === undefined)
    throw unacceptable(image, `its content is not ${image.disk_format}`);
  if (info['backing-filename'] !== undefined || info['full-backing-filename'] !== undefined)
    throw unacceptable(image, 'it has a backing file');
  if (info.encrypted === true) throw unacceptable(image, 'it is encrypted');
  const details = info['format-specific']?.data ?? {};
  if (details['data-file'] !== undefined || details['data-file-raw'] === true)
    throw unacceptable(image, 'it has a data file');
  if (format === 'vmdk' && !VMDK_TYPES.has(String(details['create-type'])))
    throw unacceptable(image, `VMDKs of the type ${String(details['create-type'])} are not allowed`);
  return { convertFrom: format, bytes: virtual };
}

/** The container format that the file's first bytes name, and its size. */
async function markOf(file: string): Promise<{ readonly size: number; readonly found: string | null }> {
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(512), 0, 512, 0);
    const head = buffer.subarray(0, bytesRead).toString('latin1');
    const found = MARKS.find(([, offset, mark]) => head.startsWith(mark, offset));
    return { size, found: found?.[0] ?? null };
  } finally {
    await handle.close();
  }
}

async function qemuInfo(
  ctx: RequestContext,
  image: ImageSnapshotWire,
  format: string,
  file: string,
  commands: Commands,
): Promise<QemuInfo> {
  const about = { to: 'qemu-img', name: 'qemu-img info', resource: `image:${image.id}` };
  // The format is given, never guessed: a guess lets the image choose how it is read.
  const words = [...LIMITS, '--', 'qemu-img', 'info', '--output=json', '-f', format, file];
  const shown = await commands.try(ctx, about, 'prlimit', words, { timeoutMs: 60_000, maxBuffer: 1024 * 1024 });
  if (shown.code !== 0) throw unacceptable(image, `its content is not ${image.disk_format}`, shown.stderr);
  try {
    return JSON.parse(shown.stdout) as QemuInfo;
  } catch (error) {
    throw unacceptable(image, `its content is not ${image.disk_format}`, String(error));
  }
}

/** upstream: nova/exception.py, ImageUnacceptable */
export function unacceptable(image: ImageSnapshotWire, reason: string, detail?: string): DomainError {
  return new DomainError({
    kind: 'badRequest',
    code: 'ImageUnacceptable',
    message: `Image ${image.id} is unacceptable: ${reason}`,
    args: { image_id: image.id, reason },
    ...(detail === undefined ? {} : { detail }),
  });
}
