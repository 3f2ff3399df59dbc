import { describe, expect, it } from '@jest/globals';
import { assertHead, detectFormat, formatOf } from './image-guard';

function qcow2(change: (head: Buffer) => void = () => undefined): Buffer {
  const head = Buffer.alloc(512);
  head.write('QFI\xfb', 'latin1');
  head.writeUInt32BE(3, 4);
  head.writeBigUInt64BE(1n << 30n, 24);
  change(head);
  return head;
}

function vmdk(type: string, capacity = 2048n): Buffer {
  const head = Buffer.alloc(4096);
  head.write('KDMV', 'latin1');
  head.writeBigUInt64LE(capacity, 12);
  head.writeBigUInt64LE(1n, 28);
  head.writeBigUInt64LE(2n, 36);
  head.write(`# Disk DescriptorFile\nversion=1\ncreateType="${type}"\n`, 512, 'latin1');
  return head;
}

const refused = (format: string, head: Buffer) => () => assertHead('image', format, head);

describe('what the first bytes of an image say', () => {
  it('is its format', () => {
    const vdi = Buffer.alloc(128);
    vdi.writeUInt32LE(0xbeda107f, 0x40);
    expect(detectFormat(qcow2())).toBe('qcow2');
    expect(detectFormat(vmdk('monolithicSparse'))).toBe('vmdk');
    expect(detectFormat(Buffer.from('# Disk DescriptorFile\n'))).toBe('vmdk');
    expect(detectFormat(Buffer.from('vhdxfile'))).toBe('vhdx');
    expect(detectFormat(Buffer.from('conectix'))).toBe('vpc');
    expect(detectFormat(vdi)).toBe('vdi');
    expect(detectFormat(Buffer.from('QED\0'))).toBe('qed');
    expect(detectFormat(Buffer.from('LUKS\xba\xbe', 'latin1'))).toBe('luks');
    expect(detectFormat(Buffer.from('some text'))).toBe('raw');
    expect(detectFormat(Buffer.alloc(0))).toBe('raw');
  });

  it('must be what the image is declared as', () => {
    expect(refused('raw', qcow2())).toThrow('its content is qcow2, not raw');
    expect(refused('qcow2', Buffer.alloc(512))).toThrow('its content is raw, not qcow2');
    expect(refused('vdi', vmdk('monolithicSparse'))).toThrow('its content is vmdk, not vdi');
    expect(refused('vpc', Buffer.alloc(512))).not.toThrow();
    expect(formatOf('image', 'iso')).toBe('raw');
    expect(() => formatOf('image', 'ploop')).toThrow('not supported');
    expect(() => formatOf('image', '__proto__')).toThrow('not supported');
  });

  it('must not lead to other files', () => {
    expect(refused('qcow2', qcow2())).not.toThrow();
    expect(
      refused(
        'qcow2',
        qcow2((head) => head.writeBigUInt64BE(512n, 8)),
      ),
    ).toThrow('backing file');
    expect(
      refused(
        'qcow2',
        qcow2((head) => head.writeBigUInt64BE(4n, 72)),
      ),
    ).toThrow('data file');
    expect(
      refused(
        'qcow2',
        qcow2((head) => head.writeBigUInt64BE(1n << 63n, 72)),
      ),
    ).toThrow('unknown features');
    expect(
      refused(
        'qcow2',
        qcow2((head) => head.writeUInt32BE(2, 32)),
      ),
    ).toThrow('encrypted');
    expect(refused('qcow2', qcow2().subarray(0, 80))).toThrow('too short');
    for (const type of ['monolithicSparse', 'streamOptimized']) expect(refused('vmdk', vmdk(type))).not.toThrow();
    for (const type of ['monolithicFlat', 'twoGbMaxExtentFlat', 'vmfs', ''])
      expect(refused('vmdk', vmdk(type))).toThrow('not supported');
    expect(refused('vmdk', vmdk('monolithicSparse', 0n))).toThrow('data in other files');
    expect(refused('vmdk', Buffer.from('# Disk DescriptorFile\ncreateType="monolithicFlat"\n'))).toThrow('other files');
  });
});
