import { open } from 'node:fs/promises';
import { tryRun, type RunResult } from '@nestack/kernel/process';
import { CinderError } from '@nestack/cinder/contract';

/** Glance's disk formats by QEMU's name; absent ones cannot become volumes. */
const FORMATS: Readonly<Record<string, string>> = {
  raw: 'raw',
  iso: 'raw',
  gpt: 'raw',
  ami: 'raw',
  aki: 'raw',
  ari: 'raw',
  qcow2: 'qcow2',
  vdi: 'vdi',
  vhd: 'vpc',
  vhdx: 'vhdx',
  vmdk: 'vmdk',
};

/** As much of an image as is needed to know what it is. */
export const HEAD_BYTES = 65_536;

/** Upstream's limits of an image's inspection: address space in bytes, processor seconds. */
const LIMITS = ['--as=1073741824', '--cpu=30'];
const QCOW2_EXTERNAL_DATA = 4n;
const QCOW2_KNOWN_INCOMPATIBLE = 0b11111n;

/** QEMU's name of an image's format; refuses those that cannot become volumes. */
export function formatOf(imageId: string, diskFormat: string): string {
  const format = Object.hasOwn(FORMATS, diskFormat) ? FORMATS[diskFormat] : undefined;
  if (format === undefined) throw unacceptable(imageId, `the disk format ${diskFormat} is not supported`);
  return format;
}

/** What the first bytes say; `raw` when they say nothing. */
export function detectFormat(head: Buffer): string {
  const starts = (text: string): boolean => head.subarray(0, text.length).equals(Buffer.from(text, 'latin1'));
  if (starts('QFI\xfb')) return head.readUInt32BE(4) === 1 ? 'qcow' : 'qcow2';
  if (starts('QED\0')) return 'qed';
  if (starts('KDMV') || starts('COWD') || starts('# Disk DescriptorFile')) return 'vmdk';
  if (starts('vhdxfile')) return 'vhdx';
  if (starts('conectix')) return 'vpc';
  if (starts('LUKS\xba\xbe')) return 'luks';
  if (starts('WithoutFreeSpace') || starts('WithouFreSpacExt')) return 'parallels';
  if (head.length >= 0x44 && head.readUInt32LE(0x40) === 0xbeda107f) return 'vdi';
  return 'raw';
}

/**
 * Refuses an image whose bytes are not what its format says, or that refers to other files: before any program opens it, since
 * opening is what follows such references.
 */
export function assertHead(imageId: string, format: string, head: Buffer): void {
  const found = detectFormat(head);
  // A fixed VHD has its only mark at its end.
  if (found !== format && !(format === 'vpc' && found === 'raw'))
    throw unacceptable(imageId, `its content is ${found}, not ${format}`);
  if (format === 'qcow2') assertQcow2(imageId, head);
  if (format === 'vmdk') assertVmdk(imageId, head);
}

function assertQcow2(imageId: string, head: Buffer): void {
  if (head.length < 104) throw unacceptable(imageId, 'its header is too short');
  if (head.readBigUInt64BE(8) !== 0n) throw unacceptable(imageId, 'it has a backing file');
  if (head.readUInt32BE(32) !== 0) throw unacceptable(imageId, 'it is encrypted');
  if (head.readUInt32BE(4) < 3) return;
  const incompatible = head.readBigUInt64BE(72);
  if ((incompatible & QCOW2_EXTERNAL_DATA) !== 0n) throw unacceptable(imageId, 'it has a data file');
  if ((incompatible & ~QCOW2_KNOWN_INCOMPATIBLE) !== 0n) throw unacceptable(imageId, 'it uses unknown features');
}

/** Only files that hold their data themselves; a capacity of 0 would make QEMU read extents from the description. */
function assertVmdk(imageId: string, head: Buffer): void {
  if (!head.subarray(0, 4).equals(Buffer.from('KDMV')) || head.length < 512 || head.readBigUInt64LE(12) === 0n)
    throw unacceptable(imageId, 'VMDK files with data in other files are not supported');
  const at = Number(head.readBigUInt64LE(28)) * 512;
  const length = Number(head.readBigUInt64LE(36)) * 512;
  if (at === 0 || at >= head.length) throw unacceptable(imageId, 'its VMDK description is missing');
  const description = head.subarray(at, at + length).toString('latin1');
  const type = /createType\s*=\s*"([^"]*)"/i.exec(description)?.[1] ?? '';
  if (!/^(monolithicSparse|streamOptimized)$/i.test(type))
    throw unacceptable(imageId, `VMDK files of the type ${type === '' ? 'unknown' : type} are not supported`);
}

/** Reads what `assertHead` looks at. */
export async function headOf(file: string): Promise<Buffer> {
  const handle = await open(file, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

/**
 * Checks an image's file that is not raw: bytes first, then QEMU's own view under limits. Answers the size of the disk in it,
 * in bytes.
 */
export async function inspectImage(imageId: string, file: string, format: string): Promise<number> {
  assertHead(imageId, format, await headOf(file));
  const result = await limited(['qemu-img', 'info', '-f', format, '--output=json', file]);
  if (result.code !== 0) throw unacceptable(imageId, 'it cannot be read', result.stderr);
  const info = JSON.parse(result.stdout) as {
    format?: string;
    'virtual-size'?: number;
    'backing-filename'?: string;
    encrypted?: boolean;
    'format-specific'?: { data?: { 'data-file'?: string } };
  };
  if (info.format !== format) throw unacceptable(imageId, `its content is ${info.format ?? 'unknown'}, not ${format}`);
  if (info['backing-filename'] !== undefined) throw unacceptable(imageId, 'it has a backing file');
  if (info['format-specific']?.data?.['data-file'] !== undefined) throw unacceptable(imageId, 'it has a data file');
  if (info.encrypted === true) throw unacceptable(imageId, 'it is encrypted');
  return info['virtual-size'] ?? 0;
}

async function limited(command: readonly [string, ...string[]]): Promise<RunResult> {
  const options = { timeoutMs: 60_000, maxBuffer: 1 << 20 };
  const result = await tryRun('prlimit', [...LIMITS, ...command], options);
  // util-linux is everywhere that QEMU is, save on other systems than Linux: there the time alone is limited.
  if (result.code !== 127) return result;
  const [program, ...args] = command;
  return tryRun(program, args, options);
}

export function unacceptable(imageId: string, reason: string, detail?: string): Error {
  return CinderError.ImageUnacceptable({ image_id: imageId, reason }, detail === undefined ? {} : { detail });
}
