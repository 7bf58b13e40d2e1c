// Reads a tar archive as its bytes come by, and extracts nothing. It is stricter than tar(1), which guesses: two readers
// that guess differently see two archives.

import {
  decodeName,
  parsePaxNumber,
  parsePaxRecords,
  parseTarHeader,
  TAR_BLOCK_BYTES,
  type TarHeader,
  TarSyntaxError,
} from './tar-header.ts';

export type TarKind =
  | 'file'
  | 'directory'
  | 'symlink'
  | 'hard-link'
  | 'character-device'
  | 'block-device'
  | 'fifo'
  /** A file of which only some ranges are stored, and any type that POSIX does not know. */
  | 'other';

export interface TarEntry {
  /** As it is stored. */
  readonly path: string;
  readonly isUtf8: boolean;
  readonly kind: TarKind;
  /** Of the contents that follow. */
  readonly bytes: number;
  /** Permission bits, with setuid and its like. */
  readonly mode: number;
  /** Of the owner and its group, as numbers: a name means another number on another host. */
  readonly uid: number;
  readonly gid: number;
  /** Of a symbolic link its text, of a hard link the path of another member. */
  readonly linkTarget: string | undefined;
}

/** Told of each member: what it is, its contents in pieces (files alone), its end. */
export interface TarVisitor {
  readonly entry: (entry: TarEntry) => void;
  /** The bytes are valid until it returns. */
  readonly data: (bytes: Buffer) => void;
  readonly end: () => void;
}

/** PATH_MAX of Linux. */
const MAX_PATH_BYTES = 4096;
/** A pax header holds a path, a link and some numbers. */
const MAX_META_BYTES = 64 << 10;
/** tar(1) fills its last record of 10 KiB; with -b 2048 it is 1 MiB. */
const MAX_PADDING_BYTES = 1 << 20;

const KINDS: Readonly<Record<string, TarKind>> = {
  0: 'file',
  1: 'hard-link',
  2: 'symlink',
  3: 'character-device',
  4: 'block-device',
  5: 'directory',
  6: 'fifo',
  7: 'file',
};

/** Headers that say more of the next one: pax, pax for all that follow, GNU's long name and long link. */
const META_TYPES = ['x', 'g', 'L', 'K'];

const ZEROS = Buffer.alloc(64 << 10);

export class TarReader {
  readonly #visitor: TarVisitor;
  readonly #block = Buffer.alloc(TAR_BLOCK_BYTES);
  #blockLength = 0;
  #offset = 0;
  /** Contents that are still to come, and what fills their last block. */
  #left = 0;
  #fill = 0;
  /** The contents are those of a header that says more of the next one. */
  #meta: { readonly type: string; readonly pieces: Buffer[] } | undefined;
  #path: Buffer | undefined;
  #link: Buffer | undefined;
  #size: number | undefined;
  #uid: number | undefined;
  #gid: number | undefined;
  #isSparse = false;
  /** Where the first of the zeros at the end is. */
  #endOffset: number | undefined;
  #dataAfterEnd: number | undefined;

  constructor(visitor: TarVisitor) {
    this.#visitor = visitor;
  }

  /** Where something that is not zero follows the end of the archive, which tar(1) does not read; else undefined. */
  get dataAfterEnd(): number | undefined {
    return this.#dataAfterEnd;
  }

  /** @throws TarSyntaxError, and what the visitor throws */
  push(bytes: Buffer): void {
    let rest = bytes;
    while (rest.length > 0) {
      const used =
        this.#endOffset !== undefined
          ? this.#skipPadding(rest)
          : this.#left > 0
            ? this.#readContents(rest)
            : this.#fill > 0
              ? this.#skipFill(rest)
              : this.#readBlock(rest);
      this.#offset += used;
      rest = rest.subarray(used);
    }
  }

