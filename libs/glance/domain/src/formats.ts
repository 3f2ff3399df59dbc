/** What an image's bytes say about it. */
export interface Inspection {
  /** All formats that the bytes may be taken for; a bootable ISO is `iso` and `gpt`. Empty: none that is known, hence raw. */
  readonly formats: ReadonlySet<string>;
  /** Bytes of the disk inside, where the format tells. */
  readonly virtualSize: number | null;
  /** Why the image must not be used although its format is known: it names files of the host. */
  readonly unsafe: string | null;
}

/** How many bytes at the beginning `inspect` looks at (an ISO's descriptor lies at 32 KiB), and at the end (a VHD's footer). */
export const HEAD_BYTES = 65_536;
export const TAIL_BYTES = 512;

const QCOW2_BACKING_FILE = 8;
const QCOW2_SIZE = 24;
const QCOW2_INCOMPATIBLE = 72;
const QCOW2_DATA_FILE_BIT = 4n;

/** Tells the format from the data's first and last bytes, never from what its owner says. Reads headers only. */
export function inspect(head: Buffer, tail: Buffer): Inspection {
  const formats = new Set<string>();
  let virtualSize: number | null = null;
  let unsafe: string | null = null;
  if (starts(head, 'QFI\xfb') && head.length >= 32) {
    const version = head.readUInt32BE(4);
    formats.add('qcow2');
    virtualSize = Number(head.readBigUInt64BE(QCOW2_SIZE));
    if (head.readBigUInt64BE(QCOW2_BACKING_FILE) !== 0n) unsafe = 'backing_file';
    if (version >= 3 && head.length >= QCOW2_INCOMPATIBLE + 8) {
      const features = head.readBigUInt64BE(QCOW2_INCOMPATIBLE);
      if ((features & QCOW2_DATA_FILE_BIT) !== 0n) unsafe = 'data_file';
      // Dirty, corrupt, data file, compression, extended L2: what is beyond these no inspector understands.
      if (features >= 32n) unsafe = 'unknown_features';
    }
  }
  if (starts(head, 'QED\0')) {
    formats.add('qed');
    unsafe = 'qed is not supported';
  }
  if (starts(head, 'KDMV') && head.length >= 20) {
    formats.add('vmdk');
    virtualSize = Number(head.readBigUInt64LE(12)) * 512;
    unsafe = vmdkExtents(head);
  } else if (/^# ?Disk DescriptorFile/i.test(head.toString('latin1', 0, 64))) {
    formats.add('vmdk');
    unsafe = 'descriptor names other files';
  }
  if (starts(head, 'vhdxfile')) formats.add('vhdx');
  const footer = starts(head, 'conectix') ? head : starts(tail.subarray(-512), 'conectix') ? tail.subarray(-512) : null;
  if (footer !== null && footer.length >= 56) {
    formats.add('vhd');
    virtualSize = Number(footer.readBigUInt64BE(48));
  }
  if (head.length >= 0x180 && head.readUInt32LE(0x40) === 0xbeda107f) {
    formats.add('vdi');
    virtualSize = Number(head.readBigUInt64LE(0x170));
  }
  if (head.toString('latin1', 0x8001, 0x8006) === 'CD001') formats.add('iso');
  if (head.length >= 512 && head.readUInt16LE(510) === 0xaa55 && plausiblePartitions(head)) formats.add('gpt');
  if (starts(head, 'LUKS\xba\xbe')) formats.add('luks');
  if (starts(head, 'ploop') || starts(head, 'WithoutFreeSpace') || starts(head, 'WithouFreSpacExt'))
    formats.add('ploop');
  return { formats, virtualSize, unsafe };
}

/** Whether data of these formats may be kept as `declared`. */
export function formatMatches(declared: string, formats: ReadonlySet<string>): boolean {
  switch (declared) {
    case 'ami':
    case 'ari':
    case 'aki':
    case 'ploop':
      // Nothing in their bytes tells them; upstream does not look either.
      return true;
    case 'raw':
      // A whole disk with a partition table is what most raw images are; so is a LUKS volume.
      return [...formats].every((format) => format === 'gpt' || format === 'luks');
    default:
      return formats.has(declared);
  }
}

function starts(bytes: Buffer, magic: string): boolean {
  return bytes.toString('latin1', 0, magic.length) === magic;
}

/** An MBR's entries are active (0x80) or not (0), nothing else; other boot sectors have code there. */
function plausiblePartitions(head: Buffer): boolean {
  return [446, 462, 478, 494].every((at) => head[at] === 0x80 || head[at] === 0);
}

/** Stream-optimised and monolithic sparse disks hold all of their data; other kinds name extents elsewhere. */
function vmdkExtents(head: Buffer): string | null {
  const type = /createType="([^"]*)"/.exec(head.toString('latin1'))?.[1];
  if (type === undefined) return 'no createType';
  return type === 'monolithicSparse' || type === 'streamOptimized' ? null : `unsupported subtype ${type}`;
}
