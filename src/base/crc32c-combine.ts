// The checksum of two byte sequences in a row, from their two checksums: so pieces can be
// checksummed in the order in which they come, and joined in the order that counts.
//
// A checksum is a polynomial over GF(2), modulo the one of CRC-32C. Appending n bytes multiplies it
// by x^(8n), and adds (exclusive or) the checksum of what was appended.

import { POLYNOMIAL } from './crc32c.ts';

/** Bit 31 is x^0: the bits are reversed. */
const ONE = 0x8000_0000;
const X = 0x4000_0000;

/** x^(2^k), for k up to what a length of 2^53 bytes needs. */
const POWERS = powers(53 + 3);

/** Factors x^(8n) by n, for lengths of up to this; leaves of a page or two come by the thousand. */
const CACHED_LENGTHS = 65_536;
const factors = new Uint32Array(CACHED_LENGTHS);

/**
 * The checksum of A followed by B.
 * @param first checksum of A
 * @param second checksum of B
 * @param secondLength bytes of B
 */
export function combineCrc32c(first: number, second: number, secondLength: number): number {
  return (multiply(factorOf(secondLength), first) ^ second) >>> 0;
}

function factorOf(length: number): number {
  if (length >= CACHED_LENGTHS) return computeFactor(length);
  // No power of x is 0, so 0 means: not computed yet.
  if (factors[length] === 0) factors[length] = computeFactor(length);
  return factors[length]!;
}

function computeFactor(length: number): number {
  let factor = ONE;
  let power = 3;
  for (let rest = length; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) factor = multiply(factor, POWERS[power]!);
    power += 1;
  }
  return factor;
}

/** Product of two polynomials, modulo the one of CRC-32C. */
function multiply(left: number, right: number): number {
  let product = 0;
  for (let bit = 0; bit < 32; bit += 1) {
    product ^= right & -(left >>> 31);
    left <<= 1;
    right = (right >>> 1) ^ (POLYNOMIAL & -(right & 1));
  }
  return product;
}

function powers(count: number): readonly number[] {
  const table = [X];
  while (table.length < count) table.push(multiply(table.at(-1)!, table.at(-1)!));
  return table;
}
