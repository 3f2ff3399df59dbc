import { describe, expect, it } from '@jest/globals';
import { formatMatches, inspect } from './formats';

const NO_TAIL = Buffer.alloc(0);

function bytes(size: number, write: (buffer: Buffer) => void): Buffer {
  const buffer = Buffer.alloc(size);
  write(buffer);
  return buffer;
}

function formatsOf(head: Buffer, tail: Buffer = NO_TAIL): string[] {
  return [...inspect(head, tail).formats].sort();
}

describe('formats told from bytes', () => {
  it('knows qcow2 and what makes it dangerous', () => {
    const qcow2 = (more: (buffer: Buffer) => void = () => undefined) =>
      bytes(512, (b) => {
        b.write('QFI\xfb', 'latin1');
        b.writeUInt32BE(3, 4);
        b.writeBigUInt64BE(5n << 30n, 24);
        more(b);
      });
    expect(inspect(qcow2(), NO_TAIL)).toEqual({ formats: new Set(['qcow2']), virtualSize: 5 * 2 ** 30, unsafe: null });
    expect(
      inspect(
        qcow2((b) => b.writeBigUInt64BE(100n, 8)),
        NO_TAIL,
      ).unsafe,
    ).toBe('backing_file');
    expect(
      inspect(
        qcow2((b) => b.writeBigUInt64BE(4n, 72)),
        NO_TAIL,
      ).unsafe,
    ).toBe('data_file');
    expect(
      inspect(
        qcow2((b) => b.writeBigUInt64BE(1n << 40n, 72)),
        NO_TAIL,
      ).unsafe,
    ).toBe('unknown_features');
    const old = qcow2((b) => {
      b.writeUInt32BE(2, 4);
      b.writeBigUInt64BE(4n, 72);
    });
    expect(inspect(old, NO_TAIL).unsafe).toBeNull();
  });

  it('knows the others', () => {
    expect(formatsOf(bytes(512, (b) => b.write('vhdxfile')))).toEqual(['vhdx']);
    expect(formatsOf(bytes(40_000, (b) => b.write('CD001', 0x8001)))).toEqual(['iso']);
    expect(formatsOf(bytes(512, (b) => b.writeUInt32LE(0xbeda107f, 0x40)))).toEqual(['vdi']);
    expect(
      formatsOf(
        Buffer.alloc(512),
        bytes(512, (b) => b.write('conectix')),
      ),
    ).toEqual(['vhd']);
    expect(formatsOf(bytes(512, (b) => b.writeUInt16LE(0xaa55, 510)))).toEqual(['gpt']);
    expect(formatsOf(Buffer.alloc(600))).toEqual([]);
    expect(formatsOf(Buffer.alloc(0))).toEqual([]);
    const vmdk = (type: string) => bytes(2048, (b) => (b.write('KDMV'), b.write(`createType="${type}"`, 600)));
    expect(inspect(vmdk('streamOptimized'), NO_TAIL).unsafe).toBeNull();
    expect(inspect(vmdk('monolithicFlat'), NO_TAIL).unsafe).toBe('unsupported subtype monolithicFlat');
    expect(inspect(Buffer.from('# Disk DescriptorFile\ncreateType="x"'), NO_TAIL).unsafe).not.toBeNull();
  });

  it('survives headers cut short', () => {
    for (const magic of ['QFI\xfb', 'KDMV', 'conectix', 'QED\0']) {
      for (let size = magic.length; size < 120; size += 7) {
        const head = bytes(size, (b) => b.write(magic, 'latin1'));
        expect(() => inspect(head, head)).not.toThrow();
      }
    }
  });

  it('compares with what was declared', () => {
    expect(formatMatches('raw', new Set())).toBe(true);
    expect(formatMatches('raw', new Set(['gpt']))).toBe(true);
    expect(formatMatches('raw', new Set(['qcow2']))).toBe(false);
    expect(formatMatches('raw', new Set(['iso', 'gpt']))).toBe(false);
    expect(formatMatches('iso', new Set(['iso', 'gpt']))).toBe(true);
    expect(formatMatches('qcow2', new Set())).toBe(false);
    expect(formatMatches('aki', new Set(['qcow2']))).toBe(true);
  });
});