  /**
   * Tells that there is no more.
   * @throws TarSyntaxError if the archive is not at its end
   */
  finish(): void {
    if (this.#endOffset !== undefined) return;
    throw new TarSyntaxError(
      this.#left > 0 || this.#fill > 0 || this.#blockLength > 0
        ? 'the archive ends in the middle of a member'
        : 'the archive ends without the zeros that end every tar archive: it was not written to its end',
      this.#offset,
    );
  }

  #readBlock(bytes: Buffer): number {
    const used = bytes.copy(this.#block, this.#blockLength);
    this.#blockLength += used;
    if (this.#blockLength < TAR_BLOCK_BYTES) return used;
    this.#blockLength = 0;
    const start = this.#offset + used - TAR_BLOCK_BYTES;
    // One such block is an end for tar(1) as well, which then says "A lone zero block".
    if (isZero(this.#block)) this.#endOffset = start;
    else this.#begin(parseTarHeader(this.#block, start), start);
    return used;
  }

  #begin(header: TarHeader, offset: number): void {
    if (META_TYPES.includes(header.type)) {
      if (header.size > MAX_META_BYTES || header.size === 0) {
        throw new TarSyntaxError('a header for a long name is empty or too long', offset);
      }
      this.#meta = { type: header.type, pieces: [] };
      this.#expect(header.size);
      return;
    }
    const entry = this.#entryOf(header, offset);
    this.#path = this.#link = this.#size = this.#uid = this.#gid = undefined;
    this.#isSparse = false;
    this.#visitor.entry(entry);
    this.#expect(entry.bytes);
    if (entry.bytes === 0) this.#visitor.end();
  }

  #entryOf(header: TarHeader, offset: number): TarEntry {
    const stored = this.#path ?? header.name;
    if (stored.length === 0 || stored.length > MAX_PATH_BYTES || stored.includes(0)) {
      throw new TarSyntaxError('a member has no name, or one that no file can have', offset);
    }
    const path = decodeName(stored);
    const kind = this.#kindOf(header, path.text);
    const link =
      kind === 'symlink' || kind === 'hard-link' ? this.#linkOf(header, offset) : undefined;
    // tar(1) gives hard links no contents, whatever the header says (list.c, read_header).
    const bytes = kind === 'hard-link' ? 0 : (this.#size ?? header.size);
    if (bytes > 0 && kind !== 'file' && kind !== 'other') {
      throw new TarSyntaxError(`${path.text} is a ${kind} with contents`, offset);
    }
    return {
      path: path.text,
      isUtf8: path.isUtf8 && link?.isUtf8 !== false,
      kind,
      bytes,
      mode: header.mode,
      uid: this.#uid ?? header.uid,
      gid: this.#gid ?? header.gid,
      linkTarget: link?.text,
    };
  }

  #kindOf({ type }: TarHeader, path: string): TarKind {
    const kind = this.#isSparse ? 'other' : (KINDS[type] ?? 'other');
    // Before ustar a directory was a file whose name ends so, and tar(1) still takes it for one.
    return kind === 'file' && path.endsWith('/') ? 'directory' : kind;
  }

  #linkOf(header: TarHeader, offset: number) {
    const target = this.#link ?? header.linkName;
    if (target.length === 0 || target.length > MAX_PATH_BYTES || target.includes(0)) {
      throw new TarSyntaxError('a link points to nothing that a link can point to', offset);
    }
    return decodeName(target);
  }

  #expect(bytes: number): void {
    this.#left = bytes;
    this.#fill = (TAR_BLOCK_BYTES - (bytes % TAR_BLOCK_BYTES)) % TAR_BLOCK_BYTES;
  }

  #readContents(bytes: Buffer): number {
    const piece = bytes.subarray(0, this.#left);
    this.#left -= piece.length;
    if (this.#meta === undefined) {
      this.#visitor.data(piece);
      if (this.#left === 0) this.#visitor.end();
      return piece.length;
    }
    this.#meta.pieces.push(Buffer.from(piece));
    if (this.#left === 0) this.#readMeta(this.#meta.type, Buffer.concat(this.#meta.pieces));
    return piece.length;
  }

  #readMeta(type: string, bytes: Buffer): void {
    this.#meta = undefined;
    if (type === 'L' || type === 'K') {
      const end = bytes.indexOf(0);
      const name = end < 0 ? bytes : bytes.subarray(0, end);
      if (type === 'L') this.#path = name;
      else this.#link = name;
      return;
    }
    const records = parsePaxRecords(bytes, this.#offset);
    const [path, link, size] = ['path', 'linkpath', 'size'].map((key) => records.get(key));
    if (type === 'g') {
      // Comments alone are seen there. One name for all members would be none of an archive.
      if (path ?? link ?? size)
        throw new TarSyntaxError('a pax header names all members', this.#offset);
      return;
    }
    this.#path = path ?? this.#path;
    this.#link = link ?? this.#link;
    if (size !== undefined) this.#size = parsePaxNumber(size, this.#offset);
    const [uid, gid] = [records.get('uid'), records.get('gid')];
    if (uid !== undefined) this.#uid = parsePaxNumber(uid, this.#offset);
    if (gid !== undefined) this.#gid = parsePaxNumber(gid, this.#offset);
    this.#isSparse = [...records.keys()].some((key) => key.startsWith('GNU.sparse.'));
  }

  #skipFill(bytes: Buffer): number {
    const used = Math.min(bytes.length, this.#fill);
    this.#fill -= used;
    return used;
  }

  #skipPadding(bytes: Buffer): number {
    const end = this.#offset + bytes.length;
    if (this.#dataAfterEnd !== undefined) return bytes.length;
    if (!isZero(bytes)) {
      this.#dataAfterEnd = this.#offset + bytes.findIndex((byte) => byte !== 0);
    } else if (end - this.#endOffset! > MAX_PADDING_BYTES) {
      throw new TarSyntaxError('zeros without an end follow the archive', this.#endOffset!);
    }
    return bytes.length;
  }
}

function isZero(bytes: Buffer): boolean {
  for (let at = 0; at < bytes.length; at += ZEROS.length) {
    const piece = bytes.subarray(at, at + ZEROS.length);
    if (!piece.equals(ZEROS.subarray(0, piece.length))) return false;
  }
  return true;
}
