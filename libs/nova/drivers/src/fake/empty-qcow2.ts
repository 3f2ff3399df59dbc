/** The header of a qcow2 file of 1 MiB in which nothing was ever written. */
export function emptyQcow2(): Buffer {
  const header = Buffer.alloc(65_536 * 3);
  header.write('QFI\xfb', 0, 'latin1');
  header.writeUInt32BE(2, 4);
  header.writeUInt32BE(16, 20);
  header.writeBigUInt64BE(1_048_576n, 24);
  header.writeUInt32BE(1, 36);
  header.writeBigUInt64BE(65_536n, 40);
  header.writeBigUInt64BE(131_072n, 48);
  header.writeUInt32BE(1, 56);
  return header;
}
