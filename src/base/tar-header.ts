// One header of a tar archive: ustar (POSIX.1-2017, pax, "ustar Interchange Format"), GNU's and the one before both; and
// the records of a pax header. Anything that is not exactly as it should be is refused by name.

import { isUtf8 } from 'node:buffer';

export const TAR_BLOCK_BYTES = 512;

/** What is wrong with a tar archive: nothing behind it can be told apart any more. */
export class TarSyntaxError extends Error {
  /** Where in the archive, uncompressed. */
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.name = 'TarSyntaxError';
    this.offset = offset;
  }
}

export interface TarHeader {
  readonly name: Buffer;
  readonly linkName: Buffer;
  /** One character; that of a file before ustar is `0` here too. */
  readonly type: string;
  /** Permission bits, with setuid and its like. */
  readonly mode: number;
  /** Of the owner and its group, as numbers. */
  readonly uid: number;
  readonly gid: number;
  /** Of the contents that follow, in bytes. */
  readonly size: number;
}

/** A field of the header: its first byte, and its length. */
const FIELDS = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  checksum: [148, 8],
  type: [156, 1],
  linkName: [157, 100],
  magic: [257, 8],
  prefix: [345, 155],
} as const;

type NumberField = 'mode' | 'uid' | 'gid' | 'size' | 'checksum';

const SPACE = 0x20;

/** Of ustar; GNU's older one, which has other fields in place of the prefix, ends in two spaces. */
const USTAR_MAGIC = 'ustar\x0000';

/**
 * Parses a header.
 * @param block 512 bytes
 * @param offset of the block, for errors
 * @throws TarSyntaxError
 */
export function parseTarHeader(block: Buffer, offset: number): TarHeader {
  if (!isChecksumRight(block, offset)) {
    throw new TarSyntaxError('the checksum of a header is wrong', offset);
  }
  const prefix =
    fieldOf(block, 'magic').toString('latin1') === USTAR_MAGIC
      ? textOf(block, 'prefix')
      : undefined;
  const name = textOf(block, 'name');
  const type = fieldOf(block, 'type').toString('latin1');
  return {
    name: prefix === undefined || prefix.length === 0 ? name : Buffer.concat([prefix, SLASH, name]),
    linkName: textOf(block, 'linkName'),
    type: type === '\0' ? '0' : type,
    mode: numberOf(block, 'mode', offset) & 0o7777,
    uid: numberOf(block, 'uid', offset),
    gid: numberOf(block, 'gid', offset),
    size: numberOf(block, 'size', offset),
  };
}

const SLASH = Buffer.from('/');

/** The records of a pax header: `<length> <key>=<value>\n` each. @throws TarSyntaxError */
export function parsePaxRecords(bytes: Buffer, offset: number): Map<string, Buffer> {
  const records = new Map<string, Buffer>();
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(SPACE, at);
    const digits = bytes.toString('latin1', at, Math.min(space, at + 10));
    const end = at + Number(digits);
    const equals = bytes.indexOf('=', space);
    const isSound =
      space > at &&
      /^[1-9]\d*$/.test(digits) &&
      end <= bytes.length &&
      bytes[end - 1] === 0x0a &&
      equals > space &&
      equals < end;
    if (!isSound) throw new TarSyntaxError('a pax header is damaged', offset);
    records.set(bytes.toString('utf8', space + 1, equals), bytes.subarray(equals + 1, end - 1));
    at = end;
  }
  return records;
}

/** A decimal number of a pax record. @throws TarSyntaxError */
export function parsePaxNumber(value: Buffer, offset: number): number {
  const text = value.toString('latin1');
  const number = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(number)) return number;
  throw new TarSyntaxError('a pax header has a size or an owner that is no number', offset);
}

/** Names are bytes to tar. What is not UTF-8 comes out with U+FFFD in it. */
export function decodeName(bytes: Buffer): { readonly text: string; readonly isUtf8: boolean } {
  return { text: bytes.toString('utf8'), isUtf8: isUtf8(bytes) };
}

function fieldOf(block: Buffer, field: keyof typeof FIELDS): Buffer {
  const [start, length] = FIELDS[field];
  return block.subarray(start, start + length);
}

/** All before the first NUL: a field that is full has none. A copy, since the block is used again. */
function textOf(block: Buffer, field: keyof typeof FIELDS): Buffer {
  const bytes = fieldOf(block, field);
  const end = bytes.indexOf(0);
  return Buffer.from(end < 0 ? bytes : bytes.subarray(0, end));
}

/** Octal digits, or GNU's number in base 256 where the first bit is set (tar's manual, "Basic Tar Format"). */
function numberOf(block: Buffer, field: NumberField, offset: number): number {
  const bytes = fieldOf(block, field);
  const text = bytes.toString('latin1').replace(/\0.*$/s, '').trim();
  let value = /^[0-7]*$/.test(text) ? Number.parseInt(`0${text}`, 8) : Number.NaN;
  if (bytes[0] === 0x80) value = bytes.subarray(1).reduce((sum, byte) => sum * 256 + byte, 0);
  if (Number.isSafeInteger(value)) return value;
  throw new TarSyntaxError(`a header has a ${field} that is no number`, offset);
}

/** Of all bytes, those of the checksum itself as spaces; old archives have it of signed bytes. */
function isChecksumRight(block: Buffer, offset: number): boolean {
  const [start, length] = FIELDS.checksum;
  let unsigned = SPACE * length;
  let signed = unsigned;
  for (const [index, byte] of block.entries()) {
    if (index >= start && index < start + length) continue;
    unsigned += byte;
    signed += (byte << 24) >> 24;
  }
  const stored = numberOf(block, 'checksum', offset);
  return stored === unsigned || stored === signed;
}
