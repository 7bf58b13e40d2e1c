// CRC-32C of a few bytes, which is what WAL records and .snap files have.

import { ALIGNMENT, AlignedMemory } from '../../base/aligned-memory.ts';
import { Crc32c } from '../../base/crc32c.ts';

let crc32c: Crc32c | undefined;

/** Goes on with a checksum. @param before that of what came before; 0 at the start */
export function checksum(before: number, bytes: Uint8Array): number {
  crc32c ??= new Crc32c(new AlignedMemory(ALIGNMENT));
  return crc32c.update(before, bytes);
}
