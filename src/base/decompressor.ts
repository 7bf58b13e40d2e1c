// Decompresses gzip and zstd piece by piece, and tells apart what Node's own streams do not: a stream that ends early,
// one that is damaged, and bytes that follow its end.

import { createGunzip, createZstdDecompress, type Gunzip, type ZstdDecompress } from 'node:zlib';
import { messageOf, systemCodeOf } from './errors.ts';

export type Compression = 'gzip' | 'zstd';

/** What is wrong with compressed bytes; whoever reads them makes an error or a finding of it. */
export class CompressionError extends Error {
  readonly kind: 'truncated' | 'damaged' | 'trailing';
  /** Where in the compressed bytes. */
  readonly offset: number;

  constructor(kind: CompressionError['kind'], message: string, offset: number) {
    super(message);
    this.name = 'CompressionError';
    this.kind = kind;
    this.offset = offset;
  }
}

/** As many bytes as `compressionOf` has to see. */
export const MAGIC_BYTES = 4;

/** What was unpacked of such a piece is lost where the next byte is damaged: zlib then hands on none of it. */
const OUTPUT_BYTES = 16 << 10;

/** A stream that does not decompress a whole file, but one member (RFC 1952, 2.2) or frame (RFC 8878, 3) of it. */
type Engine = Gunzip | ZstdDecompress;

/** Node's error for bytes behind a gzip member, and zstd's for bytes that begin no frame. */
const TRAILING_CODES = ['ERR_TRAILING_JUNK_AFTER_STREAM_END', 'ZSTD_error_prefix_unknown'];

/**
 * How a file is compressed, by its first bytes (RFC 1952, 2.3.1; RFC 8878, 3.1.1): its name tells nothing for certain.
 * @param start the first four bytes, or fewer if the file has no more
 */
export function compressionOf(start: Uint8Array): Compression | undefined {
  if (start[0] === 0x1f && start[1] === 0x8b) return 'gzip';
  if (start.length < MAGIC_BYTES) return undefined;
  const magic = new DataView(start.buffer, start.byteOffset).getUint32(0, true);
  const isSkippable = (magic & ~0xf) === 0x184d2a50;
  return magic === 0xfd2fb528 || isSkippable ? 'zstd' : undefined;
}

/**
 * Is written to and hands on what comes out, in order and at once. Members or frames that follow one another are one
 * stream, as gzip(1) and zstd(1) have it, and so are zeros behind a gzip stream (padding of a tape).
 */
export class Decompressor {
  readonly #compression: Compression;
  readonly #take: (bytes: Buffer) => void;
  #engine: Engine | undefined;
  #consumed = 0;
  #isPadding = false;
  /** Bytes behind a member, too few to say whether another one begins. */
  #pending: Buffer = Buffer.alloc(0);
  #failure: Error | undefined;

  /** @param take must be done with the bytes when it returns; what it throws comes out of `write` */
  constructor(compression: Compression, take: (bytes: Buffer) => void) {
    this.#compression = compression;
    this.#take = take;
  }

  /**
   * Everything that these bytes give has been handed on when it returns. After an error nothing more may be written.
   * @param bytes are not kept
   * @throws CompressionError, and what `take` throws
   */
  async write(bytes: Uint8Array): Promise<void> {
    let rest = this.#pending.length === 0 ? bytes : Buffer.concat([this.#pending, bytes]);
    this.#pending = Buffer.alloc(0);
    while (rest.length > 0) {
      if (this.#engine === undefined) {
        if (this.#isPadding || (this.#consumed > 0 && rest[0] === 0)) {
          this.#skipZeros(rest);
          return;
        }
        if (rest.length < MAGIC_BYTES) {
          this.#pending = Buffer.from(rest);
          return;
        }
        this.#begin(rest);
      }
      rest = rest.subarray(await this.#feed(rest));
    }
  }

  /**
   * Tells that there is no more.
   * @throws CompressionError if the stream is not at its end
   */
  async end(): Promise<void> {
    if (this.#pending.length > 0 && this.#consumed > 0) throw this.#trailing();
    if (this.#isPadding || (this.#engine === undefined && this.#consumed > 0)) return;
    if (this.#engine === undefined) throw this.#truncated();
    const engine = this.#engine;
    await new Promise<void>((resolve) => {
      engine.once('close', resolve);
      engine.end();
    });
    if (this.#failure !== undefined) throw this.#translate(this.#failure);
  }

  /** Gives the memory of an unfinished stream back. */
  close(): void {
    this.#engine?.destroy();
  }

  #begin(rest: Uint8Array): void {
    if (compressionOf(rest) !== this.#compression) {
      if (this.#consumed > 0) throw this.#trailing();
      throw new CompressionError('damaged', `this is not ${this.#compression}`, 0);
    }
    const options = { chunkSize: OUTPUT_BYTES };
    const engine =
      this.#compression === 'gzip'
        ? createGunzip({ ...options, rejectGarbageAfterEnd: true })
        : createZstdDecompress(options);
    engine.on('data', (bytes: Buffer) => {
      if (this.#failure !== undefined) return;
      try {
        this.#take(bytes);
      } catch (reason) {
        this.#failure = reason instanceof Error ? reason : new Error(messageOf(reason));
        engine.destroy();
      }
    });
    engine.on('error', (reason) => (this.#failure ??= reason));
    this.#engine = engine;
  }

  /** @returns how many of the bytes are this member's; if not all, it has ended with them */
  async #feed(bytes: Uint8Array): Promise<number> {
    const engine = this.#engine!;
    const before = engine.bytesWritten;
    await new Promise<void>((resolve) => {
      engine.once('close', resolve);
      engine.write(bytes, () => {
        engine.off('close', resolve);
        resolve();
      });
    });
    const used = engine.bytesWritten - before;
    this.#consumed += used;
    const failure = this.#failure;
    if (failure !== undefined && !TRAILING_CODES.includes(systemCodeOf(failure) ?? '')) {
      throw this.#translate(failure);
    }
    if (failure !== undefined || used < bytes.length) {
      engine.destroy();
      this.#engine = undefined;
      this.#failure = undefined;
    }
    return used;
  }

  #skipZeros(bytes: Uint8Array): void {
    if (this.#compression !== 'gzip' || bytes.some((byte) => byte !== 0)) throw this.#trailing();
    this.#isPadding = true;
  }

  #translate(failure: Error): Error {
    const code = systemCodeOf(failure);
    if (code === 'Z_BUF_ERROR') return this.#truncated();
    const isEngines = code?.startsWith('Z_') === true || code?.startsWith('ZSTD_') === true;
    if (!isEngines) return failure;
    return new CompressionError(
      'damaged',
      `${this.#compression} is damaged: ${failure.message}`,
      this.#consumed,
    );
  }

  #truncated(): CompressionError {
    return new CompressionError(
      'truncated',
      `${this.#compression} ends before it is whole`,
      this.#consumed,
    );
  }

  #trailing(): CompressionError {
    return new CompressionError(
      'trailing',
      `something follows the end of ${this.#compression}`,
      this.#consumed,
    );
  }
}
